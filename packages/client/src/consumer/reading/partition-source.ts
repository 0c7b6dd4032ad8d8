/**
 * Gives what was prefetched to the one who reads: the core that all ways of reading share. Nothing is given out while somebody has closed the gate,
 * as rebalances do.
 */
import type { Clock } from '@millrace/runtime'
import type { ConsumerRecord, TopicPartition, TopicPartitionOffset } from '../../record.ts'
import { unreadable } from '../fetch/unreadable.ts'
import type { AssignedPartition } from '../positions/assigned-partition.ts'
import type { Assignment } from '../positions/assignment.ts'
import type { RecordReader, RecordSource } from '../record-source.ts'
import type { FetchedRecords } from '../records/fetched-records.ts'

/** How long records may be given out without others having a turn of the event loop. */
const sliceMs = 10
/** After a batch that cannot be read it is fetched again: perhaps it was damaged on the way. If not, the application hears of it this often. */
const unreadablePauseMs = 1000

export interface PartitionSourceOptions<K, V> {
  readonly clock: Clock
  readonly assignment: Assignment<K, V>
  readonly maxPollRecords: number
  /** What interceptors make of the records. */
  readonly intercept: (records: readonly ConsumerRecord<K, V>[]) => readonly ConsumerRecord<K, V>[]
  /** Somebody asks for records. @throws Error when nothing is subscribed to or assigned. */
  readonly onAsked: () => void
  readonly polled: () => void
  /** The application has nothing in hand, and waits for records. */
  readonly onIdle: () => void
  readonly onGiven: (records: FetchedRecords<K, V>) => void
  /** There is room for more. */
  readonly onTaken: (partition: AssignedPartition<K, V>) => void
  /** Reading goes on elsewhere. */
  readonly onMoved: () => void
}

/** An error, and what it was about as it stood then. */
interface Told<K, V> {
  readonly error: Error
  readonly about: AssignedPartition<K, V> | null
  readonly generation: number
}

export class PartitionSource<K, V> implements RecordSource<K, V> {
  readonly #options: PartitionSourceOptions<K, V>
  #reader: RecordReader | null = null
  /** Of a loop that was left: its last record may still be in the application's hands. */
  #leftBehind: RecordReader | null = null
  #isClosed = false
  /** What reading ends with, whenever it is tried. Listeners may throw anything, also null. */
  #failure: { readonly error: Error } | null = null
  /** What the application has to know of once; the first of several. */
  #told: Told<K, V> | null = null
  #gate: Promise<void> | null = null
  #sliceEndMs = 0
  #wake: (() => void) | null = null

