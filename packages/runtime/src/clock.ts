/**
 * Time as the rest of the house sees it. Nothing outside this package reads the system clock or sets a system timer,
 * so that a whole cluster can run under a simulated one.
 */

/** A pending timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall-clock time in milliseconds since the epoch; may jump in either direction. For record timestamps and retention. */
  now(): number

  /** Milliseconds since an arbitrary start, with fractions; never goes back. For deadlines and durations. */
  monotonicMs(): number

  /**
   * Calls `callback` once, `delayMs` (≥ 0) or up to one tick (10 ms, unless the clock was made finer) later, never earlier. Cheap enough for one per request:
   * all timers share one wheel. A pending timer does not keep the process alive.
   */
  after(delayMs: number, callback: () => void): Timer

  /**
   * Calls `callback` once when what arrived in this turn of the event loop has been handled: the place to write what was
   * gathered during the turn. In the order of the calls.
   */
  endOfTurn(callback: () => void): void

  /** Resolves in the next turn of the event loop: what has arrived meanwhile is handled first. For long work to pause between its slices. */
  nextTurn(): Promise<void>

  /** Resolves after `delayMs` as `after`; rejects with the signal's reason when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>

  /** Keeps the process alive until disposed: for what somebody waits for while only timers are pending. */
  holdProcess(): Disposable
}
