/** The exchange for given credentials, its token fetched if it needs one. */

import { ErrorCode, KafkaError, oauthBearerExchange, plainExchange, scramExchange } from '@millrace/protocol'
import type { SaslExchange } from '@millrace/protocol'
import type { Clock, Random } from '@millrace/runtime'
import type { OAuthBearerToken, OAuthBearerTokenProvider, SaslCredentials } from './credentials.ts'

export interface BeginExchangeOptions {
  readonly credentials: SaslCredentials
  readonly clock: Clock
  readonly random: Random
  /** How long a token may take. */
  readonly timeoutMs: number
  /** Nobody waits any more. */
  readonly signal: AbortSignal
}

/** @throws TypeError for credentials that are none; KafkaError when no token is to be had; the signal's reason. */
export async function beginExchange(options: BeginExchangeOptions): Promise<SaslExchange> {
  const { credentials } = options
  switch (credentials.mechanism) {
    case 'PLAIN':
      return plainExchange(namedUser(credentials))
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      return scramExchange({
        ...namedUser(credentials),
        hash: credentials.mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512',
        delegationToken: credentials.delegationToken ?? false,
        random: options.random,
      })
    case 'OAUTHBEARER': {
      const { value, extensions = {} } = await fetchToken(credentials.token, options)
      return oauthBearerExchange({ token: value, extensions })
    }
    default: {
      const { mechanism } = credentials as { readonly mechanism: unknown }
      throw new TypeError(
        `sasl.mechanism: expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, got ${String(mechanism)}`,
      )
    }
  }
}

/** Settings that come from the environment are easily missing. */
function namedUser(user: { readonly username: unknown; readonly password: unknown }): {
  readonly username: string
  readonly password: string
} {
  const { username, password } = user
  for (const [name, value] of Object.entries({ username, password }))
    if (typeof value !== 'string' || value === '') throw new TypeError(`sasl.${name}: expected a text, got none`)
  return { username: username as string, password: password as string }
}

async function fetchToken(
  provider: OAuthBearerTokenProvider,
  { clock, timeoutMs, signal }: BeginExchangeOptions,
): Promise<OAuthBearerToken> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = clock.after(timeoutMs, () =>
    controller.abort(
      new KafkaError(ErrorCode.REQUEST_TIMED_OUT, `sasl.token gave no OAUTHBEARER token within ${timeoutMs} ms`),
    ),
  )
  const aborted = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true })
  })
  try {
    const token: OAuthBearerToken | undefined = await Promise.race([callProvider(provider, controller.signal), aborted])
    if (typeof token?.value !== 'string')
      throw new TypeError(`expected { value: <the token> }, got ${token === undefined ? 'nothing' : typeof token}`)
    return token
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason
    if (error instanceof KafkaError) throw error
    const message = `sasl.token gave no OAUTHBEARER token: ${error instanceof Error ? error.message : String(error)}`
    throw new KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, message, { cause: error })
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

/** A provider may also throw at once. */
async function callProvider(provider: OAuthBearerTokenProvider, signal: AbortSignal): Promise<OAuthBearerToken> {
  return provider(signal)
}
