/** Forgets what a share group without members has read of topics (KIP-932). */
import {
  DeleteShareGroupOffsets,
  defaultErrorMessage,
  ErrorCode,
  KafkaError,
  type ResponseInput,
} from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { servesShareGroups } from './share-group-protocol.ts'

type Answer = ResponseInput<typeof DeleteShareGroupOffsets>

export const deleteShareGroupOffsets = handler(DeleteShareGroupOffsets, async ({ groupId, topics }, context) => {
  if (!servesShareGroups(context.broker)) return refused(ErrorCode.UNSUPPORTED_VERSION, null)
  if (groupId === '') return refused(ErrorCode.INVALID_GROUP_ID, defaultErrorMessage(ErrorCode.INVALID_GROUP_ID))
  try {
    const responses = await context.broker.shareGroups.deleteOffsets(groupId, topics)
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, responses }
  } catch (error) {
    return refused(refusalCode(error, context), error instanceof KafkaError ? error.message : null)
  }
})

function refused(errorCode: number, errorMessage: string | null): Answer {
  return { throttleTimeMs: 0, errorCode, errorMessage, responses: [] }
}
