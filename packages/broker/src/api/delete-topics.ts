/**
 * Deletes topics by name, from version 6 also by id (KIP-516), each on its own; their names are free again at once. The answer has one entry
 * for each name and id, in the order of the request.
 */
import { DeleteTopics, ErrorCode, KafkaError, ZERO_UUID, type ResponseInput } from '@millrace/protocol'
import type { TopicSelector } from '../controller/delete-topics.ts'
import { handler } from '../server/handler.ts'

type TopicAnswer = ResponseInput<typeof DeleteTopics>['responses'][number]

export const deleteTopics = handler(DeleteTopics, async (request, context) => {
  const { broker, version } = context
  const selectors: readonly TopicSelector[] =
    version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
  try {
    if (!broker.config.get('delete.topic.enable')) throw deletionDisabled(version)
    const responses = await broker.controller.deleteTopics(selectors, { timeoutMs: request.timeoutMs })
    return { throttleTimeMs: 0, responses }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    const { code, message } = error
    const responses = selectors.map(({ name, topicId }): TopicAnswer => ({
      // Before version 6 there is always a name.
      name,
      topicId,
      errorCode: code,
      errorMessage: message,
    }))
    return { throttleTimeMs: 0, responses }
  }
})

/** Clients before version 3 do not know the code for it. */
function deletionDisabled(version: number): KafkaError {
  return version < 3
    ? new KafkaError(ErrorCode.INVALID_REQUEST, 'This version does not support topic deletion.')
    : new KafkaError(ErrorCode.TOPIC_DELETION_DISABLED)
}
