/**
 * The way to one broker, as the leader of partitions: one request at a time, as the share session wants it. Acknowledgements that are to go now come
 * first; fetches take along those that can wait.
 */
import { WaitingAcknowledgements } from '../acknowledgements/waiting-acknowledgements.ts'
import { backoffMs } from '../../cluster/backoff.ts'
import type { Acquisition } from '../records/acquisition.ts'
import { exchangeAcknowledgements } from './acknowledge-exchange.ts'
import type { BrokerLink, LinkOptions } from './broker-link.ts'
import { exchangeFetch, type WantedPartitions } from './fetch-exchange.ts'
import type { FetchTurns, TurnTaker } from './fetch-turns.ts'
import { sessionGone, ShareSession } from './share-session.ts'

export interface ShareLeaderOptions extends LinkOptions {
  readonly nodeId: number
  /** Null: it may be fetched from at any time. */
  readonly turns: FetchTurns | null
}

export class ShareLeader implements TurnTaker {
  /** What is said of records that were acquired here. */
  readonly acknowledgements: WaitingAcknowledgements
  readonly #turns: FetchTurns | null
  readonly #session = new ShareSession()
  readonly #ending = new AbortController()
  readonly #link: BrokerLink
  #wanted: WantedPartitions = new Map()
  #failures = 0
  #work: Promise<void> | null = null
  /** Ends in the same turn as the work has found that there is none. */
  #isWorking = false
  #isClosing = false

  constructor({ turns, ...options }: ShareLeaderOptions) {
    const { cluster, outcomes, settings } = options
    this.#turns = turns
    this.acknowledgements = new WaitingAcknowledgements({
      clock: cluster.world.clock,
      isHeld: (acquisition) => this.holds(acquisition),
      timeoutMs: settings.defaultApiTimeoutMs,
      outcomes,
      onUrgent: () => this.wake(),
    })
    const isClosing = (): boolean => this.#isClosing
    this.#link = {
      ...options,
      session: this.#session,
      acknowledgements: this.acknowledgements,
      signal: this.#ending.signal,
      get isClosing() {
        return isClosing()
      },
    }
  }

  get wantsAny(): boolean {
    return this.#wanted.size > 0
  }

  want(partitions: WantedPartitions): void {
    this.#wanted = partitions
    this.wake()
  }

  /** Whether the session goes on in which this was acquired, as far as is known. */
  holds({ sessionLife }: Acquisition): boolean {
    return sessionLife === this.#session.life && !this.#ending.signal.aborted
  }

  /** Something has changed that may have to be sent. */
  wake(): void {
    if (this.#isWorking || this.#isClosing) return
    this.#isWorking = true
    this.#work = this.#doWork()
  }

  /** Sends what is to be acknowledged, and has everything else released. Never throws. */
  async close(signal: AbortSignal): Promise<void> {
    this.#isClosing = true
    this.acknowledgements.end()
    const stop = (): void => this.#ending.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await this.#work
      if (!this.#session.isNew && !this.#ending.signal.aborted) await exchangeAcknowledgements(this.#link, true)
    } finally {
      signal.removeEventListener('abort', stop)
      this.#end('the consumer is closed')
    }
  }

  /** The broker is no longer among the cluster's. */
  abandon(): void {
    this.#end(`broker ${this.#link.nodeId} is gone`)
  }

  #end(reason: string): void {
    this.#isClosing = true
    this.acknowledgements.end()
    this.#ending.abort(new Error(reason))
    this.acknowledgements.lose(sessionGone(this.#link.nodeId))
  }

  /** Never rejects. */
  async #doWork(): Promise<void> {
    // What else this turn brings goes along.
    await Promise.resolve()
    const { cluster, settings } = this.#link
    const { clock, random } = cluster.world
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = settings
    try {
      while (!this.#isClosing) {
        const exchange = this.#nextExchange()
        if (exchange === null) return
        const mayGoOn = await exchange
        this.#failures = mayGoOn ? 0 : this.#failures + 1
        if (!mayGoOn) await clock.sleep(backoffMs(this.#failures, { initialMs, maxMs, random }), this.#ending.signal)
      }
    } catch (error) {
      // The pause was cut short by the end.
      if (!this.#ending.signal.aborted) this.#link.receiver.failed(error as Error)
    } finally {
      this.#isWorking = false
    }
  }

  /** Null: nothing is to be sent. Resolves with whether another request may follow without a pause. */
  #nextExchange(): Promise<boolean> | null {
    const isFetchWanted = this.#link.receiver.demand > 0 && this.wantsAny
    // To a broker a fetch that names a partition is to read from it, whatever else it says.
    const mustGoAlone = isFetchWanted && !this.acknowledgements.areWithin(this.#wanted)
    if (this.acknowledgements.isUrgent || mustGoAlone) return exchangeAcknowledgements(this.#link, false)
    if (isFetchWanted && (this.#turns?.begin(this) ?? true)) return this.#fetch()
    return null
  }

  async #fetch(): Promise<boolean> {
    try {
      return await exchangeFetch(this.#link, this.#wanted)
    } finally {
      this.#turns?.end(this)
    }
  }
}
