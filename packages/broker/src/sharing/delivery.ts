/**
 * Where one record stands, or a batch of records that stand alike.
 *
 * A change that has to be persisted first is visible at once and settled later (`begin`, `settle`): meanwhile nothing else may change the
 * records, and if it could not be persisted they are what they were before, except that a lock which has run out meanwhile is not
 * given back.
 */
import { isTerminal, RecordState } from './record-state.ts'

interface Before {
  readonly state: RecordState
  readonly memberId: string | null
}

export interface DeliveryStart {
  readonly state: RecordState
  readonly count: number
  readonly memberId?: string | null
  readonly lockedUntilMs?: number
}

export class Delivery {
  #state: RecordState
  /** How often it was given to a member. */
  #count: number
  #memberId: string | null
  /** On the monotonic clock; counts while ACQUIRED, and while the change from ACQUIRED is not settled. */
  #lockedUntilMs: number
  #before: Before | null = null

  constructor({ state, count, memberId = null, lockedUntilMs = 0 }: DeliveryStart) {
    this.#state = state
    this.#count = count
    this.#memberId = memberId
    this.#lockedUntilMs = lockedUntilMs
  }

  get state(): RecordState {
    return this.#state
  }

  get count(): number {
    return this.#count
  }

  /** null unless it is acquired. */
  get memberId(): string | null {
    return this.#memberId
  }

  get lockedUntilMs(): number {
    return this.#lockedUntilMs
  }

  /** A change has begun and is not settled. */
  get isChanging(): boolean {
    return this.#before !== null
  }

  get isAvailable(): boolean {
    return this.#state === RecordState.AVAILABLE && this.#before === null
  }

  get isSettledTerminal(): boolean {
    return isTerminal(this.#state) && this.#before === null
  }

  /** The same for one of the records it stands for. Not while a change is under way, which belongs to all of them. */
  copy(): Delivery {
    return new Delivery({
      state: this.#state,
      count: this.#count,
      memberId: this.#memberId,
      lockedUntilMs: this.#lockedUntilMs,
    })
  }

  /** Gives what `isAvailable` to a member. */
  acquire(memberId: string, lockedUntilMs: number): void {
    this.#state = RecordState.ACQUIRED
    this.#count++
    this.#memberId = memberId
    this.#lockedUntilMs = lockedUntilMs
  }

  renew(lockedUntilMs: number): void {
    this.#lockedUntilMs = lockedUntilMs
  }

  /** Takes what is ACQUIRED from its member for good: at the end of the lock. */
  release(target: RecordState, maxDeliveryCount: number): void {
    this.#state = this.#limited(target, maxDeliveryCount)
    this.#memberId = null
  }

  /** Changes what is ACQUIRED, until `settle` says whether that holds. */
  begin(target: RecordState, maxDeliveryCount: number): void {
    this.#before = { state: this.#state, memberId: this.#memberId }
    this.release(target, maxDeliveryCount)
  }

  /** Ends what `begin` has begun. */
  settle(outcome: { isPersisted: boolean; nowMs: number; maxDeliveryCount: number }): void {
    const before = this.#before
    this.#before = null
    if (before === null || outcome.isPersisted) return
    if (this.#lockedUntilMs <= outcome.nowMs) {
      this.#state = this.#limited(RecordState.AVAILABLE, outcome.maxDeliveryCount)
    } else {
      this.#state = before.state
      this.#memberId = before.memberId
    }
  }

  /** Gives it up for good. */
  archive(): void {
    this.#state = RecordState.ARCHIVED
    this.#memberId = null
  }

  /** What was delivered as often as may be does not become available again. */
  #limited(target: RecordState, maxDeliveryCount: number): RecordState {
    return target === RecordState.AVAILABLE && this.#count >= maxDeliveryCount ? RecordState.ARCHIVED : target
  }
}
