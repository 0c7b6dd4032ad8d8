/** Where share groups begin to read (KIP-932); with their lag since version 1 (KIP-1226). */
import { DescribeShareGroupOffsets, ErrorCode, KafkaError } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { askForEach } from '../server/ask-in-turns.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { servesShareGroups } from './share-group-protocol.ts'

export const describeShareGroupOffsets = handler(DescribeShareGroupOffsets, async (request, context) => ({
  throttleTimeMs: 0,
  groups: await askForEach(
    request.groups,
    ({ groupId }) => groupId,
    context.broker.clock,
    async (group) => {
      const { groupId } = group
      if (!servesShareGroups(context.broker)) return { groupId, topics: [], errorCode: ErrorCode.UNSUPPORTED_VERSION }
      try {
        return await context.broker.shareGroups.describeOffsets(group)
      } catch (error) {
        const errorMessage = error instanceof KafkaError ? error.message : null
        return { groupId, topics: [], errorCode: refusalCode(error, context), errorMessage }
      }
    },
  ),
}))
