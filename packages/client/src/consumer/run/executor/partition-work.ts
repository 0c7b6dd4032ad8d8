/** What an executor has in hand of one partition: a batch, the records of it that have begun, and those that wait behind them. */
import type { Clock, Timer } from '@millrace/runtime'
import type { ConsumerRecord, TopicPartition, TopicPartitionOffset } from '../../../record.ts'
import type { ConsumerBatch } from '../../consumer.ts'
import type { RecordSource } from '../../record-source.ts'
import type { HandlerContext } from '../../run-options.ts'
import { FinishedPrefix, type Slot } from './finished-prefix.ts'
import { Lanes, type Lane } from './lanes.ts'

/** Slots that may be in use before no more is taken from the batch. */
const maxSlots = 10_000

/** A record that has begun and not ended: its handler runs, it waits for its turn, or to be handled again. */
export interface Invocation<K, V> {
  readonly work: PartitionWork<K, V>
  readonly record: ConsumerRecord<K, V>
  readonly slot: Slot
  /** Null when no other waits for this record. */
  readonly lane: Lane<Invocation<K, V>> | null
  /** Of the work, when it began; when they differ the record has been given back since. */
  readonly generation: number
  attempt: number
}

/** How the records of a topic are dealt with. */
export interface Intake<K, V> {
  readonly ordering: 'partition' | 'key'
  /** When a record may be handled, in ms since the epoch; those behind it in its order wait with it. Null: none ever waits. */
  readonly dueMs: ((record: ConsumerRecord<K, V>) => number) | null
  /** The attempt that a record comes for. Null: always the first. */
  readonly attempt: ((record: ConsumerRecord<K, V>) => number) | null
}

