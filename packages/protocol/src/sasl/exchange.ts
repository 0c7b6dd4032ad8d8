import { ErrorCode, KafkaError } from '../errors.ts'

/**
 * The client's side of a SASL exchange, without the way the tokens take: yields a token to send, is given the broker's answer to it, and
 * returns when it has nothing more to say and the broker has proved what the mechanism wants proved. Begins by `next()`.
 * @throws KafkaError SASL_AUTHENTICATION_FAILED
 */
export type SaslExchange = AsyncGenerator<Uint8Array, void, Uint8Array>

export function authenticationFailed(message: string): KafkaError {
  return new KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, message)
}
