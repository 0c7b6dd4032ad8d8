import { api } from '../schema/api.ts'
import { int16, int32, int64, string } from '../schema/field.ts'

/**
 * Gives a producer its id and epoch, and fences older producers of the same transactional id (KIP-98).
 * A producer may bump its own epoch since version 3 (KIP-360), fencing has a code of its own since 4 (KIP-588). Version 6
 * (two-phase commit, KIP-939) is not stable in Kafka and left out.
 */
export const InitProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexible: 2,
  request: {
    /** Null for a producer that is idempotent only. */
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.since(3).default(-1n),
    producerEpoch: int16.since(3).default(-1),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64.default(-1n),
    producerEpoch: int16,
  },
})
