/** Fetches OAuth tokens from the application's provider ahead of time, for the thread of the hearts, which may need one while the loop is busy. */
import type { OAuthBearerToken, OAuthBearerTokenProvider } from '@millrace/network'
import type { Logger, Timer } from '@millrace/runtime'
import type { World } from '../../world.ts'

/** A new one is fetched when so much of the life of the last is over. As Kafka's `sasl.login.refresh.window.factor`. */
const REFRESH_AT = 0.8
const LEAST_PAUSE_MS = 1000
const PAUSE_AFTER_FAILURE_MS = 10_000

export interface TokenSupplyOptions {
  readonly world: World
  readonly logger: Logger
  readonly provider: OAuthBearerTokenProvider
  readonly put: (token: OAuthBearerToken) => void
}

/** Invariant: at most one token is being fetched. */
export class TokenSupply implements Disposable {
  readonly #options: TokenSupplyOptions
  readonly #closing = new AbortController()
  #isFetching = false
  #timer: Timer | null = null

  constructor(options: TokenSupplyOptions) {
    this.#options = options
    this.fetch()
  }

  fetch(): void {
    if (this.#isFetching || this.#closing.signal.aborted) return
    this.#isFetching = true
    void this.#fetch()
  }

  [Symbol.dispose](): void {
    this.#closing.abort(new Error('the client is closed'))
    this.#timer?.cancel()
  }

  async #fetch(): Promise<void> {
    const { provider, put, world, logger } = this.#options
    let pauseMs: number | null
    try {
      const token = await provider(this.#closing.signal)
      put(token)
      const lifeMs = token.expiresAt === undefined ? null : token.expiresAt - world.clock.now()
      pauseMs = lifeMs === null ? null : Math.max(LEAST_PAUSE_MS, lifeMs * REFRESH_AT)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      logger.warn('no token could be had for the thread of the heartbeats', { error })
      pauseMs = PAUSE_AFTER_FAILURE_MS
    }
    this.#isFetching = false
    this.#timer?.cancel()
    if (pauseMs !== null && !this.#closing.signal.aborted) this.#timer = world.clock.after(pauseMs, () => this.fetch())
  }
}
