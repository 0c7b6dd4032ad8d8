/**
 * Keys of which a record waits in the retry topic: with `keepKeyOrder` the records behind it follow it there, until it is done with.
 *
 * When that is, the offsets say that the group commits for the retry topic: whoever reads it, they move past a record only when it is finished, or in
 * the dead letters. Whoever takes over a partition of the first topic learns of the keys that wait there from the retry topic itself.
 */
import type { Clock } from '@millrace/runtime'
import type { ConsumerRecord, TopicPartition, TopicPartitionOffset } from '../../../record.ts'
import type { FailedRecord } from './failed-record.ts'
import type { FailureSink } from './failure-sink.ts'
import { hashOf } from '../key-hash.ts'

/** Above it every record that has a key goes through the retry topic. */
const maxKeys = 100_000
/** How often the committed offsets are asked for while keys wait. */
const lookMs = 1_000

export interface WaitingKeysOptions {
  readonly topic: string
  readonly groupId: string
  readonly sink: FailureSink
  readonly clock: Clock
  readonly committed: (partitions: readonly TopicPartition[]) => Promise<readonly (TopicPartitionOffset | null)[]>
  readonly logger: { warn(message: string): void }
}

interface Place {
  /** -1: not known yet. */
  partition: number
  /** Of the last record of the key that is known to be there. */
  offset: bigint
  /** Records of the key on their way. */
  sending: number
}

/** In place of a key's place when there is no room for it. */
const crowd = Symbol('crowd')

export class WaitingKeys implements Disposable {
  readonly #options: WaitingKeysOptions
  /** By hash: another key of the same hash only takes the same way. */
  readonly #places = new Map<number, Place>()
  /** For all keys that there was no room for: places by partition. While there is one, every key may wait. */
  readonly #crowds = new Map<number, Place>()
  /** Records of such keys on their way. */
  #crowdSending = 0
  readonly #ending = new AbortController()
  #isLooking = false

  constructor(options: WaitingKeysOptions) {
    this.#options = options
  }

  has({ rawKey }: ConsumerRecord<unknown, unknown>): boolean {
    if (rawKey === null) return false
    if (this.#crowds.size > 0 || this.#crowdSending > 0) return true
    return this.#places.size > 0 && this.#places.has(hashOf(rawKey))
  }

  /** A record is in the retry topic at that place: learned, not sent. */
  learn(rawKey: Uint8Array, partition: number, offset: bigint): void {
    const place = this.#placeOf(hashOf(rawKey)) ?? crowd
    this.#written(place, partition, offset)
    this.#look()
  }

  /** Sends a record that failed, or one that follows it. Those of its key wait from now on. @throws UnsafeRecord. */
  async send(failed: FailedRecord): Promise<void> {
    const { sink, topic } = this.#options
    const { rawKey } = failed.record
    if (rawKey === null) {
      await sink.send(topic, failed)
      return
    }
    // Its key is known to wait before the first await: records behind it may be asked about at any time.
    const place = this.#placeOf(hashOf(rawKey))
    if (place === null) this.#crowdSending++
    else place.sending++
    try {
      const { partition, offset } = await sink.send(topic, failed)
      this.#written(place ?? crowd, partition, offset)
    } finally {
      if (place === null) this.#crowdSending--
      else place.sending--
    }
    this.#look()
  }

  follow(record: ConsumerRecord<unknown, unknown>): Promise<void> {
    const { groupId, clock } = this.#options
    const nowMs = clock.now()
    return this.send({ record, origin: record, groupId, attempts: 0, nowMs, dueMs: nowMs })
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new Error('run has ended'))
  }

  /** Null when there is no room for another key. */
  #placeOf(hash: number): Place | null {
    let place = this.#places.get(hash)
    if (place === undefined && this.#places.size < maxKeys)
      this.#places.set(hash, (place = { partition: -1, offset: -1n, sending: 0 }))
    return place ?? null
  }

  #written(place: Place | typeof crowd, partition: number, offset: bigint): void {
    if (place === crowd) {
      const before = this.#crowds.get(partition)
      if (before === undefined) this.#crowds.set(partition, { partition, offset, sending: 0 })
      else if (offset > before.offset) before.offset = offset
    } else if (place.partition !== partition || offset > place.offset) {
      place.partition = partition
      place.offset = offset
    }
  }

  #look(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    void this.#lookWhileAnyWait()
  }

  /** Never rejects. */
  async #lookWhileAnyWait(): Promise<void> {
    const { clock, committed, topic, logger } = this.#options
    const { signal } = this.#ending
    try {
      while (this.#places.size > 0 || this.#crowds.size > 0) {
        await clock.sleep(lookMs, signal)
        const partitions = new Set(this.#crowds.keys())
        for (const { partition } of this.#places.values()) if (partition >= 0) partitions.add(partition)
        if (partitions.size === 0) continue
        try {
          const offsets = await committed([...partitions].map((partition) => ({ topic, partition })))
          for (const offset of offsets) if (offset !== null) this.#done(offset)
        } catch (error) {
          if (!signal.aborted) logger.warn(`keys go on waiting: ${(error as Error).message}`)
        }
      }
    } catch {
      // The pause was cut short by the end.
    } finally {
      this.#isLooking = false
    }
  }

  #done({ partition, offset }: TopicPartitionOffset): void {
    for (const places of [this.#places, this.#crowds])
      for (const [name, place] of places)
        if (place.partition === partition && place.sending === 0 && place.offset < offset) places.delete(name)
  }
}
