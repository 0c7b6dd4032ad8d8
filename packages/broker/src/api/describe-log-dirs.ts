/** Sizes and state of the log directories of this broker (KIP-113); total and usable bytes from 4 (KIP-827), cordoned from 5 (KIP-1066). */
import { DescribeLogDirs, ErrorCode, type Request, type ResponseInput } from '@millrace/protocol'
import { handler } from '../server/handler.ts'

type PartitionAnswer = ResponseInput<typeof DescribeLogDirs>['results'][number]['topics'][number]['partitions'][number]

export const describeLogDirs = handler(DescribeLogDirs, async (request, context) => {
  const isWanted = wantedPartitions(request)
  const directories = await context.broker.logs.directories()
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    results: directories.map(({ path, errorCode, totalBytes, usableBytes, isCordoned, logs }) => {
      const topics = new Map<string, PartitionAnswer[]>()
      for (const { topic, partition, sizeBytes, offsetLag, isFuture } of logs) {
        if (!isWanted(topic, partition)) continue
        let partitions = topics.get(topic)
        if (partitions === undefined) topics.set(topic, (partitions = []))
        partitions.push({
          partitionIndex: partition,
          partitionSize: BigInt(sizeBytes),
          offsetLag,
          isFutureKey: isFuture,
        })
      }
      return {
        errorCode,
        logDir: path,
        topics: [...topics].map(([name, partitions]) => ({ name, partitions })),
        totalBytes,
        usableBytes,
        isCordoned,
      }
    }),
  }
})

/** null in the request asks for all. */
function wantedPartitions(request: Request<typeof DescribeLogDirs>): (topic: string, partition: number) => boolean {
  if (request.topics === null) return () => true
  const wanted = new Map<string, Set<number>>()
  for (const { topic, partitions } of request.topics) {
    const ofTopic = wanted.get(topic) ?? new Set()
    for (const partition of partitions) ofTopic.add(partition)
    wanted.set(topic, ofTopic)
  }
  return (topic, partition) => wanted.get(topic)?.has(partition) === true
}
