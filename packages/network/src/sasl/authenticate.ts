/**
 * Authenticates a connection by SASL: SaslHandshake chooses the mechanism, then its tokens go to and fro, inside SaslAuthenticate (KIP-152), or
 * bare with brokers before 1.0.
 */

import { ErrorCode, errorName, KafkaError, SaslAuthenticate, SaslHandshake } from '@millrace/protocol'
import type { SaslExchange } from '@millrace/protocol'
import type { BrokerConnection } from '../broker-connection.ts'
import { nameOf } from '../failures.ts'
import type { SaslCredentials } from './credentials.ts'

export interface AuthenticateOptions {
  readonly credentials: SaslCredentials
  /** Tells how much is left of the time for all of it. */
  readonly timeLeftMs: () => number
}

/**
 * Resolves with the milliseconds after which the broker wants it again (KIP-368), null when never.
 * @throws KafkaError SASL_AUTHENTICATION_FAILED, UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, or what the connection throws.
 */
export async function authenticate(
  broker: BrokerConnection,
  exchange: SaslExchange,
  { credentials, timeLeftMs }: AuthenticateOptions,
): Promise<number | null> {
  const asWhom = 'username' in credentials ? ` as ${JSON.stringify(credentials.username)}` : ''
  const what = `${nameOf(broker.remoteAddress)}: authentication${asWhom} by ${credentials.mechanism} failed`
  const inRequests =
    broker.versions.rangeOf(SaslAuthenticate.key) !== null &&
    broker.versionOf(SaslHandshake) === SaslHandshake.versions[1]
  await shakeHands(broker, credentials.mechanism, { version: inRequests ? 1 : 0, timeoutMs: timeLeftMs() })

  let lifetimeMs: number | null = null
  const sendInRequest = async (token: Uint8Array): Promise<Uint8Array> => {
    const options = { timeoutMs: timeLeftMs(), passesHeld: true }
    const answer = await broker.send(SaslAuthenticate, { authBytes: token }, options)
    if (answer.errorCode !== ErrorCode.NONE)
      throw new KafkaError(answer.errorCode, `${what}: ${answer.errorMessage ?? errorName(answer.errorCode)}`)
    if (answer.sessionLifetimeMs > 0n) lifetimeMs = Number(answer.sessionLifetimeMs)
    return answer.authBytes
  }
  const send = inRequests
    ? sendInRequest
    : (token: Uint8Array): Promise<Uint8Array> => broker.exchangeToken(token, timeLeftMs())

  let step = await next(what, exchange)
  while (step.done !== true) step = await next(what, exchange, await send(step.value))
  return lifetimeMs
}

async function shakeHands(
  broker: BrokerConnection,
  mechanism: string,
  options: { readonly version: number; readonly timeoutMs: number },
): Promise<void> {
  const name = nameOf(broker.remoteAddress)
  const { errorCode, mechanisms } = await broker.send(SaslHandshake, { mechanism }, { ...options, passesHeld: true })
  if (errorCode === ErrorCode.NONE) return
  if (errorCode === ErrorCode.UNSUPPORTED_SASL_MECHANISM) {
    throw new KafkaError(
      errorCode,
      `${name}: the broker does not offer the SASL mechanism ${mechanism}, but ${mechanisms.join(', ') || 'none'}. Set sasl.mechanism accordingly, or sasl.enabled.mechanisms on the broker`,
    )
  }
  if (errorCode === ErrorCode.ILLEGAL_SASL_STATE) {
    throw new KafkaError(
      errorCode,
      `${name}: this port does not ask for SASL. Leave out sasl, or connect to a port whose listener is SASL_PLAINTEXT or SASL_SSL`,
    )
  }
  throw new KafkaError(errorCode, `${name}: the broker refused the SASL handshake: ${errorName(errorCode)}`)
}

/** What the mechanism itself finds wrong is told with the broker's name. */
async function next(
  what: string,
  exchange: SaslExchange,
  ...answer: [] | [Uint8Array]
): Promise<IteratorResult<Uint8Array, void>> {
  try {
    return await exchange.next(...answer)
  } catch (error) {
    throw new KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, `${what}: ${(error as Error).message}`, { cause: error })
  }
}
