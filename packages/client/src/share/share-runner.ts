/**
 * Hands records of a share group to a handler, several at a time and in no order. Locks are renewed while records are in hand; a record whose
 * lock could not be kept is not begun, and the signal of its handler aborts.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Timer } from '@millrace/runtime'
import type { AcquiredRecord } from './records/acquired-record.ts'
import type { Acknowledgement, ShareRunOptions } from './share-consumer.ts'
import type { ShareReading } from './share-reading.ts'

/** How often locks are looked at, and for how long one must last not to be renewed, as shares of its time. */
const looksPerLock = 6
const renewedBefore = 1 / 2
/** How long handlers without promises may keep the event loop. */
const sliceMs = 10

export interface ShareRunnerOptions<K, V> extends ShareRunOptions<K, V> {
  readonly reading: ShareReading<K, V>
  readonly clock: Clock
  readonly maxPollRecords: number
  readonly handlerFailed: (error: Error) => void
}

export class ShareRunner<K, V> {
  readonly #options: ShareRunnerOptions<K, V>
  readonly #concurrency: number
  /** Begun and not ended, with what tells their handler to stop. */
  readonly #inHand = new Map<AcquiredRecord<K, V>, AbortController>()
  #waiting: AcquiredRecord<K, V>[] = []
  #room: (() => void) | null = null
  #timer: Timer | null = null
  #isRenewing = false
  #isAborted = false
  readonly #idle = Promise.withResolvers<void>()
  /** The brokers cannot. */
  #cannotRenew = false

  constructor(options: ShareRunnerOptions<K, V>) {
    this.#options = options
    this.#concurrency = options.concurrency ?? 1
  }

  /** @throws what ended the consumer. */
  async run(): Promise<void> {
    const { reading, maxPollRecords, signal, clock } = this.#options
    this.#look()
    try {
      for (;;) {
        const batch = await reading.next(maxPollRecords, signal)
        if (batch === null) return
        this.#waiting = [...batch.records]
        let endMs = clock.monotonicMs() + sliceMs
        for (let record = this.#waiting.shift(); record !== undefined; record = this.#waiting.shift()) {
          this.#begin(record)
          while (this.#inHand.size >= this.#concurrency) await this.#roomMade()
          if (signal?.aborted === true) return
          if (clock.monotonicMs() < endMs) continue
          await clock.nextTurn()
          reading.polled()
          endMs = clock.monotonicMs() + sliceMs
        }
      }
    } finally {
      reading.putBack(this.#waiting)
      this.#waiting = []
      while (this.#inHand.size > 0) await this.#roomMade()
      ;(this.#timer as Timer | null)?.cancel()
      this.#idle.resolve()
    }
  }

  /** Asks handlers to stop, because the consumer closes. Resolves when they have. */
  async abort(): Promise<void> {
    this.#isAborted = true
    for (const controller of this.#inHand.values()) controller.abort(closes())
    await this.#idle.promise
  }

  #begin(record: AcquiredRecord<K, V>): void {
    // Somebody else has it by now.
    if (!this.#options.reading.isLocked(record)) return
    const controller = new AbortController()
    let result
    try {
      result = this.#options.eachRecord(record, { signal: controller.signal })
    } catch (error) {
      this.#failed(record, error)
      return
    }
    if (typeof result !== 'object') {
      this.#handled(record, result)
      return
    }
    this.#inHand.set(record, controller)
    // The handler may itself have begun to close.
    if (this.#isAborted) controller.abort(closes())
    Promise.resolve(result).then(
      (outcome) => {
        this.#handled(record, outcome)
        this.#left(record)
      },
      (error: unknown) => {
        this.#failed(record, error)
        this.#left(record)
      },
    )
  }

  #left(record: AcquiredRecord<K, V>): void {
    this.#inHand.delete(record)
    const room = this.#room
    this.#room = null
    room?.()
  }

  #roomMade(): Promise<void> {
    return new Promise((resolve) => {
      this.#room = resolve
    })
  }

  #handled(record: AcquiredRecord<K, V>, outcome: Acknowledgement | void): void {
    try {
      this.#acknowledge(record, outcome ?? 'accept')
    } catch (error) {
      // What it returned is no acknowledgement.
      this.#failed(record, error)
    }
  }

  #failed(record: AcquiredRecord<K, V>, error: unknown): void {
    const { rejects, handlerFailed } = this.#options
    let acknowledgement: Acknowledgement = 'release'
    try {
      if (rejects?.(error) === true) acknowledgement = 'reject'
    } catch (rejectsError) {
      handlerFailed(rejectsError as Error)
    }
    handlerFailed(error instanceof Error ? error : new Error(String(error)))
    this.#acknowledge(record, acknowledgement)
  }

  #acknowledge(record: AcquiredRecord<K, V>, acknowledgement: Acknowledgement): void {
    // The handler may have done it, and close releases what is left.
    if (!record.isAcknowledged) this.#options.reading.acknowledgements.acknowledge(record, acknowledgement)
  }

  #look(): void {
    const { clock, reading } = this.#options
    const lockMs = reading.acknowledgements.lockTimeoutMs ?? 1_000
    this.#timer = clock.after(Math.max(10, lockMs / looksPerLock), () => {
      const nowMs = clock.monotonicMs()
      for (const [record, controller] of this.#inHand)
        if (!reading.isLocked(record)) controller.abort(new DOMException('the lock has ended', 'AbortError'))
      const isDue = (record: AcquiredRecord<K, V>): boolean =>
        reading.isLocked(record) && record.lockedUntilMs - nowMs < lockMs * renewedBefore && !record.isAcknowledged
      const due = [...this.#inHand.keys(), ...this.#waiting].filter(isDue)
      if (due.length > 0 && !this.#isRenewing && !this.#cannotRenew) void this.#renew(due)
      this.#look()
    })
  }

  /** Never rejects: a lock that is not renewed ends, and that is noticed. */
  async #renew(records: readonly AcquiredRecord<K, V>[]): Promise<void> {
    this.#isRenewing = true
    try {
      await this.#options.reading.acknowledgements.renew(records)
    } catch (error) {
      if (error instanceof KafkaError && error.code === ErrorCode.UNSUPPORTED_VERSION) this.#cannotRenew = true
      this.#options.handlerFailed(error as Error)
    } finally {
      this.#isRenewing = false
    }
  }
}

function closes(): Error {
  return new DOMException('the consumer closes', 'AbortError')
}
