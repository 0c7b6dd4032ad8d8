/** Moves replicas between the log directories of this broker (KIP-113). The answer says that the move has begun; DescribeLogDirs shows it. */
import { AlterReplicaLogDirs, ErrorCode, KafkaError } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'

interface TopicResult {
  readonly topicName: string
  readonly partitions: { partitionIndex: number; errorCode: number }[]
}

export const alterReplicaLogDirs = handler(AlterReplicaLogDirs, (request, context) => {
  const results = new Map<string, TopicResult>()
  for (const { path, topics } of request.dirs) {
    for (const { name, partitions } of topics) {
      let result = results.get(name)
      if (result === undefined) results.set(name, (result = { topicName: name, partitions: [] }))
      for (const partitionIndex of partitions)
        result.partitions.push({ partitionIndex, errorCode: move(name, partitionIndex, path, context) })
    }
  }
  return { throttleTimeMs: 0, results: [...results.values()] }
})

function move(topic: string, partition: number, directory: string, context: RequestContext): number {
  try {
    context.broker.logs.moveReplica(topic, partition, directory)
    return ErrorCode.NONE
  } catch (error) {
    if (error instanceof KafkaError) {
      const { logs, metadata } = context.broker
      if (metadata.image.topics.get(topic)?.partitions[partition] === undefined) {
        // The wish for a replica to come is remembered: not for one that nobody knows of.
        logs.remove(topic, partition)
        if (error.code === ErrorCode.REPLICA_NOT_AVAILABLE) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      }
      context.broker.logger.warn(`cannot move ${topic}-${partition} to ${directory}: ${error.message}`)
      return error.code
    }
    context.broker.logger.error(`cannot move ${topic}-${partition} to ${directory}`, { error })
    return ErrorCode.UNKNOWN_SERVER_ERROR
  }
}
