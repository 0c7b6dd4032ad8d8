/**
 * Reads a partition of a coordinator's topic from its start and replays every record, in slices that leave the event loop to others.
 * Source: Kafka's CoordinatorLoaderImpl.
 */
import {
  baseOffset,
  ControlType,
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  magicOf,
  producerEpoch,
  producerId,
  Reader,
  readControlRecord,
  type RecordTypes,
} from '@millrace/protocol'
import { type Clock, type Logger, TimeSlice } from '@millrace/runtime'
import type { PartitionLog } from '@millrace/storage'
import { decodeRecord, recordsOf } from './coordinator-batch.ts'
import type { CoordinatorShard } from './coordinator-shard.ts'

export interface LoadOptions {
  readonly log: PartitionLog
  readonly shard: CoordinatorShard
  readonly types: RecordTypes
  /** Bytes read at once; a batch that is larger is read whole all the same. */
  readonly bufferBytes: number
  readonly clock: Clock
  readonly logger: Logger
  /** The load is not wanted any more. Then it ends early. */
  readonly isStopped: () => boolean
}

export interface LoadSummary {
  /** Everything below is replayed. */
  readonly endOffset: bigint
  readonly records: number
  readonly sizeBytes: number
}

/** null when it was stopped. @throws KafkaError of the log, and what `replay` throws. */
export async function loadShard(options: LoadOptions): Promise<LoadSummary | null> {
  const { log, isStopped } = options
  const slice = new TimeSlice(options.clock)
  const replay = new Replay(options)
  let buffer = new Uint8Array(0)
  let offset = log.logStartOffset
  let sizeBytes = 0
  await log.drained()
  while (offset < log.writtenEndOffset) {
    if (isStopped()) return null
    const located = log.locate(offset, { maxBytes: options.bufferBytes, minOneBatch: true, upTo: 'log-end' })
    // Compaction has removed all that followed.
    if (located.length === 0) break
    if (located.length > buffer.length) buffer = new Uint8Array(Math.max(located.length, options.bufferBytes))
    const bytes = buffer.subarray(0, located.length)
    if (located.recentlyWritten) located.readSync(bytes)
    else await located.read(bytes)
    let at = 0
    while (at < bytes.length) {
      if (slice.isOver) await slice.nextTurn()
      if (isStopped()) return null
      const next = forEachBatch(
        bytes,
        (position) => {
          offset = replay.batch(bytes, position, offset) + 1n
          return !slice.isOver
        },
        at,
      )
      if (next === at) break
      sizeBytes += next - at
      at = next
    }
    if (at === 0) throw new Error(`${log.topic}-${log.partition}: no whole batch at offset ${offset}`)
  }
  replay.reportSkipped()
  return { endOffset: log.writtenEndOffset, records: replay.records, sizeBytes }
}

class Replay {
  records = 0
  readonly #options: LoadOptions
  readonly #skippedTypes = new Map<number, number>()

  constructor(options: LoadOptions) {
    this.#options = options
  }

  /** Replays what the batch has from offset `from` on. Returns the last offset of the batch. */
  batch(bytes: Uint8Array, at: number, from: bigint): bigint {
    const { shard, types } = this.#options
    const first = baseOffset(bytes, at)
    const last = lastOffset(bytes, at)
    if (magicOf(bytes, at) < 2) throw new Error(`a message set of magic ${magicOf(bytes, at)} at offset ${first}`)
    const producer = { producerId: producerId(bytes, at), producerEpoch: producerEpoch(bytes, at) }
    if (isControl(bytes, at)) {
      const marker = readControlRecord(bytes, at)
      if (marker?.type === ControlType.COMMIT) shard.endTransaction?.(producer, 'COMMIT')
      else if (marker?.type === ControlType.ABORT) shard.endTransaction?.(producer, 'ABORT')
      return last
    }
    const transaction = isTransactional(bytes, at) ? producer : null
    for (const { offsetDelta, key, value } of recordsOf(bytes, at)) {
      const offset = first + BigInt(offsetDelta)
      if (offset < from || key === null) continue
      try {
        const record = decodeRecord(types, key, value)
        if (record === null) this.#skip(key)
        else shard.replay(record, { offset, transaction })
      } catch (error) {
        throw new Error(`the record at offset ${offset} cannot be applied`, { cause: error })
      }
      this.records++
    }
    return last
  }

  reportSkipped(): void {
    for (const [type, count] of this.#skippedTypes)
      this.#options.logger.warn('records of an unknown type were passed over', { type, count })
  }

  #skip(key: Uint8Array): void {
    const type = new Reader(key).int16()
    this.#skippedTypes.set(type, (this.#skippedTypes.get(type) ?? 0) + 1)
  }
}
