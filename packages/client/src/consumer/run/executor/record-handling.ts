/**
 * What becomes of a record from when it begins until it has ended: it is handled, handled again after a pause, or brought elsewhere. Nothing is noted
 * of one whose handler returns without a promise. What was given back meanwhile counts for nothing when it ends, but its lane is busy until then.
 */
import type { Clock } from '@millrace/runtime'
import type { ConsumerRecord } from '../../../record.ts'
import type { RecordSource } from '../../record-source.ts'
import type { HandlerContext } from '../../run-options.ts'
import type { FailureRule } from './failure-rule.ts'
import type { InHand } from './in-hand.ts'
import type { Invocation, PartitionWork } from './partition-work.ts'
import type { RestingRecords } from './resting-records.ts'
import type { Turns } from './turns.ts'

export type Handle<K, V> = (record: ConsumerRecord<K, V>, context: HandlerContext) => void | Promise<void>

export interface RecordHandlingOptions<K, V> {
  readonly source: Pick<RecordSource<K, V>, 'handled'>
  readonly clock: Clock
  readonly handle: Handle<K, V>
  readonly failureRule: FailureRule<K, V>
  readonly turns: Turns<K, V>
  readonly inHand: InHand<K, V>
  readonly resting: RestingRecords<K, V>
  /** There is room for another, or this was the last. */
  readonly onLeft: () => void
  /** Handling is over, with this error. */
  readonly onFailure: (error: unknown) => void
}

export class RecordHandling<K, V> {
  readonly #options: RecordHandlingOptions<K, V>

  constructor(options: RecordHandlingOptions<K, V>) {
    this.#options = options
  }

  /** The next record of its partition, whose turn it is. */
  begin(work: PartitionWork<K, V>, record: ConsumerRecord<K, V>): void {
    const { generation, intake } = work
    const attempt = intake.attempt === null ? 1 : intake.attempt(record)
    let result: unknown
    try {
      result = this.#options.handle(record, work.contextOf(attempt))
    } catch (error) {
      this.#failed(work.occupy(record, generation), error)
      return
    }
    if (isPromise(result)) this.#follow(work.occupy(record, generation), result)
    else if (generation === work.generation) work.prefix.passed(record)
  }

  /** One that has waited for its turn: behind another of its lane, or to be handled again. */
  resume(invocation: Invocation<K, V>): void {
    const { work, record, attempt } = invocation
    const { clock, handle, resting, source } = this.#options
    if (!work.isCurrent(invocation)) {
      this.#ended(invocation)
      return
    }
    if (work.isPaused) {
      work.parked.push(invocation)
      return
    }
    // Of those that waited in their lane it is not known yet.
    const waitMs = work.msUntilDue(record, clock)
    if (waitMs > 0) {
      resting.add(invocation, waitMs)
      return
    }
    let result: unknown
    try {
      result = handle(record, work.contextOf(attempt))
    } catch (error) {
      this.#failed(invocation, error)
      return
    }
    if (isPromise(result)) {
      this.#follow(invocation, result)
    } else {
      this.#finished(invocation)
      work.reportTo(source)
    }
  }

  /** Ends those of the partition that wait to be handled (again). */
  dropResting(work: PartitionWork<K, V>): void {
    for (const invocation of this.#options.resting.take(work)) this.#ended(invocation)
  }

  /** The promise of its handler will say. */
  #follow(invocation: Invocation<K, V>, result: PromiseLike<unknown>): void {
    this.#options.inHand.enter(invocation)
    const settled = result instanceof Promise ? result : Promise.resolve(result)
    settled.then(
      () => {
        this.#finished(invocation)
        this.#left(invocation)
      },
      (error: unknown) => {
        const elsewhere = this.#judge(invocation, error)
        if (elsewhere === null) this.#left(invocation)
        else this.#followElsewhere(invocation, elsewhere)
      },
    )
  }

  /** Its handler threw, without a promise. */
  #failed(invocation: Invocation<K, V>, error: unknown): void {
    const elsewhere = this.#judge(invocation, error)
    if (elsewhere === null) return
    this.#options.inHand.enter(invocation)
    this.#followElsewhere(invocation, elsewhere)
  }

  /** What brings the record to safety, if that is the verdict; it is in hand until then. */
  #judge(invocation: Invocation<K, V>, error: unknown): Promise<unknown> | null {
    const { work, record, attempt } = invocation
    const { failureRule, resting, onFailure } = this.#options
    if (!work.isCurrent(invocation)) {
      // Whoever reads the partition next gets it again.
      this.#ended(invocation)
      return null
    }
    try {
      const verdict = failureRule.judge({ record, error, attempt })
      if (verdict === 'throw') {
        onFailure(error)
      } else if ('againInMs' in verdict) {
        invocation.attempt++
        resting.add(invocation, verdict.againInMs)
      } else {
        return verdict.elsewhere
      }
    } catch (ruleError) {
      onFailure(ruleError)
    }
    return null
  }

  #followElsewhere(invocation: Invocation<K, V>, elsewhere: Promise<unknown>): void {
    this.#options.inHand.handled(invocation)
    elsewhere.then(
      () => {
        this.#finished(invocation)
        this.#left(invocation)
      },
      (error: unknown) => {
        this.#options.onFailure(error)
        this.#left(invocation)
      },
    )
  }

  #finished(invocation: Invocation<K, V>): void {
    const { work, generation, slot } = invocation
    if (generation === work.generation) work.prefix.finish(slot)
    this.#ended(invocation)
  }

  /** Those behind it in its order may go on. */
  #ended(invocation: Invocation<K, V>): void {
    const { turns } = this.#options
    const { work } = invocation
    const next = work.leaveLane(invocation)
    if (next !== null) turns.add(next)
    turns.queue(work)
  }

  #left(invocation: Invocation<K, V>): void {
    const { inHand, source, onLeft } = this.#options
    inHand.leave(invocation)
    invocation.work.reportTo(source)
    onLeft()
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
