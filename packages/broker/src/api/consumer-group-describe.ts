/** Groups of the consumer protocol and their members (KIP-848). */
import { ConsumerGroupDescribe } from '@millrace/protocol'
import { undescribedConsumerGroup } from '../coordinators/groups/consumer/describe-consumer-group.ts'
import { handler } from '../server/handler.ts'
import { servesConsumerGroups } from './consumer-group-protocol.ts'
import { describeEachGroup } from './describe-each-group.ts'

export const consumerGroupDescribe = handler(ConsumerGroupDescribe, async (request, context) => ({
  throttleTimeMs: 0,
  groups: await describeEachGroup(request, context, {
    areServed: servesConsumerGroups(context.broker),
    describe: ({ consumer }, groupId) => consumer.describe(groupId),
    undescribed: undescribedConsumerGroup,
  }),
}))
