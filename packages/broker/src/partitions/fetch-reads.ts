/**
 * Reading several partitions for one Fetch: where the bytes are and how many, the wait until there are enough, and then the bytes.
 * Sizes come from the index; bytes are read once, when the answer is certain.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Logger, Timer } from '@millrace/runtime'
import type { LogSlice } from '@millrace/storage'
import type { FetchPartition } from './fetch-sessions.ts'
import type { FetchWaiter, Partition } from './partition.ts'
import type { Partitions } from './partitions.ts'

export interface FetchLimits {
  readonly minBytes: number
  /** Soft: the first partition that has data gives one whole batch, whatever its size. */
  readonly maxBytes: number
  readonly readCommitted: boolean
}

export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: bigint
}

/** What one partition has to say, without its bytes. Offsets are -1n where unknown. */
export interface PartitionRead {
  readonly request: FetchPartition
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  readonly divergingEpoch: EpochEnd | null
  readonly slice: LogSlice | null
}

export function failedRead(request: FetchPartition, errorCode: number): PartitionRead {
  return {
    request,
    errorCode,
    highWatermark: -1n,
    lastStableOffset: -1n,
    logStartOffset: -1n,
    divergingEpoch: null,
    slice: null,
  }
}

/** Locates the bytes for each partition in order, under one limit for all. */
export function locateAll(
  partitions: Partitions,
  requests: readonly FetchPartition[],
  limits: FetchLimits,
): PartitionRead[] {
  let remaining = Math.max(0, limits.maxBytes)
  let minOneBatch = true
  return requests.map((request) => {
    const maxBytes = Math.min(Math.max(0, request.maxBytes), remaining)
    const read = locateOne(partitions, request, maxBytes, minOneBatch, limits.readCommitted)
    const length = sizeOf(read)
    if (length > 0) minOneBatch = false
    remaining = Math.max(0, remaining - length)
    return read
  })
}

/** What of it can be sent: a first batch that does not fit is left out whole, as a client could do nothing with a part. */
function sizeOf({ slice }: PartitionRead): number {
  return slice === null || slice.firstBatchIncomplete ? 0 : slice.length
}

function locateOne(
  partitions: Partitions,
  request: FetchPartition,
  maxBytes: number,
  minOneBatch: boolean,
  readCommitted: boolean,
): PartitionRead {
  try {
    if (request.topic === null) return failedRead(request, ErrorCode.UNKNOWN_TOPIC_ID)
    const partition = partitions.find(request.topic, request.index, request.topicId)
    const log = partition.leaderLog(request.currentLeaderEpoch)
    const offsets = {
      request,
      errorCode: ErrorCode.NONE,
      highWatermark: log.highWatermark,
      lastStableOffset: log.lastStableOffset,
      logStartOffset: log.logStartOffset,
    }
    const diverging = divergence(partition, request)
    if (diverging !== null) return { ...offsets, divergingEpoch: diverging, slice: null }
    const slice = log.locate(request.fetchOffset, {
      maxBytes,
      minOneBatch,
      upTo: readCommitted ? 'last-stable-offset' : 'high-watermark',
    })
    return { ...offsets, divergingEpoch: null, slice }
  } catch (error) {
    if (error instanceof KafkaError) return failedRead(request, error.code)
    throw error
  }
}

/** Where the fetcher's history parts from this log, when it does (KIP-595's truncation on fetch). */
function divergence(partition: Partition, request: FetchPartition): EpochEnd | null {
  if (request.lastFetchedEpoch < 0) return null
  const end = partition.log.leaderEpochs.endOffsetFor(request.lastFetchedEpoch, partition.log.logEndOffset)
  if (end.epoch < 0 || end.endOffset < 0n)
    throw new KafkaError(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `${partition.name} knows no end of leader epoch ${request.lastFetchedEpoch}, the last one fetched`,
    )
  // Below the log start nothing can be compared: the log says that the offset is out of range.
  if (request.fetchOffset < partition.log.logStartOffset) return null
  return end.epoch < request.lastFetchedEpoch || end.endOffset < request.fetchOffset ? end : null
}

/**
 * Whether the answer should go out now rather than wait for more. Partitions that do not exist do not hasten it, unless there are no others: a
 * client that still asks for a deleted topic would else be answered without end.
 */
export function isReady(reads: readonly PartitionRead[], minBytes: number): boolean {
  let total = 0
  let isAnyThere = false
  for (const read of reads) {
    if (isAbsent(read)) continue
    isAnyThere = true
    if (saysMoreThanBytes(read)) return true
    total += sizeOf(read)
  }
  return !isAnyThere || total >= minBytes
}

