/**
 * What a loop has in hand: a stretch of records, of which some are done, those from `first` to `last` are in the application's hands, and the others have
 * not been begun. A loop cannot say when it is done with a record but by asking for the next, so whoever takes partitions away waits for that.
 */
import type { TopicPartition } from '../../record.ts'
import type { RecordReader } from '../record-source.ts'
import type { FetchedRecords } from '../records/fetched-records.ts'
import type { PartitionSource } from './partition-source.ts'

export interface LoopReaderOptions<K, V> {
  readonly source: PartitionSource<K, V>
  readonly signal: AbortSignal | undefined
  /** The application waits for records that are not there. */
  readonly waiting: () => void
}

export class LoopReader<K, V> implements RecordReader {
  readonly #options: LoopReaderOptions<K, V>
  #isAttached = false
  #isInHand = false
  #batch: FetchedRecords<K, V> | null = null
  #first = 0
  /** One less than `#first`: nothing has been begun. */
  #last = -1
  /** Something has happened that the loop has to see to before it goes on. */
  isInterrupted = false
  #whenIdle: (() => void)[] = []
  readonly #interrupt = (): void => {
    this.isInterrupted = true
  }

  constructor(options: LoopReaderOptions<K, V>) {
    this.#options = options
  }

  /** The application has these records, for as long as it does not ask for more. */
  begin(first: number, last: number): void {
    this.#first = first
    this.#last = last
  }

  /**
   * The application asks for more than it has: the next stretch, none of it begun; null at the end.
   * @throws as `RecordSource.available`, and Error when somebody else reads. The loop has ended then.
   */
  async next(): Promise<FetchedRecords<K, V> | null> {
    const { source, signal } = this.#options
    try {
      if (!this.#isAttached) {
        source.attach(this)
        this.#isAttached = true
        signal?.addEventListener('abort', this.#interrupt)
      }
      this.#letGo()
      while (signal?.aborted !== true) {
        this.isInterrupted = false
        source.polled()
        const batch = source.poll()
        if (batch !== null) {
          this.#batch = batch
          this.begin(0, -1)
          this.#isInHand = true
          return batch
        }
        this.#options.waiting()
        if (!(await source.available(signal)) || !this.#isAttached) break
      }
    } catch (error) {
      this.#detach()
      throw error
    }
    this.#detach()
    return null
  }

  /** The application has left the loop, maybe with its last record still in hand. What was not begun is given to the next one. */
  leave(): void {
    const { source, signal } = this.#options
    if (!this.#isAttached) return
    this.#isAttached = false
    signal?.removeEventListener('abort', this.#interrupt)
    source.leaveBehind(this)
    if (this.#batch !== null) source.putBack(this.#batch, this.#last + 1)
    source.wake()
  }

  // RecordReader

  revoked(_partitions: readonly TopicPartition[]): Promise<void> {
    if (!this.#isInHand) return Promise.resolve()
    this.#interrupt()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  lost(partitions: readonly TopicPartition[]): Promise<void> {
    return this.revoked(partitions)
  }

  moved(partitions: readonly TopicPartition[]): void {
    if (!this.#concerns(partitions)) return
    this.#batch = null
    this.#interrupt()
  }

  paused(partitions: readonly TopicPartition[]): void {
    if (this.#concerns(partitions)) this.#interrupt()
  }

  resumed(): void {}

  report(): void {
    const batch = this.#batch
    if (batch !== null) this.#handled(batch, this.#first)
  }

  /** For `position`: what the application gets next of this partition, if it is in hand. */
  positionIn({ topic, partition }: TopicPartition): bigint | null {
    const batch = this.#batch
    if (!this.#isAttached || batch === null || batch.topic !== topic || batch.partition !== partition) return null
    return batch.placeBefore(this.#last + 1).offset
  }

  /** Another loop begins: what this one had in hand is done. */
  succeeded(): void {
    const batch = this.#batch
    if (batch !== null) this.#handled(batch, this.#last + 1)
    this.#drop()
  }

  #letGo(): void {
    const batch = this.#batch
    if (batch !== null) {
      this.#handled(batch, this.#last + 1)
      this.#options.source.putBack(batch, this.#last + 1)
    }
    this.#drop()
  }

  #drop(): void {
    this.#batch = null
    this.#isInHand = false
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of waiting) resolve()
  }

  #detach(): void {
    const { source, signal } = this.#options
    this.#isAttached = false
    signal?.removeEventListener('abort', this.#interrupt)
    source.detach(this)
    this.#drop()
  }

  #handled(batch: FetchedRecords<K, V>, index: number): void {
    const { topic, partition } = batch
    this.#options.source.handled({ topic, partition, ...batch.placeBefore(index) })
  }

  #concerns(partitions: readonly TopicPartition[]): boolean {
    const batch = this.#batch
    return (
      batch !== null &&
      partitions.some(({ topic, partition }) => topic === batch.topic && partition === batch.partition)
    )
  }
}
