import { api } from '../schema/api.ts'
import { array, int16, string } from '../schema/field.ts'

/**
 * Chooses the SASL mechanism. Tokens follow as bare frames after version 0, inside SaslAuthenticate after 1 (KIP-152).
 */
export const SaslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  flexible: null,
  request: {
    mechanism: string,
  },
  response: {
    errorCode: int16,
    mechanisms: array(string),
  },
})
