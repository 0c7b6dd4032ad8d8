import { api } from '../schema/api.ts'
import { array, int16, int32, int64, string } from '../schema/field.ts'

/**
 * Lists transactions of this coordinator (KIP-664). Filtered by duration since version 1 (KIP-994) and by a pattern of
 * transactional ids since 2 (KIP-1152).
 */
export const ListTransactions = api({
  key: 66,
  name: 'ListTransactions',
  versions: [0, 2],
  flexible: 0,
  request: {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.since(1).default(-1n),
    transactionalIdPattern: string.since(2).nullable().default(null),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array({ transactionalId: string, producerId: int64, transactionState: string }),
  },
})
