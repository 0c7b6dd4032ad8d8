/** A source whose partitions are lists in memory, and which does with them what a test says. */
import type { ConsumerRecord, RecordHeader, TopicPartition, TopicPartitionOffset } from '../../../record.ts'
import type { ConsumerBatch } from '../../consumer.ts'
import type { RecordReader, RecordSource } from '../../record-source.ts'

export type TextRecord = ConsumerRecord<string, string>

export interface RecordInput {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value?: string | null
  readonly headers?: readonly RecordHeader[]
  readonly timestamp?: number
}

export function textRecord(input: RecordInput): TextRecord {
  const { topic, partition, offset, key, value = 'value', headers = [], timestamp = 1_767_225_600_000 } = input
  return {
    topic,
    partition,
    offset: BigInt(offset),
    timestamp,
    timestampType: 'CreateTime',
    leaderEpoch: 0,
    key,
    value,
    rawKey: key === null ? null : Buffer.from(key),
    rawValue: value === null ? null : Buffer.from(value),
    headers,
    header: (name) => headers.findLast((one) => one.key === name)?.value,
  }
}

interface Log {
  readonly topic: string
  readonly partition: number
  readonly records: TextRecord[]
  /** Index of the next record to give away. */
  position: number
  /** Index that is committed. */
  committed: number
  isAssigned: boolean
  /** Being given up. */
  isWithheld: boolean
  isHeld: boolean
  isPaused: boolean
}

export class MemorySource implements RecordSource<string, string> {
  readonly #logs = new Map<string, Log>()
  readonly #batchRecords: number
  #reader: RecordReader | null = null
  #isClosed = false
  #waiting = new Set<() => void>()
  /** Calls of `polled`. */
  signsOfLife = 0
  /** Calls of `idle`. */
  idles = 0

  constructor({ batchRecords = 3 }: { batchRecords?: number } = {}) {
    this.#batchRecords = batchRecords
  }

  add(record: TextRecord): void {
    this.#log(record).records.push(record)
    this.#notify()
  }

  /** The number of records committed. */
  committed(partition: TopicPartition): number {
    return this.#log(partition).committed
  }

  isHeld(partition: TopicPartition): boolean {
    return this.#log(partition).isHeld
  }

  get isDone(): boolean {
    return [...this.#logs.values()].every(({ committed, records }) => committed === records.length)
  }

  async revoke(partition: TopicPartition): Promise<void> {
    const log = this.#log(partition)
    if (!log.isAssigned) return
    log.isWithheld = true
    await this.#reader?.revoked([partition])
    this.#remove(log)
  }

  /** As `revoke`, when what is in the application's hands takes too long to be waited for. */
  takeAway(partition: TopicPartition): void {
    void this.#reader?.revoked([partition])
    this.#remove(this.#log(partition))
    this.#reader?.moved([partition])
  }

  assign(partition: TopicPartition): void {
    const log = this.#log(partition)
    if (log.isAssigned) return
    log.isAssigned = true
    log.position = log.committed
    this.#notify()
  }

  seek(partition: TopicPartition, index: number): void {
    const log = this.#log(partition)
    log.position = index
    log.committed = index
    this.#reader?.moved([partition])
    this.#notify()
  }

  pause(partition: TopicPartition): void {
    this.#log(partition).isPaused = true
    this.#reader?.paused([partition])
  }

  resume(partition: TopicPartition): void {
    this.#log(partition).isPaused = false
    this.#reader?.resumed([partition])
    this.#notify()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#reader?.revoked([...this.#logs.values()])
    this.#notify()
  }

  /** The process that read is dead, and another begins where was committed last. */
  restart(): void {
    this.#reader = null
    for (const log of this.#logs.values()) {
      log.position = log.committed
      log.isWithheld = false
      log.isHeld = false
      log.isPaused = false
    }
  }

  attach(reader: RecordReader): Disposable {
    if (this.#reader !== null) throw new Error('there is a reader')
    this.#reader = reader
    return {
      [Symbol.dispose]: () => {
        if (this.#reader === reader) this.#reader = null
      },
    }
  }

  poll(): ConsumerBatch<string, string> | null {
    if (this.#isClosed) return null
    for (const log of this.#logs.values()) {
      if (!mayGive(log)) continue
      // The next turn is another's.
      this.#logs.delete(keyOf(log))
      this.#logs.set(keyOf(log), log)
      const records = log.records.slice(log.position, log.position + this.#batchRecords)
      log.position += records.length
      return batchOf(records)
    }
    return null
  }

  async available(signal?: AbortSignal): Promise<boolean> {
    while (signal?.aborted !== true) {
      if (this.#isClosed) return false
      if ([...this.#logs.values()].some(mayGive)) return true
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve)
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    return false
  }

  hold(partition: TopicPartition): void {
    this.#log(partition).isHeld = true
  }

  release(partition: TopicPartition): void {
    this.#log(partition).isHeld = false
    this.#notify()
  }

  handled({ offset, ...partition }: TopicPartitionOffset): void {
    const log = this.#log(partition)
    if (log.isAssigned) log.committed = log.records.findIndex((record) => record.offset === offset - 1n) + 1
  }

  rewind({ offset, ...partition }: TopicPartitionOffset): void {
    const log = this.#log(partition)
    const index = log.records.findIndex((record) => record.offset >= offset)
    log.position = index === -1 ? log.records.length : index
  }

  polled(): void {
    this.signsOfLife++
  }

  idle(): void {
    this.idles++
  }

  #log({ topic, partition }: TopicPartition): Log {
    const key = keyOf({ topic, partition })
    let log = this.#logs.get(key)
    if (log === undefined) {
      log = {
        topic,
        partition,
        records: [],
        position: 0,
        committed: 0,
        isAssigned: true,
        isWithheld: false,
        isHeld: false,
        isPaused: false,
      }
      this.#logs.set(key, log)
    }
    return log
  }

  #remove(log: Log): void {
    log.isAssigned = false
    log.isWithheld = false
    log.isHeld = false
    log.isPaused = false
  }

  #notify(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const resolve of waiting) resolve()
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function mayGive({ isAssigned, isWithheld, isHeld, isPaused, position, records }: Log): boolean {
  return isAssigned && !isWithheld && !isHeld && !isPaused && position < records.length
}

function batchOf(records: readonly TextRecord[]): ConsumerBatch<string, string> {
  const [first, last] = [records[0]!, records.at(-1)!]
  const { topic, partition } = first
  return {
    topic,
    partition,
    count: records.length,
    firstOffset: first.offset,
    lastOffset: last.offset,
    end: { topic, partition, offset: last.offset + 1n },
    highWatermark: last.offset + 1n,
    lag: 0n,
    [Symbol.iterator]: () => records[Symbol.iterator](),
  }
}
