import { api } from '../schema/api.ts'
import { array, bool, int16, int32, string } from '../schema/field.ts'

/** Raises the number of partitions of topics (KIP-195). Throttled since version 3 (KIP-599). */
export const CreatePartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexible: 2,
  request: {
    topics: array({
      name: string,
      /** The new total. */
      count: int32,
      /** Of the new partitions; null lets the controller choose. */
      assignments: array({ brokerIds: array(int32) }).nullable(),
    }),
    timeoutMs: int32,
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32,
    results: array({ name: string, errorCode: int16, errorMessage: string.nullable().default(null) }),
  },
})
