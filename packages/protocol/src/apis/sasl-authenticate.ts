import { api } from '../schema/api.ts'
import { bytes, int16, int64, string } from '../schema/field.ts'

/** Carries the tokens of a SASL exchange (KIP-152). How long the session lasts since version 1 (KIP-368). */
export const SaslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: [0, 2],
  flexible: 2,
  request: {
    authBytes: bytes,
  },
  response: {
    errorCode: int16,
    errorMessage: string.nullable(),
    authBytes: bytes,
    sessionLifetimeMs: int64.since(1).ignorable(),
  },
})
