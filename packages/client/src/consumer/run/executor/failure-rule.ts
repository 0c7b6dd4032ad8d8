import type { ConsumerRecord } from '../../../record.ts'

export interface Failure<K, V> {
  readonly record: ConsumerRecord<K, V>
  readonly error: unknown
  /** The attempt that failed, from 1. */
  readonly attempt: number
}

/** What to do with a record whose handler threw. */
export type Verdict =
  /** Handle it again in its place. */
  | { readonly againInMs: number }
  /** Resolves when it is safe elsewhere: it counts as finished then. Rejects when it cannot be, which ends `run`. */
  | { readonly elsewhere: Promise<unknown> }
  /** `run` ends with the error. */
  | 'throw'

export interface FailureRule<K, V> {
  judge(failure: Failure<K, V>): Verdict
}
