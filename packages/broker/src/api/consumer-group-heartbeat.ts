/** Membership, subscription and assignment of the consumer protocol in one call (KIP-848). */
import { ConsumerGroupHeartbeat, ErrorCode, KafkaError } from '@millrace/protocol'
import { loadRegexEngine } from '../coordinators/groups/consumer/regex-engine.ts'
import {
  checkHeartbeatRequest,
  type HeartbeatAnswer,
  type HeartbeatRequest,
} from '../coordinators/groups/consumer/heartbeat-request.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { servesConsumerGroups } from './consumer-group-protocol.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'

export const consumerGroupHeartbeat = handler(ConsumerGroupHeartbeat, async (request, context) => {
  if (!servesConsumerGroups(context.broker)) return refused(ErrorCode.UNSUPPORTED_VERSION)
  try {
    return await heartbeat(request, context)
  } catch (error) {
    const errorCode = refusalCode(error, context)
    return { ...refused(errorCode), errorMessage: error instanceof KafkaError ? error.message : null }
  }
})

async function heartbeat(request: HeartbeatRequest, context: RequestContext): Promise<HeartbeatAnswer> {
  const { groups } = context.broker.coordinators
  checkHeartbeatRequest(request, context.version, groups.assignors)
  const engine = request.subscribedTopicRegex ? await loadRegexEngine() : null
  return groups.write(request.groupId, (shard) => shard.consumer.heartbeat(request, groupClient(context), engine))
}

function refused(errorCode: number): HeartbeatAnswer {
  return { throttleTimeMs: 0, errorCode, memberEpoch: 0, heartbeatIntervalMs: 0 }
}
