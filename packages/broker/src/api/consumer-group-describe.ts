/** Groups of the consumer protocol and their members (KIP-848). */
import { ConsumerGroupDescribe, ErrorCode, KafkaError } from '@millrace/protocol'
import {
  undescribedConsumerGroup,
  type DescribedConsumerGroup,
} from '../coordinators/groups/consumer/describe-consumer-group.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askForEach, itself } from '../server/ask-in-turns.ts'
import { GROUP_OPERATIONS } from './authorized-operations.ts'
import { servesConsumerGroups } from './consumer-group-protocol.ts'
import { refusalCode } from './coordinator-refusal.ts'

export const consumerGroupDescribe = handler(ConsumerGroupDescribe, async (request, context) => {
  const { groupIds, includeAuthorizedOperations } = request
  const groups = servesConsumerGroups(context.broker)
    ? await askForEach(groupIds, itself, context.broker.clock, (groupId) => describe(groupId, context))
    : groupIds.map((groupId) => undescribedConsumerGroup(groupId, ErrorCode.UNSUPPORTED_VERSION))
  return {
    throttleTimeMs: 0,
    groups: groups.map((group) =>
      includeAuthorizedOperations && group.errorCode === ErrorCode.NONE
        ? { ...group, authorizedOperations: GROUP_OPERATIONS }
        : group,
    ),
  }
})

async function describe(groupId: string, context: RequestContext): Promise<DescribedConsumerGroup> {
  if (groupId === '') return undescribedConsumerGroup(groupId, ErrorCode.INVALID_GROUP_ID)
  try {
    const { groups } = context.broker.coordinators
    return await groups.read(groupId, (shard) => shard.consumer.describe(groupId))
  } catch (error) {
    const message = error instanceof KafkaError ? error.message : null
    return undescribedConsumerGroup(groupId, refusalCode(error, context), message)
  }
}
