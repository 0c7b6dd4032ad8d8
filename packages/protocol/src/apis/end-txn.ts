import { api } from '../schema/api.ts'
import { bool, int16, int32, int64, string } from '../schema/field.ts'

/** Commits or aborts a transaction; since version 5 the answer carries the epoch to go on with (KIP-890). */
export const EndTxn = api({
  key: 26,
  name: 'EndTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64.since(5).default(-1n).ignorable(),
    producerEpoch: int16.since(5).default(-1).ignorable(),
  },
})
