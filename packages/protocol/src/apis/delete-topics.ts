import { api } from '../schema/api.ts'
import { array, int16, int32, string, uuid } from '../schema/field.ts'

/** Deletes topics; by id since version 6 (KIP-516). Throttled since 5 (KIP-599). */
export const DeleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: [0, 6],
  flexible: 4,
  request: {
    topics: array({ name: string.nullable().default(null), topicId: uuid }).since(6),
    topicNames: array(string).upTo(5).ignorable(),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    responses: array({
      name: string.nullable(6),
      topicId: uuid.since(6).ignorable(),
      errorCode: int16,
      errorMessage: string.since(5).nullable().default(null).ignorable(),
    }),
  },
})
