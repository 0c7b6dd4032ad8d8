/**
 * The requests of a connection that wait for their answers, by correlation id.
 *
 * Invariant: an id is not given out again while a request has it, also one whose time is over: the answer may still come, and must not be taken
 * for another's. One timer serves all of them: a request that is answered in time sets none.
 */

import { strict as assert } from 'node:assert'
import type { Api } from '@millrace/protocol'
import type { Clock, Timer } from '@millrace/runtime'

/** Sums of fractions of milliseconds differ in their last bits. */
const ROUNDING_MS = 0.001
/** A timer so late tells that something kept the event loop busy. */
const LATE_MS = 50

export interface PendingRequest {
  readonly correlationId: number
  readonly api: Api
  readonly version: number
  readonly timeoutMs: number
  /** On the monotonic clock. */
  readonly deadlineMs: number
  /** Gets the answer: its frame if wanted, else what was decoded from it. */
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
  readonly wantsFrame: boolean
  /** Its caller has been told that no answer came in time. */
  isExpired: boolean
  /** It has not been sent yet. */
  isHeld: boolean
}

type InFlightClock = Pick<Clock, 'monotonicMs' | 'after' | 'nextTurn'>

export class InFlight {
  readonly #clock: InFlightClock
  readonly #onExpired: (request: PendingRequest) => void
  readonly #byId = new Map<number, PendingRequest>()
  #nextId = 0
  #timer: Timer | null = null
  /** When the timer fires; Infinity without one. Never later than the earliest deadline. */
  #wakeMs = Infinity

  constructor(clock: InFlightClock, onExpired: (request: PendingRequest) => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  /** Requests that have an id. */
  get size(): number {
    return this.#byId.size
  }

  /** Those that were sent and may still be answered in time. */
  get awaited(): number {
    let count = 0
    for (const { isExpired, isHeld } of this.#byId.values()) if (!isExpired && !isHeld) count++
    return count
  }

  /** From 0 up; after 2^31 - 1 negative ones follow, as on the wire it is an int32. Those still in use are passed over. */
  newId(): number {
    let id = this.#nextId
    while (this.#byId.has(id)) id = (id + 1) | 0
    this.#nextId = (id + 1) | 0
    return id
  }

  set nextId(id: number) {
    assert(id === (id | 0))
    this.#nextId = id
  }

  add(request: PendingRequest): void {
    this.#byId.set(request.correlationId, request)
    if (request.deadlineMs < this.#wakeMs) this.#arm(request.deadlineMs, request.timeoutMs)
  }

  /** Takes it out; undefined when none has this id. */
  take(correlationId: number): PendingRequest | undefined {
    const request = this.#byId.get(correlationId)
    if (request !== undefined) this.#byId.delete(correlationId)
    return request
  }

  /** Takes all out, and forgets the deadlines. */
  takeAll(): PendingRequest[] {
    const requests = [...this.#byId.values()]
    this.#byId.clear()
    this.#timer?.cancel()
    this.#timer = null
    return requests
  }

  #arm(atMs: number, delayMs: number): void {
    this.#timer?.cancel()
    this.#wakeMs = atMs
    this.#timer = this.#clock.after(delayMs, this.#wake)
  }

  /**
   * Timers come before what has arrived: after a long computation answers that lie in the socket are read first, lest they be taken for
   * missing.
   */
  readonly #wake = (): void => {
    const isLate = this.#clock.monotonicMs() > this.#wakeMs + LATE_MS
    this.#timer = null
    this.#wakeMs = Infinity
    if (isLate) void this.#clock.nextTurn().then(() => this.#expire())
    else this.#expire()
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs()
    const expired: PendingRequest[] = []
    let earliestMs = Infinity
    for (const request of this.#byId.values()) {
      if (request.isExpired) continue
      if (request.deadlineMs <= nowMs + ROUNDING_MS) expired.push(request)
      else earliestMs = Math.min(earliestMs, request.deadlineMs)
    }
    if (earliestMs < this.#wakeMs) this.#arm(earliestMs, earliestMs - nowMs)
    for (const request of expired) {
      // What was told of the one before may have ended the connection, and with it all others.
      if (this.#byId.get(request.correlationId) !== request) continue
      request.isExpired = true
      if (request.isHeld) this.#byId.delete(request.correlationId)
      this.#onExpired(request)
    }
  }
}
