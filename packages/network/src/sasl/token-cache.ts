import type { Clock } from '@millrace/runtime'
import type { OAuthBearerToken } from './credentials.ts'

/** Of a token's life, when it is renewed: Kafka's `sasl.login.refresh.window.factor`. */
const RENEW_AT_SHARE = 0.8

/** One token for all connections: fetched once, however many ask, and again when most of its life is over. */
export class TokenCache {
  readonly #clock: Clock
  readonly #fetch: () => Promise<OAuthBearerToken>
  #token: OAuthBearerToken | null = null
  /** On the monotonic clock. */
  #renewAtMs = 0
  #endsAtMs = 0
  #fetching: Promise<OAuthBearerToken> | null = null

  /** `fetch` has an end of its own. A token without `expiresAt` is used once. */
  constructor(clock: Clock, fetch: () => Promise<OAuthBearerToken>) {
    this.#clock = clock
    this.#fetch = fetch
  }

  /** @throws what fetching throws, when no token is left that is still good; the signal's reason. */
  async get(signal: AbortSignal): Promise<OAuthBearerToken> {
    const token = this.#token
    if (token !== null && this.#clock.monotonicMs() < this.#renewAtMs) return token
    this.#fetching ??= this.#renew()
    try {
      return await abortable(this.#fetching, signal)
    } catch (error) {
      if (token !== null && !signal.aborted && this.#clock.monotonicMs() < this.#endsAtMs) return token
      throw error
    }
  }

  async #renew(): Promise<OAuthBearerToken> {
    try {
      const token = await this.#fetch()
      const lifetimeMs = token.expiresAt === undefined ? 0 : token.expiresAt - this.#clock.now()
      const nowMs = this.#clock.monotonicMs()
      this.#renewAtMs = nowMs + lifetimeMs * RENEW_AT_SHARE
      this.#endsAtMs = nowMs + lifetimeMs
      this.#token = token
      return token
    } finally {
      this.#fetching = null
    }
  }
}

/** As `promise`, but no longer than `signal` lets. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
