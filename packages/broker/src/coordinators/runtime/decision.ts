/** What a coordinator's state machine says to a request: the records that change its state, and the answer. */
import type { Encodable, KafkaError, RecordType, Shape } from '@millrace/protocol'
import type { Verification } from '@millrace/storage'

/** A record for the coordinator's topic, before it is encoded. `value` null is a tombstone. Made by `record` and `tombstone`. */
export interface CoordinatorRecord {
  readonly type: RecordType
  readonly key: object
  readonly value: object | null
  /** Of the value's schema; the one Kafka writes when left out. */
  readonly valueVersion?: number
}

export function record<K extends Shape, V extends Shape>(
  type: RecordType<K, V>,
  key: Encodable<K>,
  value: Encodable<V>,
  valueVersion?: number,
): CoordinatorRecord {
  const untyped = type as unknown as RecordType
  return valueVersion === undefined ? { type: untyped, key, value } : { type: untyped, key, value, valueVersion }
}

/** Removes what the key names. */
export function tombstone<K extends Shape, V extends Shape>(
  type: RecordType<K, V>,
  key: Encodable<K>,
): CoordinatorRecord {
  return { type: type as unknown as RecordType, key, value: null }
}

/**
 * The runtime appends `records`, applies them to the state by `CoordinatorShard.replay`, and answers with `response` when they, and every
 * record that the decision could have seen, are committed. When the append is refused nothing has changed.
 *
 * So a state machine decides from its state without changing it. State that is not in the log (who waits for an answer, timers) may be
 * changed by a decision, which then undoes it in `settled` if it has to.
 */
export interface Decision<T> {
  readonly records: readonly CoordinatorRecord[]
  /** A promise is awaited after the commit: for who has to wait for other members. */
  readonly response: T | Promise<T>
  /** All in one batch (default), or may be split over several when they are many; a crash may then keep only the first of these. */
  readonly isAtomic?: boolean
  /** false: the state machine has changed its state already; `replay` is for the next load. Default true. */
  readonly replays?: boolean
  /** The records belong to this producer's transaction: `replay` sees them as pending until `endTransaction`. */
  readonly transaction?: ProducerIdentity
  /** What the transaction's coordinator was asked by, when these may be its first records on this partition. As in the log's `AppendOptions`. */
  readonly verification?: Verification | 'none'
  /** Called when the records are appended and applied, committed or not: before any other decision. Not when they are refused. */
  readonly applied?: () => void
  /** Called once: with null when the records are committed, or with why they are not and the request is refused. Before the answer goes out. */
  readonly settled?: (error: KafkaError | null) => void
}

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** A decision that changes nothing. */
export function answer<T>(response: T | Promise<T>): Decision<T> {
  return { records: [], response }
}
