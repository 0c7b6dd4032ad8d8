import { api } from '../schema/api.ts'
import { int16, int32, string } from '../schema/field.ts'

/**
 * Keeps a member of a classic group alive, and tells it when to join again. Static members since version 3 (KIP-345).
 */
export const Heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexible: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.since(3).nullable().default(null),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
  },
})
