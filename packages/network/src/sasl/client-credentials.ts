/** Tokens by the client credentials grant of OAuth 2 (RFC 6749 §4.4, KIP-768), for machines that have an account with the identity provider. */

import { ErrorCode, KafkaError } from '@millrace/protocol'
import { nodeRuntime, postForm } from '@millrace/runtime'
import type { Clock, HttpAnswer } from '@millrace/runtime'
import type { OAuthBearerToken, OAuthBearerTokenProvider } from './credentials.ts'
import { TokenCache } from './token-cache.ts'

/** Kafka's `sasl.login.retry.backoff.ms` and `sasl.login.retry.backoff.max.ms`: the first pause, and the time for all attempts. */
const FIRST_PAUSE_MS = 100
const PATIENCE_MS = 10_000
const MAX_ANSWER_BYTES = 1024 * 1024
/** What may be otherwise next time. All other refusals stay. */
const TRANSIENT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504])

/** Named as Kafka's settings: `sasl.oauthbearer.token.endpoint.url` and so on. */
export interface ClientCredentialsOptions {
  /** http or https. Certificates are checked against the authorities that Node trusts (NODE_EXTRA_CA_CERTS adds some). */
  readonly tokenEndpointUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope?: string
  /** Encodes id and secret as RFC 6749 §2.3.1 wants: `sasl.oauthbearer.header.urlencode`. Default false, as Kafka's. */
  readonly headerUrlencode?: boolean
  /** Sent to the broker along with each token (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * For `sasl.token`. A token serves all connections until 80 percent of its life are over; what fails for the moment is repeated for up to ten
 * seconds. The provider throws KafkaError SASL_AUTHENTICATION_FAILED when it is refused, NETWORK_EXCEPTION when the endpoint cannot be
 * reached. @throws TypeError for options that are none.
 */
export function clientCredentials(options: ClientCredentialsOptions): OAuthBearerTokenProvider {
  if (!/^https?:$/.test(URL.parse(options.tokenEndpointUrl)?.protocol ?? ''))
    throw new TypeError(`tokenEndpointUrl: expected an http or https URL, got ${String(options.tokenEndpointUrl)}`)
  for (const name of ['clientId', 'clientSecret'] as const)
    if (typeof options[name] !== 'string' || options[name].trim() === '')
      throw new TypeError(`${name}: expected a text, got none`)
  const clock = options.clock ?? nodeRuntime().clock
  const tokens = new TokenCache(clock, () => requestPatiently(options, clock))
  return (signal) => tokens.get(signal)
}

async function requestPatiently(options: ClientCredentialsOptions, clock: Clock): Promise<OAuthBearerToken> {
  const deadline = clock.monotonicMs() + PATIENCE_MS
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    try {
      return await request(options, clock, deadline - clock.monotonicMs())
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.retriable || clock.monotonicMs() + pauseMs >= deadline) throw error
    }
    await clock.sleep(pauseMs)
  }
}

async function request(options: ClientCredentialsOptions, clock: Clock, timeoutMs: number): Promise<OAuthBearerToken> {
  const { tokenEndpointUrl, scope, extensions } = options
  const controller = new AbortController()
  const timer = clock.after(timeoutMs, () =>
    controller.abort(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
  )
  let answer: HttpAnswer
  try {
    answer = await postForm(tokenEndpointUrl, {
      fields: { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) },
      headers: { authorization: basicAuthorization(options), 'cache-control': 'no-cache' },
      signal: controller.signal,
      maxBytes: MAX_ANSWER_BYTES,
    })
  } catch (error) {
    const { message, cause } = error as Error
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message
    throw new KafkaError(ErrorCode.NETWORK_EXCEPTION, `${tokenEndpointUrl}: ${why}`, { cause: error })
  } finally {
    timer.cancel()
  }
  return { ...tokenIn(tokenEndpointUrl, answer, clock.now()), ...(extensions === undefined ? {} : { extensions }) }
}

function basicAuthorization({ clientId, clientSecret, headerUrlencode = false }: ClientCredentialsOptions): string {
  const pair = [clientId.trim(), clientSecret.trim()].map((text) => (headerUrlencode ? formEncoded(text) : text))
  return `Basic ${Buffer.from(pair.join(':'), 'utf8').toString('base64')}`
}

/** As a value in a form: a blank becomes a plus sign. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

/** RFC 6749 §5. No message shows what an answer that is no refusal holds: there may be a token in it. */
function tokenIn(url: string, { status, body }: HttpAnswer, nowMs: number): OAuthBearerToken {
  if (status !== 200 && status !== 201) {
    const code = TRANSIENT_STATUSES.has(status) ? ErrorCode.NETWORK_EXCEPTION : ErrorCode.SASL_AUTHENTICATION_FAILED
    throw new KafkaError(code, `${url}: the token endpoint answered with status ${status}: ${body.slice(0, 500)}`)
  }
  const answer = parsed(body)
  const value = answer?.['access_token'] ?? answer?.['id_token']
  if (typeof value !== 'string' || value.trim() === '') {
    throw new KafkaError(
      ErrorCode.SASL_AUTHENTICATION_FAILED,
      `${url}: expected JSON with an access_token from the token endpoint, got ${body.length} bytes without`,
    )
  }
  const token = value.trim()
  const expiresIn = answer!['expires_in']
  const expiresAt = expiryOf(token) ?? (typeof expiresIn === 'number' ? nowMs + expiresIn * 1000 : null)
  return expiresAt === null ? { value: token } : { value: token, expiresAt }
}

/** The `exp` of a JWT in milliseconds; null of other tokens. */
function expiryOf(token: string): number | null {
  const claims = parsed(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
  return typeof claims?.['exp'] === 'number' ? claims['exp'] * 1000 : null
}

function parsed(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}
