/** OAuth tokens in the thread of the hearts, which cannot call the application's provider: they come ahead of time, as messages. */
import type { OAuthBearerToken } from '@millrace/network'
import type { Clock } from '@millrace/runtime'
import { abortable } from '../../cluster/connections.ts'

/** A token that ends so soon is of no use for another connection. */
const LEAST_LIFE_MS = 1000

export class TokenInbox {
  readonly #clock: Pick<Clock, 'now'>
  readonly #want: () => void
  #token: OAuthBearerToken | null = null
  #next = Promise.withResolvers<OAuthBearerToken>()

  /** `want` asks for a new token, which `put` brings. */
  constructor(clock: Pick<Clock, 'now'>, want: () => void) {
    this.#clock = clock
    this.#want = want
  }

  put(token: OAuthBearerToken): void {
    this.#token = token
    this.#next.resolve(token)
    this.#next = Promise.withResolvers()
  }

  /** The newest, without waiting if it lives; the next is asked for in any case. */
  async take(signal: AbortSignal): Promise<OAuthBearerToken> {
    const token = this.#token
    const next = this.#next.promise
    this.#want()
    if (token !== null && (token.expiresAt ?? Infinity) > this.#clock.now() + LEAST_LIFE_MS) return token
    return await abortable(next, signal)
  }
}
