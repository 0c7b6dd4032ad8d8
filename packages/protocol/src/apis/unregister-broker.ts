import { api } from '../schema/api.ts'
import { int16, int32, string } from '../schema/field.ts'

/** Removes the registration of a broker (KIP-631). */
export const UnregisterBroker = api({
  key: 64,
  name: 'UnregisterBroker',
  versions: [0, 0],
  flexible: 0,
  request: {
    brokerId: int32,
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
  },
})
