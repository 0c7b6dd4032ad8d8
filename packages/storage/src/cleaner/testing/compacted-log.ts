/**
 * A compacted log under a LogManager with a cleaner on a simulated disk, beside a list of everything that was ever appended to it: what the log
 * still holds must be of that list, and whoever reads it from the start must end with the same values as from the list.
 */
import { strict as assert } from 'node:assert'
import {
  baseOffset,
  Compression,
  ControlType,
  endTransactionMarker,
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  producerId,
  readControlRecord,
  readRecords,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import { LogWorld, topicId } from '../../directories/testing/log-world.ts'
import { FilePool } from '../../file-pool.ts'
import type { LogConfig } from '../../log-config.ts'
import type { LogManager } from '../../log-manager.ts'
import type { LogManagerOptions } from '../../log-manager-options.ts'
import { createLogServices } from '../../log-services.ts'
import { PartitionLog } from '../../partition-log.ts'
import type { Appended } from '../../partition-log-options.ts'
import { validateRecords } from '../../validation/index.ts'
import { defaultCleanerConfig, type CleanerConfig } from '../cleaner-config.ts'

/** null: a tombstone. */
export type KeyValue = readonly [key: string, value: string | null]

export interface AppendedBatch {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly timestamp: bigint
  readonly records: readonly KeyValue[]
  readonly producer: number | null
  readonly epoch: number
  readonly sequence: number
  readonly isTransactional: boolean
  readonly marker: 'COMMIT' | 'ABORT' | null
}

export interface BatchToAppend {
  readonly records: readonly KeyValue[]
  readonly compression?: number
  readonly producer?: number
  readonly isTransactional?: boolean
  /** Default: now. */
  readonly timestamp?: bigint
}

export interface ReadRecord {
  readonly offset: bigint
  readonly timestamp: bigint
  readonly key: string
  readonly value: string | null
}

export interface ReadBatch {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly records: readonly ReadRecord[]
  readonly marker: 'COMMIT' | 'ABORT' | null
}

export const codecs: readonly number[] = [
  Compression.NONE,
  Compression.GZIP,
  Compression.SNAPPY,
  Compression.LZ4,
  Compression.ZSTD,
]
export const backoffMs = 1000
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class CompactedLog {
  readonly world: LogWorld
  manager!: LogManager
  cleanerConfig: CleanerConfig = { ...defaultCleanerConfig, backoffMs }
  /** Everything appended and not lost in a crash, in order. */
  batches: AppendedBatch[] = []
  readonly #options: Partial<LogManagerOptions>

  constructor(config: Partial<LogConfig>, seed = 1, options: Partial<LogManagerOptions> = {}) {
    this.world = new LogWorld(seed)
    this.world.configs.set('t', { cleanupPolicies: { compact: true, delete: false }, ...config })
    this.#options = options
  }

  async open(): Promise<this> {
    this.manager = await this.world.open({ cleaner: () => this.cleanerConfig, ...this.#options })
    this.manager.getOrCreate('t', 0, topicId)
    return this
  }

  get log(): PartitionLog {
    return this.manager.get('t', 0)!
  }

  get nowMs(): number {
    return this.world.host.clock.now()
  }

  /** Lets time pass; the cleaner works in it. */
  advance(ms: number): Promise<void> {
    return this.world.simulation.time.advance(ms)
  }

  async append(batch: BatchToAppend): Promise<Appended> {
    const { records, compression = Compression.NONE, producer = null, isTransactional: isInTransaction = false } = batch
    const { timestamp = BigInt(this.nowMs) } = batch
    const state = producer === null ? null : this.producer(producer)
    const builder = new RecordBatchBuilder({
      compression,
      isTransactional: isInTransaction,
      ...(state === null
        ? undefined
        : { producerId: BigInt(producer!), producerEpoch: state.epoch, baseSequence: state.nextSequence }),
    })
    for (const [key, value] of records)
      builder.append({ timestamp, key: encoder.encode(key), value: value === null ? null : encoder.encode(value) })
    const appended = await this.#write(builder.build(), 'client')
    this.batches.push({
      baseOffset: appended.firstOffset,
      lastOffset: appended.lastOffset,
      timestamp,
      records,
      producer,
      epoch: state?.epoch ?? -1,
      sequence: state?.nextSequence ?? -1,
      isTransactional: isInTransaction,
      marker: null,
    })
    return appended
  }

  /** Sends the producer's last batch once more. */
  async repeat(producer: number): Promise<Appended | null> {
    const { epoch } = this.producer(producer)
    const last = this.batches.findLast((batch) => batch.producer === producer && batch.marker === null)
    if (last === undefined || last.epoch !== epoch) return null
    const builder = new RecordBatchBuilder({
      producerId: BigInt(producer),
      producerEpoch: last.epoch,
      baseSequence: last.sequence,
      isTransactional: last.isTransactional,
    })
    for (const [key, value] of last.records)
      builder.append({
        timestamp: last.timestamp,
        key: encoder.encode(key),
        value: value === null ? null : encoder.encode(value),
      })
    const appended = await this.#write(builder.build(), 'client')
    assert.equal(appended.duplicate, true, `producer ${producer} repeated its batch of sequence ${last.sequence}`)
    assert.equal(appended.lastOffset, last.lastOffset)
    return appended
  }

  /** `version` 2 gives the producer a new epoch with every transaction. */
  async endTransaction(producer: number, type: 'COMMIT' | 'ABORT', version = 0): Promise<void> {
    const timestamp = BigInt(this.nowMs)
    const epoch = this.producer(producer).epoch + (version >= 2 ? 1 : 0)
    const marker = endTransactionMarker({
      type,
      coordinatorEpoch: 0,
      producerId: BigInt(producer),
      producerEpoch: epoch,
      timestamp,
    })
    const { firstOffset } = await this.#write(marker, 'coordinator', version)
    this.batches.push({
      baseOffset: firstOffset,
      lastOffset: firstOffset,
      timestamp,
      records: [],
      producer,
      epoch,
      sequence: -1,
      isTransactional: true,
      marker: type,
    })
  }

  /** What the list says of a producer. */
  producer(producer: number): { readonly epoch: number; readonly nextSequence: number; readonly isOpen: boolean } {
    const own = this.batches.filter((batch) => batch.producer === producer)
    const epoch = own.at(-1)?.epoch ?? 0
    const last = own.findLast((batch) => batch.marker === null && batch.epoch === epoch)
    const isOpen = own.at(-1)?.isTransactional === true && own.at(-1)!.marker === null
    return { epoch, nextSequence: last === undefined ? 0 : last.sequence + last.records.length, isOpen }
  }

  /** Writes what a producer or a coordinator sends. */
  async #write(bytes: Uint8Array, origin: 'client' | 'coordinator', transactionVersion = 0): Promise<Appended> {
    const { log } = this
    const batches = validateRecords(bytes, { origin, config: log.config, nowMs: this.nowMs })
    if (batches instanceof Promise) throw new Error('expected validation at once')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const appended = log.append(batches, { leaderEpoch: 0, origin, transactionVersion }, (error) =>
      error === null ? resolve() : reject(error),
    )
    await this.world.run(promise)
    log.setHighWatermark(log.writtenEndOffset)
    return appended
  }

  /** All batches as a consumer gets them; with `committed` as one of read_committed. */
  read({ committed = false, from = this.log.logStartOffset, maxBytes = 700 } = {}): ReadBatch[] {
    const { log } = this
    const batches: ReadBatch[] = []
    const end = committed ? log.lastStableOffset : log.writtenEndOffset
    for (let offset = from; offset < end;) {
      const slice = log.locate(offset, {
        maxBytes,
        minOneBatch: true,
        upTo: committed ? 'last-stable-offset' : 'log-end',
      })
      const bytes = new Uint8Array(slice.length)
      slice.readSync(bytes)
      const aborts = (slice.abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
      const aborted = new Set<bigint>()
      const before = offset
      forEachBatch(bytes, (at) => {
        const last = lastOffset(bytes, at)
        while (aborts.length > 0 && aborts[0]!.firstOffset <= last) aborted.add(aborts.shift()!.producerId)
        const producer = producerId(bytes, at)
        let marker: ReadBatch['marker'] = null
        let records: ReadRecord[] = []
        if (isControl(bytes, at)) {
          const control = readControlRecord(bytes, at)
          if (control !== null) marker = control.type === ControlType.ABORT ? 'ABORT' : 'COMMIT'
          if (marker === 'ABORT') aborted.delete(producer)
        } else if (!committed || !isTransactional(bytes, at) || !aborted.has(producer))
          records = Array.from(readRecords(bytes, at), (record) => ({
            offset: record.offset,
            timestamp: record.timestamp,
            key: decoder.decode(record.key!),
            value: record.value === null ? null : decoder.decode(record.value),
          })).filter((record) => record.offset >= from)
        if (last >= offset) {
          batches.push({ baseOffset: baseOffset(bytes, at), lastOffset: last, records, marker })
          offset = last + 1n
        }
      })
      assert.ok(offset > before || slice.length === 0, `nothing could be read at ${offset}`)
      if (offset === before) break
    }
    return batches
  }

  /** What the log should come to for a reader of committed records. */
  expectedValues(): Map<string, string> {
    const values = new Map<string, string>()
    for (const batch of this.batches)
      if (this.outcomeOf(batch) === 'committed' && batch.lastOffset < this.log.lastStableOffset)
        for (const [key, value] of batch.records) apply(values, key, value)
    return values
  }

  outcomeOf(batch: AppendedBatch): 'committed' | 'aborted' | 'open' {
    if (!batch.isTransactional) return 'committed'
    const end = this.batches.find(
      (other) => other.marker !== null && other.producer === batch.producer && other.baseOffset >= batch.baseOffset,
    )
    return end === undefined ? 'open' : end.marker === 'COMMIT' ? 'committed' : 'aborted'
  }

  /** The log holds nothing but what was appended, where it was appended, and comes to the same. */
  check(): void {
    assert.deepEqual(this.world.failures, [])
    assert.equal(this.log.cleaning.isUncleanable, false, JSON.stringify(this.world.lines.at(-1), replacer))
    const appended = new Map<bigint, ReadRecord>()
    for (const { baseOffset: first, records, timestamp } of this.batches)
      for (const [index, [key, value]] of records.entries())
        appended.set(first + BigInt(index), { offset: first + BigInt(index), timestamp, key, value })
    const end = this.batches.at(-1)?.lastOffset ?? -1n
    assert.equal(this.log.logEndOffset, end + 1n)
    let next = 0n
    const values = new Map<string, string>()
    for (const batch of this.read()) {
      assert.ok(batch.baseOffset >= next, `a batch begins at ${batch.baseOffset}, the one before ended before ${next}`)
      next = batch.lastOffset + 1n
      for (const record of batch.records) assert.deepEqual(record, appended.get(record.offset))
    }
    for (const { records } of this.read({ committed: true }))
      for (const { key, value } of records) apply(values, key, value)
    assert.deepEqual(sorted(values), sorted(this.expectedValues()))
    this.#checkProducers()
    const firstOpen = this.batches.find((batch) => this.outcomeOf(batch) === 'open')?.baseOffset
    assert.equal(this.log.lastStableOffset, firstOpen ?? end + 1n)
  }

  #checkProducers(): void {
    for (const producer of new Set(this.batches.flatMap(({ producer: id }) => (id === null ? [] : [id])))) {
      const { epoch, nextSequence, isOpen } = this.producer(producer)
      const entry = this.log.producers.all.get(BigInt(producer))
      assert.ok(entry !== undefined, `producer ${producer} is forgotten`)
      assert.deepEqual(
        { epoch: entry.epoch, nextSequence: entry.lastSequence + 1, isOpen: entry.currentTxnFirstOffset >= 0n },
        { epoch, nextSequence, isOpen },
      )
    }
  }

  /** A follower that begins with nothing gets the same log, and knows the same of its producers. */
  async checkFollower(): Promise<void> {
    const { log, world } = this
    const { disk, clock, random } = world.host
    disk.makeDirectorySync('/follower')
    const follower = PartitionLog.create({
      services: createLogServices({ disk, clock, random, files: new FilePool({ disk }) }),
      logger: silentLogger,
      directory: '/follower',
      topic: 't',
      partition: 0,
      config: log.config,
      onFailure: (error) => {
        throw error
      },
    })
    while (follower.logEndOffset < log.writtenEndOffset) {
      const slice = log.locate(follower.logEndOffset, { maxBytes: 700, minOneBatch: true, upTo: 'log-end' })
      const bytes = new Uint8Array(slice.length)
      slice.readSync(bytes)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      follower.appendAsFollower(bytes, { leaderEpoch: 0 }, (error) => (error === null ? resolve() : reject(error)))
      await world.run(promise)
    }
    follower.setHighWatermark(log.highWatermark)
    assert.equal(follower.logEndOffset, log.logEndOffset)
    assert.equal(follower.lastStableOffset, log.lastStableOffset)
    assert.equal(follower.sizeBytes, log.sizeBytes)
    for (const { producerId: id, epoch, lastSequence, currentTxnFirstOffset } of log.producers.all.values()) {
      const known = follower.producers.all.get(id)
      assert.deepEqual(
        [known?.epoch, known?.lastSequence, known?.currentTxnFirstOffset],
        [epoch, lastSequence, currentTxnFirstOffset],
        `producer ${id}`,
      )
    }
    follower.abandon(new Error('the test is over'))
  }

  /** Names in the log's directory with this ending. */
  names(ending: string): string[] {
    return this.world.names('/a/t-0').filter((name) => name.endsWith(ending))
  }

  /** Forgets what a crash has taken. Only whole batches can be lost, and only those behind what the log still has. */
  forgetLost(): void {
    const end = this.log.logEndOffset
    this.batches = this.batches.filter(({ lastOffset: last }) => last < end)
    assert.equal((this.batches.at(-1)?.lastOffset ?? -1n) + 1n, end, 'a part of a batch was lost')
    this.log.setHighWatermark(this.log.writtenEndOffset)
  }

  async reopen(): Promise<void> {
    await this.world.run(this.manager.close())
    await this.open()
  }

  async kill(): Promise<void> {
    this.world.host.crashProcess()
    await this.#restart()
  }

  /** What is known of producers has to come from the records alone. */
  async killAndLoseSnapshots(): Promise<void> {
    const { host } = this.world
    host.crashProcess()
    for (const name of this.names('.snapshot')) host.disk.removeSync(`/a/t-0/${name}`)
    await this.#restart()
  }

  async powerFailure(keep: 'random' | 'nothing'): Promise<void> {
    this.world.host.crash(keep)
    await this.#restart()
  }

  /**
   * The process dies, or the machine, at the disk operation after so many more, while time passes. Returns whether it came to that.
   */
  async crashWithin(operations: number, ms: number, crash: 'kill' | 'random' | 'nothing'): Promise<void> {
    let left = operations
    const fault = this.world.host.disk.fail({ operation: 'any', code: 'EIO', path: () => left-- <= 0 })
    await this.advance(ms)
    fault[Symbol.dispose]()
    if (crash === 'kill') await this.kill()
    else await this.powerFailure(crash)
  }

  async #restart(): Promise<void> {
    this.world.failures.length = 0
    await this.open()
    this.forgetLost()
  }
}

function apply(values: Map<string, string>, key: string, value: string | null): void {
  if (value === null) values.delete(key)
  else values.set(key, value)
}

function sorted(values: Map<string, string>): [string, string][] {
  return [...values].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function replacer(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value instanceof Error ? value.stack : value
}
