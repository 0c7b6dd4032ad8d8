import { api } from '../schema/api.ts'
import { int16, int32, int64 } from '../schema/field.ts'

/** Reserves a block of producer ids for a broker (KIP-730). */
export const AllocateProducerIds = api({
  key: 67,
  name: 'AllocateProducerIds',
  versions: [0, 0],
  flexible: 0,
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1n),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    producerIdStart: int64,
    producerIdLen: int32,
  },
})