function isAbsent({ errorCode }: PartitionRead): boolean {
  return errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || errorCode === ErrorCode.UNKNOWN_TOPIC_ID
}

/** The client has to know it at once, however few bytes there are; or there will not be more, as they are in the next segment. */
function saysMoreThanBytes({ errorCode, divergingEpoch, slice }: PartitionRead): boolean {
  return errorCode !== ErrorCode.NONE || divergingEpoch !== null || slice?.moreFollows === true
}

/**
 * Resolves when the partitions together have `minBytes` to read, when one of them fails or changes its role, when `maxWaitMs` is
 * over, or when there is no point in waiting any more, which `onHurry` tells.
 */
export function waitForBytes(options: {
  partitions: Partitions
  reads: readonly PartitionRead[]
  limits: FetchLimits
  maxWaitMs: number
  clock: Clock
  onHurry: (listener: () => void) => () => void
}): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wait = new BytesWait(options.partitions, options.reads, options.limits, resolve)
  wait.begin(options.clock, options.maxWaitMs, options.onHurry)
  return promise
}

class BytesWait implements FetchWaiter {
  readonly #partitions: Partitions
  readonly #limits: FetchLimits
  readonly #finished: () => void
  readonly #requests = new Map<Partition, FetchPartition>()
  readonly #bytes = new Map<Partition, number>()
  #total = 0
  #timer: Timer | undefined
  #forgetHurry: (() => void) | undefined
  #isOver = false

  constructor(partitions: Partitions, reads: readonly PartitionRead[], limits: FetchLimits, finished: () => void) {
    this.#partitions = partitions
    this.#limits = limits
    this.#finished = finished
    for (const read of reads) {
      const { request } = read
      const partition = request.topic === null ? undefined : partitions.get(request.topic, request.index)
      if (partition === undefined || isAbsent(read)) continue
      this.#requests.set(partition, request)
      this.#bytes.set(partition, sizeOf(read))
      this.#total += sizeOf(read)
    }
  }

  begin(clock: Clock, maxWaitMs: number, onHurry: (listener: () => void) => () => void): void {
    for (const partition of this.#requests.keys()) partition.addFetchWaiter(this)
    this.#timer = clock.after(maxWaitMs, () => this.#end())
    this.#forgetHurry = onHurry(() => this.#end())
    if (this.#isOver) this.#forgetHurry()
  }

  partitionMoved(partition: Partition): void {
    const request = this.#requests.get(partition)
    if (request === undefined) return
    const { minBytes, maxBytes, readCommitted } = this.#limits
    const read = locateOne(this.#partitions, request, Math.min(request.maxBytes, maxBytes), true, readCommitted)
    const length = sizeOf(read)
    this.#total += length - (this.#bytes.get(partition) ?? 0)
    this.#bytes.set(partition, length)
    if (this.#total >= minBytes || saysMoreThanBytes(read)) this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const partition of this.#requests.keys()) partition.removeFetchWaiter(this)
    this.#timer?.cancel()
    this.#forgetHurry?.()
    this.#finished()
  }
}

/** Ranges up to this size that were written or read lately are read at once: the page cache answers faster than a thread wakes. */
const syncReadBytes = 1 << 20

/** Bytes that `readBytes` will want a buffer for. */
export function totalBytes(reads: readonly PartitionRead[]): number {
  let total = 0
  for (const read of reads) total += sizeOf(read)
  return total
}

/**
 * Reads the located bytes one behind the other into `buffer`, which holds at least `totalBytes`. Returns views parallel to `reads`; null
 * where there is nothing to read. A partition whose bytes cannot be read (its log was cut, closed or removed meanwhile, or the disk
 * failed) becomes a failed one in `reads`; the others go on.
 */
export async function readBytes(
  reads: PartitionRead[],
  buffer: Uint8Array,
  logger: Logger,
): Promise<(Uint8Array | null)[]> {
  const records: (Uint8Array | null)[] = reads.map(() => null)
  let at = 0
  for (const [position, read] of reads.entries()) {
    const length = sizeOf(read)
    const { slice, request } = read
    if (slice === null || length === 0) continue
    const into = buffer.subarray(at, at + length)
    try {
      if (slice.recentlyWritten && length <= syncReadBytes) slice.readSync(into)
      else await slice.read(into)
      records[position] = into
      at += length
    } catch (error) {
      const isKnown = error instanceof KafkaError
      if (!isKnown)
        logger.error(`cannot read ${length} bytes of ${request.topic}-${request.index} at ${request.fetchOffset}`, {
          error,
        })
      reads[position] = failedRead(request, isKnown ? error.code : ErrorCode.KAFKA_STORAGE_ERROR)
    }
  }
  return records
}
