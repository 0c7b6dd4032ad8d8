/**
 * A partition that a consumer reads: where reading is, and what has been fetched from there. All changes are synchronous.
 *
 * Three places, in this order: `handled`, up to where the application is done; `position`, the next record it gets; `fetch`, the next one to ask a
 * broker for. Between the last two lie the prefetched records. `generation` changes whenever reading goes on elsewhere: an answer to a request
 * made in an earlier generation is an answer to a question nobody has any more.
 */
import type { ConsumerRecord } from '../../record.ts'
import type { FetchedPart } from '../fetch/fetched-part.ts'
import { FetchedRecords, type Place } from '../records/fetched-records.ts'
import { RecordOrigin, type Deserializers } from '../records/record-origin.ts'

/** Where to go when there is no offset to go to: an end of the partition, or the first record at or after a time (ms since the epoch). */
export type ResetTarget = 'beginning' | 'end' | { readonly timestamp: bigint }

/**
 * unset: nothing known yet, the committed offset is to be asked for. resetting: the offset of `resetTarget` is to be asked for. validating: whether
 * the log still is what was read is to be asked for (KIP-320). reading: there is a position.
 */
export type Phase = 'unset' | 'resetting' | 'validating' | 'reading'

export interface Leader {
  /** -1: none. */
  readonly id: number
  /** -1: not known. */
  readonly epoch: number
}

const nowhere: Place = { offset: -1n, leaderEpoch: -1 }

export interface AssignedPartitionOptions<K, V> {
  readonly topic: string
  readonly partition: number
  readonly deserializers: Deserializers<K, V>
}

export class AssignedPartition<K = unknown, V = unknown> {
  readonly topic: string
  readonly partition: number
  readonly origin: RecordOrigin<K, V>
  /** What keeps it from being read though it is assigned. */
  isPaused = false
  /** By the reader, which has enough of it. */
  isHeld = false
  /** Being given up, or not yet announced to the application. */
  isWithheld = false
  /** Of a topic that is not subscribed to any more; the group will take it back. */
  isUnwanted = false
  /** No longer assigned. */
  isGone = false
  leader: Leader = { id: -1, epoch: -1 }
  /** Of the topic the position is for; null: not known. */
  topicId: string | null = null
  /** A replica nearby that the leader recommends (KIP-392), and until when; -1: none. */
  preferredReplica = -1
  preferredUntilMs = 0
  /** After an error: not to be asked for before that, on the monotonic clock. */
  retryAtMs = 0
  failures = 0
  /** -1n: not known. */
  highWatermark = -1n
  lastStableOffset = -1n
  logStartOffset = -1n
  /** What the group has, as far as this consumer knows; -1n: nothing. */
  committedOffset = -1n
  #phase: Phase = 'unset'
  #resetTarget: ResetTarget | null = null
  #generation = 0
  #handled = nowhere
  #position = nowhere
  #fetch = nowhere
  #parts: FetchedPart[] = []
  /** Records given out and taken back; they come before `#parts`. */
  #returned: FetchedRecords<K, V>[] = []
  /** Of the last record given out since the position was moved; -1n: none. */
  #lastGiven = -1n

  constructor({ topic, partition, deserializers }: AssignedPartitionOptions<K, V>) {
    this.topic = topic
    this.partition = partition
    this.origin = new RecordOrigin(topic, partition, deserializers)
  }

  get phase(): Phase {
    return this.#phase
  }

  get generation(): number {
    return this.#generation
  }

  get resetTarget(): ResetTarget | null {
    return this.#resetTarget
  }

  /** Null as long as there is none. */
  get position(): Place | null {
    return this.#position === nowhere ? null : this.#position
  }

  get handled(): Place | null {
    return this.#handled === nowhere ? null : this.#handled
  }

  /** Where to fetch, and what to validate. */
  get fetchPlace(): Place {
    return this.#fetch
  }

  get hasRecords(): boolean {
    return this.#returned.length > 0 || this.#parts.length > 0
  }

  get mayBeRead(): boolean {
    return !this.isWithheld && !this.isUnwanted && !this.isGone
  }

  /** Whether records may be handed out, if there are any. */
  get isReadable(): boolean {
    return this.#phase === 'reading' && !this.isPaused && !this.isHeld && this.mayBeRead
  }

  /** Whether `take` would give something, or throw. */
  get isReady(): boolean {
    if (!this.isReadable) return false
    return this.#returned.length > 0 || (this.#parts.length > 0 && !this.#parts[0]!.isUnpacking)
  }