export class PartitionWork<K, V> implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly intake: Intake<K, V>
  readonly prefix = new FinishedPrefix()
  /** In the executor's queue. */
  isQueued = false
  isPaused = false
  /** Being given up: nothing more begins. */
  isEnding = false
  /** Its admission is not over. */
  isGated = false
  /** Runs until the record kept for later is due. */
  dueTimer: Timer | null = null
  /** Could begin but for the pause. */
  readonly parked: Invocation<K, V>[] = []
  readonly #abort = new AbortController()
  /** What handlers get with records handled for the first time: one object for all. */
  readonly #firstContext: HandlerContext = { signal: this.#abort.signal, attempt: 1 }
  readonly #lanes: Lanes<Invocation<K, V>>
  #generation = 0
  #records: Iterator<ConsumerRecord<K, V>> | null = null
  #keptForLater: ConsumerRecord<K, V> | null = null
  /** Of the first record in hand. */
  #start: bigint | null = null
  /** Behind the batch, and behind what follows its records that is not for the application. */
  #end: TopicPartitionOffset | null = null
  #reported: bigint | null = null
  /** What has entered and not left. */
  #inHand = 0
  #whenIdle: (() => void)[] = []

  constructor({ topic, partition }: TopicPartition, intake: Intake<K, V>) {
    this.topic = topic
    this.partition = partition
    this.intake = intake
    this.#lanes = new Lanes(intake.ordering)
  }

  /** Changes whenever what is in hand is given back. */
  get generation(): number {
    return this.#generation
  }

  take(batch: ConsumerBatch<K, V>): void {
    this.#start ??= batch.firstOffset
    this.#end = batch.end
    this.#records = batch[Symbol.iterator]()
  }

  /** Whether a record of the batch may be taken, as far as the partition itself is concerned. */
  get mayBegin(): boolean {
    if (this.#records === null || this.isPaused || this.isGated || this.isEnding || this.dueTimer !== null) return false
    return this.#lanes.hasRoom && this.prefix.slots < maxSlots
  }

  /** The next record of the batch; null when that has ended. */
  next(): ConsumerRecord<K, V> | null {
    const kept = this.#keptForLater
    if (kept !== null) {
      this.#keptForLater = null
      return kept
    }
    const { done, value } = this.#records!.next()
    if (done !== true) return value
    this.#records = null
    return null
  }

  /** How long the record has to wait; nothing above 0: it need not. */
  msUntilDue(record: ConsumerRecord<K, V>, clock: Pick<Clock, 'now'>): number {
    const { dueMs } = this.intake
    return dueMs === null ? 0 : dueMs(record) - clock.now()
  }

  keepForLater(record: ConsumerRecord<K, V>): void {
    this.#keptForLater = record
  }

  /** Puts the record behind one of its key that has not ended. Returns false when there is none. */
  waitsForItsKey(record: ConsumerRecord<K, V>): boolean {
    const lane = this.#lanes.busyWithKeyOf(record)
    if (lane === null) return false
    this.#lanes.wait(lane, this.#invocation(record, lane, this.#generation))
    return true
  }

  /**
   * Opens a slot for the record, and makes its lane busy. When all was given back since `generation`, which a handler may bring about itself, it
   * does not count.
   */
  occupy(record: ConsumerRecord<K, V>, generation = this.#generation): Invocation<K, V> {
    return this.#invocation(record, this.#lanes.occupy(record), generation)
  }

  #invocation(record: ConsumerRecord<K, V>, lane: Lane<Invocation<K, V>> | null, generation: number): Invocation<K, V> {
    const { offset, leaderEpoch } = record
    const slot =
      generation === this.#generation ? this.prefix.begin(record) : { offset, leaderEpoch, isDone: false, next: null }
    return { work: this, record, slot, lane, generation, attempt: this.intake.attempt?.(record) ?? 1 }
  }

  contextOf(attempt: number): HandlerContext {
    return attempt === 1 ? this.#firstContext : { signal: this.#abort.signal, attempt }
  }

  isCurrent({ generation }: Invocation<K, V>): boolean {
    return generation === this.#generation && !this.isEnding
  }

  /** The invocation has ended, finished or not: returns the one that waited for it, whose turn it is. */
  leaveLane({ lane }: Invocation<K, V>): Invocation<K, V> | null {
    return lane === null ? null : this.#lanes.leave(lane)
  }

  /** Everything that was taken is finished. */
  get isFinished(): boolean {
    return this.#records === null && this.#keptForLater === null && this.prefix.slots === 0
  }

  /** Where to go on when what is in hand is given back: behind the finished prefix. Null when nothing was taken. */
  get position(): TopicPartitionOffset | null {
    const { last } = this.prefix
    if (this.isFinished) return this.#end
    if (last !== null) return this.#behind(last.offset, last.leaderEpoch)
    return this.#start === null ? null : { topic: this.topic, partition: this.partition, offset: this.#start }
  }

  /** Tells the source what has been finished since it was last told. */
  reportTo(source: Pick<RecordSource<K, V>, 'handled'>): void {
    const { last } = this.prefix
    if (last === null) return
    const position = this.isFinished && this.#end !== null ? this.#end : this.#behind(last.offset, last.leaderEpoch)
    if (position.offset === this.#reported) return
    this.#reported = position.offset
    source.handled(position)
  }

  #behind(offset: bigint, leaderEpoch: number | null): TopicPartitionOffset {
    const { topic, partition } = this
    return { topic, partition, offset: offset + 1n, ...(leaderEpoch === null ? {} : { leaderEpoch }) }
  }

  /** Drops what has not begun, and no longer counts what has; lanes stay busy until that has ended. */
  giveBack(): void {
    this.#generation++
    this.prefix.clear()
    this.#start = null
    this.#end = null
    this.#reported = null
    this.#records = null
    this.#keptForLater = null
    this.#lanes.dropWaiting()
    this.dueTimer?.cancel()
    this.dueTimer = null
  }

  abort(reason: Error): void {
    this.#abort.abort(reason)
  }

  entered(): void {
    this.#inHand++
  }

  left(): void {
    if (--this.#inHand > 0) return
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of waiting) resolve()
  }

  /** Resolves when nothing of the partition is in the application's hands. */
  idle(): Promise<void> {
    return this.#inHand === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve))
  }
}
