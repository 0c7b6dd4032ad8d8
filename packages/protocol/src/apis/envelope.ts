import { api } from '../schema/api.ts'
import { bytes, int16 } from '../schema/field.ts'

/** Wraps a request that a broker forwards to the controller, with the principal of the client (KIP-590). */
export const Envelope = api({
  key: 58,
  name: 'Envelope',
  versions: [0, 0],
  flexible: 0,
  request: {
    requestData: bytes,
    requestPrincipal: bytes.nullable(),
    clientHostAddress: bytes,
  },
  response: {
    responseData: bytes.nullable().default(null),
    errorCode: int16,
  },
})