  get bufferedBytes(): number {
    let bytes = 0
    for (const part of this.#parts) bytes += part.remainingBytes
    return bytes
  }

  /** Reading goes on at `place`. With an epoch it is validated first, if the leader's is known too. */
  moveTo(place: Place): void {
    this.#forget()
    this.#resetTarget = null
    this.#position = this.#fetch = this.#handled = place
    this.#doubt()
  }

  /** Reading goes on at an offset that has to be asked for. */
  resetTo(target: ResetTarget): void {
    this.#forget()
    this.#resetTarget = target
    this.#position = this.#fetch = this.#handled = nowhere
    this.#phase = 'resetting'
  }

  /**
   * Metadata name a leader. One that is new may have a shorter log than the last: the place to fetch from is validated before anything else is read
   * (KIP-320).
   */
  ledBy(leader: Leader): void {
    if (leader.id === this.leader.id && leader.epoch === this.leader.epoch) return
    this.leader = leader
    this.preferredReplica = -1
    this.retryAtMs = 0
    if (leader.id >= 0 && (this.#phase === 'reading' || this.#phase === 'validating')) this.#doubt()
  }

  /** The log holds everything up to the place to fetch from. */
  validated(): void {
    if (this.#phase === 'validating') this.#phase = 'reading'
  }

  /** What was prefetched is not in the log any more, or cannot be read: it is fetched again from `position` on, after that is validated. */
  dropPrefetched(): void {
    this.#forget()
    if (this.#position === nowhere) return
    this.#fetch = this.#position
    this.#doubt()
  }

  /** An answer brought what was asked for in this generation. */
  received(part: FetchedPart): void {
    this.#parts.push(part)
    const { offset, leaderEpoch } = part.end
    this.#fetch = { offset, leaderEpoch: leaderEpoch < 0 ? this.#fetch.leaderEpoch : leaderEpoch }
  }

  /**
   * Up to `max` records, which are the application's from now on; null when there are none now.
   * @throws KafkaError for a batch that cannot be read; again with each call, until the position is moved or what was prefetched is dropped.
   */
  take(max: number): FetchedRecords<K, V> | null {
    const returned = this.#returned.shift()
    if (returned !== undefined) {
      this.#position = returned.placeBefore(returned.count)
      return returned
    }
    const start = this.#position
    const records: ConsumerRecord<K, V>[] = []
    while (records.length < max && this.#parts.length > 0) {
      const part = this.#parts[0]!
      try {
        part.take(this.origin, max - records.length, records)
      } catch (error) {
        if (records.length === 0) throw error
        this.#advance(part.reached)
        break
      }
      this.#advance(part.reached)
      if (!part.isDone) break
      this.#parts.shift()
    }
    if (records.length === 0) {
      // Markers and records of aborted transactions only: nobody has to handle them.
      if (this.#handled.offset === start.offset) this.#handled = this.#position
      return null
    }
    this.#lastGiven = records.at(-1)!.offset
    const { topic, partition, highWatermark } = this
    return new FetchedRecords({ topic, partition, records, start, end: this.#position, highWatermark })
  }

  /** The records of `taken` from `index` on come again, before all others. To be called in the reverse order of `take`. */
  putBack(taken: FetchedRecords<K, V>, index: number): void {
    if (index >= taken.count) return
    const start = taken.placeBefore(index)
    this.#returned.unshift(index === 0 ? taken : taken.from(index))
    this.#position = start
  }

  /** Everything before `place` is done. Behind the last record that was given out that includes what is not for the application. */
  handledTo(place: Place): void {
    if (this.#handled === nowhere) return
    this.#handled = place.offset > this.#lastGiven && place.offset < this.#position.offset ? this.#position : place
  }

  /** The records between position (`givenTo`, when a loop has some of what was given away still before it) and end; null when it is not known. */
  lag(isolationLevel: 'read_uncommitted' | 'read_committed', givenTo: bigint | null = null): bigint | null {
    const end = isolationLevel === 'read_committed' ? this.lastStableOffset : this.highWatermark
    if (end < 0n || this.#position === nowhere) return null
    const from = givenTo ?? this.#position.offset
    return end > from ? end - from : 0n
  }

  #advance({ offset, leaderEpoch }: Place): void {
    if (offset < this.#position.offset) return
    this.#position = { offset, leaderEpoch: leaderEpoch < 0 ? this.#position.leaderEpoch : leaderEpoch }
  }

  #doubt(): void {
    this.#phase = this.#fetch.leaderEpoch >= 0 && this.leader.epoch >= 0 ? 'validating' : 'reading'
  }

  #forget(): void {
    this.#generation++
    this.#parts = []
    this.#returned = []
    this.#lastGiven = -1n
    this.retryAtMs = 0
  }
}
