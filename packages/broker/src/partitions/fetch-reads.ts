/**
 * Reading several partitions for one Fetch: where the bytes are and how many, the wait until there are enough, and then the bytes.
 * Sizes come from the index; bytes are read once, when the answer is certain.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { BufferPool, Clock, Timer } from '@millrace/runtime'
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
  let remaining = limits.maxBytes
  let minOneBatch = true
  return requests.map((request) => {
    const read = locateOne(
      partitions,
      request,
      Math.min(request.maxBytes, remaining),
      minOneBatch,
      limits.readCommitted,
    )
    const length = read.slice?.length ?? 0
    if (length > 0) minOneBatch = false
    remaining = Math.max(0, remaining - length)
    return read
  })
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
  return end.epoch < request.lastFetchedEpoch || end.endOffset < request.fetchOffset ? end : null
}

export function totalBytes(reads: readonly PartitionRead[]): number {
  let total = 0
  for (const read of reads) total += read.slice?.length ?? 0
  return total
}

/** Whether the answer should go out now rather than wait for more. */
export function isReady(reads: readonly PartitionRead[], minBytes: number): boolean {
  let total = 0
  for (const read of reads) {
    if (read.errorCode !== ErrorCode.NONE || read.divergingEpoch !== null) return true
    total += read.slice?.length ?? 0
  }
  return total >= minBytes
}

/**
 * Resolves when the partitions together have `minBytes` to read, when one of them fails or changes its role, when `maxWaitMs` is
 * over, or when the client has left, which `onLeave` tells.
 */
export function waitForBytes(options: {
  partitions: Partitions
  reads: readonly PartitionRead[]
  limits: FetchLimits
  maxWaitMs: number
  clock: Clock
  onLeave: (listener: () => void) => () => void
}): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wait = new BytesWait(options.partitions, options.reads, options.limits, resolve)
  wait.begin(options.clock, options.maxWaitMs, options.onLeave)
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
  #forgetLeave: (() => void) | undefined
  #isOver = false

  constructor(partitions: Partitions, reads: readonly PartitionRead[], limits: FetchLimits, finished: () => void) {
    this.#partitions = partitions
    this.#limits = limits
    this.#finished = finished
    for (const { request, slice } of reads) {
      const partition = request.topic === null ? undefined : partitions.get(request.topic, request.index)
      if (partition === undefined) continue
      this.#requests.set(partition, request)
      this.#bytes.set(partition, slice?.length ?? 0)
      this.#total += slice?.length ?? 0
    }
  }

  begin(clock: Clock, maxWaitMs: number, onLeave: (listener: () => void) => () => void): void {
    for (const partition of this.#requests.keys()) partition.addFetchWaiter(this)
    this.#timer = clock.after(maxWaitMs, () => this.#end())
    this.#forgetLeave = onLeave(() => this.#end())
    if (this.#isOver) this.#forgetLeave()
  }

  partitionMoved(partition: Partition): void {
    const request = this.#requests.get(partition)
    if (request === undefined) return
    const { minBytes, maxBytes, readCommitted } = this.#limits
    const read = locateOne(this.#partitions, request, Math.min(request.maxBytes, maxBytes), true, readCommitted)
    const length = read.slice?.length ?? 0
    this.#total += length - (this.#bytes.get(partition) ?? 0)
    this.#bytes.set(partition, length)
    if (this.#total >= minBytes || read.errorCode !== ErrorCode.NONE || read.divergingEpoch !== null) this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const partition of this.#requests.keys()) partition.removeFetchWaiter(this)
    this.#timer?.cancel()
    this.#forgetLeave?.()
    this.#finished()
  }
}

/** Ranges up to this size that were written or read lately are read at once: the page cache answers faster than a thread wakes. */
const syncReadBytes = 1 << 20

/**
 * Reads the located bytes into one pooled buffer. Returns views parallel to `reads` (null: nothing to read) and the buffer, which the
 * caller gives back to the pool when the views are used up; null when there was nothing at all.
 */
export async function readBytes(
  reads: readonly PartitionRead[],
  buffers: BufferPool,
): Promise<{ records: (Uint8Array | null)[]; buffer: Uint8Array | null }> {
  const total = totalBytes(reads)
  const records: (Uint8Array | null)[] = reads.map(() => null)
  if (total === 0) return { records, buffer: null }
  const buffer = buffers.acquire(total)
  try {
    let at = 0
    for (const [position, { slice }] of reads.entries()) {
      if (slice === null || slice.length === 0) continue
      const into = buffer.subarray(at, at + slice.length)
      if (slice.recentlyWritten && slice.length <= syncReadBytes) slice.readSync(into)
      else await slice.read(into)
      records[position] = into
      at += slice.length
    }
    return { records, buffer }
  } catch (error) {
    buffers.release(buffer)
    throw error
  }
}
