/**
 * Authenticates a connection again before its session ends (KIP-368), for as long as it lives. What was sent before gets its answers
 * first, and what is sent meanwhile waits: the broker wants nothing else between the messages of an authentication. A token is fetched
 * before anything has to wait for it.
 */

import type { Clock, Random } from '@millrace/runtime'
import type { BrokerConnection } from '../broker-connection.ts'
import { nameOf, networkFailure } from '../failures.ts'
import { authenticate } from './authenticate.ts'
import { beginExchange } from './begin-exchange.ts'
import type { SaslCredentials } from './credentials.ts'

/** Of a session's lifetime, when to begin: at 85 to 95 percent, so that not all connections do at once. */
const EARLIEST_SHARE = 0.85
const JITTER_SHARE = 0.1
/** Brokers refuse it within a second after the last time. */
const MIN_INTERVAL_MS = 1_100

export interface KeepAuthenticatedOptions {
  readonly credentials: SaslCredentials
  readonly clock: Clock
  readonly random: Random
  /** For a token, and again for an authentication. */
  readonly timeoutMs: number
  /** Of the session that has just begun. */
  readonly lifetimeMs: number
}

/**
 * Returns at once. When it fails the connection ends, and its requests fail as if it had broken: worth another try, on a new connection, whose
 * authentication tells whether the broker really wants us no more.
 */
export function keepAuthenticated(broker: BrokerConnection, options: KeepAuthenticatedOptions): void {
  const gone = new AbortController()
  void broker.closed.then(() => gone.abort())
  repeat(broker, options, gone.signal).catch((error: unknown) => {
    const name = nameOf(broker.remoteAddress)
    const why = error instanceof Error ? error.message : String(error)
    broker.fail(networkFailure(`${name}: the connection ends, as re-authentication failed: ${why}`, error))
  })
}

async function repeat(broker: BrokerConnection, options: KeepAuthenticatedOptions, signal: AbortSignal): Promise<void> {
  const { credentials, clock, random, timeoutMs } = options
  let lifetimeMs: number | null = options.lifetimeMs
  while (lifetimeMs !== null) {
    const share = EARLIEST_SHARE + JITTER_SHARE * random.next()
    await clock.sleep(Math.max(MIN_INTERVAL_MS, lifetimeMs * share), signal)
    const exchange = await beginExchange({ credentials, clock, random, timeoutMs, signal })
    await broker.holdBack()
    const deadline = clock.monotonicMs() + timeoutMs
    const timeLeftMs = (): number => Math.max(0, deadline - clock.monotonicMs())
    lifetimeMs = await authenticate(broker, exchange, { credentials, timeLeftMs })
    broker.sendHeld()
  }
}
