/** Options of `consumer.run()`. */
import type { ConsumerRecord } from '../record.ts'

export interface HandlerContext {
  /** Aborted when the partition is being taken away, or the consumer closes. */
  readonly signal: AbortSignal
  /** 1 for the first time a record is handled. */
  readonly attempt: number
}

export interface RunOptions<K, V> {
  readonly eachRecord: (record: ConsumerRecord<K, V>, context: HandlerContext) => void | Promise<void>
  /** Records handled at a time. Default 1. */
  readonly concurrency?: number | undefined
  /** What stays in order when several are handled at a time: each partition, or each key. Default 'partition'. */
  readonly ordering?: 'partition' | 'key' | undefined
  /** What to do with records whose handler threw. Default: `run` throws. */
  readonly retry?: RetryOptions | undefined
  /** Where records go that cannot be handled, with headers that say why. Confirmed before the offset is committed. */
  readonly deadLetter?: DeadLetterOptions | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RetryOptions {
  /** Times a record is handled in all. */
  readonly attempts: number
  /** Pause before each repetition: a number of ms, or the bounds of a growing one. Default { initialMs: 1000, factor: 2, maxMs: 60000 }. */
  readonly backoff?:
    | number
    | { readonly initialMs: number; readonly factor?: number | undefined; readonly maxMs?: number | undefined }
    | undefined
  /** Share by which a pause varies, from 0 to 1. Default 0.2. */
  readonly jitter?: number | undefined
  /**
   * Repeat through topics: the failed record goes to this topic with the time it is due, and others go on meanwhile. Without it a record is repeated
   * in place, holding up those behind it in its order.
   */
  readonly topic?: string | undefined
  /** With `topic`: records of a key that waits are sent behind it, so that each key stays in order. Default false. */
  readonly keepKeyOrder?: boolean | undefined
  /** Whether an error is worth another attempt. Default: every one. */
  readonly retriable?: ((error: unknown) => boolean) | undefined
}

export interface DeadLetterOptions {
  readonly topic: string
}