  constructor(options: PartitionSourceOptions<K, V>) {
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The one with records in its hands. */
  get reader(): RecordReader | null {
    return this.#reader ?? this.#leftBehind
  }

  /** Nobody reads, though a loop that was left may still have a record in hand. */
  get isLeft(): boolean {
    return this.#reader === null
  }

  attach(reader: RecordReader): Disposable {
    if (this.#reader !== null)
      throw new Error(
        'this consumer is being read already: one loop or run() at a time; use another consumer for another',
      )
    this.#leftBehind?.succeeded?.()
    this.#leftBehind = null
    this.#reader = reader
    return { [Symbol.dispose]: () => this.detach(reader) }
  }

  detach(reader: RecordReader): void {
    if (this.#reader === reader) this.#reader = null
  }

  /** As disposing what `attach` returned, but the reader goes on to have a record in hand until another attaches. */
  leaveBehind(reader: RecordReader): void {
    if (this.#reader !== reader) return
    this.#reader = null
    this.#leftBehind = reader
  }

  poll(): FetchedRecords<K, V> | null {
    const { clock, assignment, maxPollRecords, onGiven, onTaken } = this.#options
    if (this.#isClosed || this.#gate !== null || this.#failure !== null || this.#told !== null) return null
    if (clock.monotonicMs() >= this.#sliceEndMs) return null
    for (;;) {
      const partition = assignment.nextReady()
      if (partition === null) return null
      const taken = this.#take(partition, maxPollRecords)
      // Also when it came to nothing: there is room again.
      onTaken(partition)
      const records = taken === null ? null : this.#intercepted(taken, partition)
      if (records === null) continue
      onGiven(records)
      return records
    }
  }

  async available(signal?: AbortSignal): Promise<boolean> {
    const { clock, assignment, onAsked } = this.#options
    using _awake = clock.holdProcess()
    for (;;) {
      if (this.#isClosed || signal?.aborted === true) return false
      if (this.#failure !== null) throw this.#failure.error
      onAsked()
      if (this.#gate !== null) {
        await orAborted(this.#gate, signal)
        continue
      }
      const told = this.#told
      this.#told = null
      if (told !== null && isStillSo(told)) throw told.error
      if (clock.monotonicMs() >= this.#sliceEndMs) {
        await clock.nextTurn()
        this.#sliceEndMs = clock.monotonicMs() + sliceMs
        continue
      }
      if (assignment.hasReady) return true
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await orAborted(promise, signal)
      this.#sliceEndMs = clock.monotonicMs() + sliceMs
    }
  }

  /** Something may be there. */
  wake(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  hold(partition: TopicPartition): void {
    const found = this.#options.assignment.get(partition)
    if (found !== undefined) found.isHeld = true
  }

  release(partition: TopicPartition): void {
    const found = this.#options.assignment.get(partition)
    if (found === undefined) return
    found.isHeld = false
    this.wake()
  }

  handled({ topic, partition, offset, leaderEpoch = -1 }: TopicPartitionOffset): void {
    this.#options.assignment.get({ topic, partition })?.handledTo({ offset, leaderEpoch })
  }

  rewind({ topic, partition, offset, leaderEpoch = -1 }: TopicPartitionOffset): void {
    const found = this.#options.assignment.get({ topic, partition })
    if (found === undefined || found.position === null || found.position.offset <= offset) return
    found.moveTo({ offset, leaderEpoch })
    this.#options.onMoved()
  }

  /** The records of `taken` from `index` on come again. */
  putBack(taken: FetchedRecords<K, V>, index: number): void {
    this.#options.assignment.get(taken)?.putBack(taken, index)
  }

  /** What the application gets next of the partition, if a loop has some of it in hand. */
  positionIn(partition: TopicPartition): bigint | null {
    return this.#reader?.positionIn?.(partition) ?? null
  }

  polled(): void {
    this.#options.polled()
  }

  idle(): void {
    this.#options.onIdle()
  }

  /** Nothing is given out until `work` has settled. One after the other. */
  async withGateClosed<T>(work: () => Promise<T>): Promise<T> {
    while (this.#gate !== null) await this.#gate
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gate = promise
    try {
      return await work()
    } finally {
      this.#gate = null
      resolve()
      this.wake()
    }
  }

  /** For the next who asks for records, unless reading goes on elsewhere in the partition it is about before that. */
  tell(error: Error, about: AssignedPartition<K, V> | null): void {
    if (this.#told !== null && isStillSo(this.#told)) return
    this.#told = { error, about, generation: about?.generation ?? 0 }
    this.wake()
  }

  /** Reading is over, with this for whoever tries. */
  fail(error: Error): void {
    this.#failure ??= { error }
    this.wake()
  }

  /** Loops end. */
  close(): void {
    this.#isClosed = true
    this.wake()
  }

  #take(partition: AssignedPartition<K, V>, max: number): FetchedRecords<K, V> | null {
    try {
      return partition.take(max)
    } catch (error) {
      partition.dropPrefetched()
      partition.retryAtMs = this.#options.clock.monotonicMs() + unreadablePauseMs
      this.tell(unreadable(partition, error as Error), partition)
      this.#options.onMoved()
      return null
    }
  }

  #intercepted(taken: FetchedRecords<K, V>, partition: AssignedPartition<K, V>): FetchedRecords<K, V> | null {
    const records = this.#options.intercept(taken.records)
    if (records === taken.records) return taken
    if (records.length > 0) return taken.with(records)
    partition.handledTo(taken.placeBefore(taken.count))
    return null
  }
}

function isStillSo<K, V>({ about, generation }: Told<K, V>): boolean {
  return about === null || (!about.isGone && about.generation === generation)
}

/** Settles with `promise`, or earlier when the signal aborts. */
function orAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise
  const { promise: either, resolve } = Promise.withResolvers<void>()
  const settle = (): void => {
    signal.removeEventListener('abort', settle)
    resolve()
  }
  signal.addEventListener('abort', settle, { once: true })
  void promise.then(settle)
  return either
}
