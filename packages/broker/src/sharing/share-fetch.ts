/**
 * Reading for a member of a share group: from each of its partitions that nobody reads at the moment, what can be acquired there; and the wait
 * until there is enough. Where a plain fetch waits for the log alone, this one also waits for records that others give back.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { BufferPool, Clock, Logger } from '@millrace/runtime'
import { isReady, locateAll, readBytes, totalBytes, type PartitionRead } from '../partitions/fetch-reads.ts'
import type { FetchPartition } from '../partitions/fetch-sessions.ts'
import type { Partition } from '../partitions/partition.ts'
import type { Partitions } from '../partitions/partitions.ts'
import type { AcquiredRange, AcquireMode } from './acquire.ts'
import { bytesHolding, fetchedBatches } from './fetched-batches.ts'
import type { SharePartition } from './share-partition.ts'
import type { SharePartitions } from './share-partitions.ts'
import type { SharedPartitionId } from './share-sessions.ts'

export interface ShareFetchRequest {
  readonly groupId: string
  readonly memberId: string
  /** In the order in which they are served. */
  readonly partitions: readonly SharedPartitionId[]
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxRecords: number
  readonly batchSize: number
  readonly mode: AcquireMode
  readonly readCommitted: boolean
  /** Calls the listener when there is no point in waiting any more. */
  readonly onHurry: (listener: () => void) => () => void
}

export interface ShareFetchServices {
  readonly shares: SharePartitions
  readonly partitions: Partitions
  readonly clock: Clock
  readonly logger: Logger
  /** For the bytes of the answer, which last until it is sent. */
  readonly takeBuffer: (sizeBytes: number) => ReturnType<BufferPool['acquire']>
}

export interface SharedRead extends SharedPartitionId {
  readonly errorCode: number
  /** null: none. */
  readonly records: Uint8Array | null
  readonly acquired: readonly AcquiredRange[]
}

/** What is read for a member that wants few records is bounded by about this, unless it says that it wants more bytes at least. */
const mostReadAheadBytes = 2 << 20
const leastReadAheadBytes = 64 * 1024

/** Resolves with what there is to tell of each partition; those of which there is nothing to tell are left out. */
export async function fetchShared(services: ShareFetchServices, request: ShareFetchRequest): Promise<SharedRead[]> {
  if (request.partitions.length === 0 || request.maxRecords <= 0 || request.maxBytes <= 0) return []
  return new SharedFetch(services, request).run()
}

interface Served {
  readonly id: SharedPartitionId
  readonly share: SharePartition
  readonly partition: Partition
}

interface LockedRead extends Served {
  readonly read: PartitionRead
}

class SharedFetch {
  readonly #services: ShareFetchServices
  readonly #request: ShareFetchRequest
  readonly #served: Served[] = []
  readonly #failed: SharedRead[] = []
  /** Ends the wait if there is reason to. */
  #look = (): void => {}
  /** The client is gone, or has not the patience. */
  #isHurried = false

  constructor(services: ShareFetchServices, request: ShareFetchRequest) {
    this.#services = services
    this.#request = request
  }

  async run(): Promise<SharedRead[]> {
    this.#findAll()
    if (this.#served.length === 0) return this.#failed
    const reads = this.#begin(false) ?? (await this.#wait())
    return [...(await this.#finish(reads)), ...this.#failed]
  }

  #findAll(): void {
    const { groupId, partitions } = this.#request
    for (const id of partitions) {
      try {
        const share = this.#services.shares.find(groupId, id)
        this.#served.push({ id, share, partition: this.#services.shares.partitionOf(id) })
        if (share.isActive) continue
        share.load().catch((error: unknown) => {
          this.#fail(id, error)
          this.#look()
        })
      } catch (error) {
        this.#fail(id, error)
      }
    }
  }

  #fail({ topicId, index }: SharedPartitionId, error: unknown): void {
    const isKnown = error instanceof KafkaError
    if (!isKnown) this.#services.logger.error(`cannot share ${topicId}-${index}`, { error })
    const errorCode = isKnown ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR
    this.#failed.push({ topicId, index, errorCode, records: null, acquired: [] })
  }

  /** Locks what can be read and returns where the bytes are, if there are enough or this is the last time; else null, with nothing locked. */
  #begin(isLast: boolean): LockedRead[] | null {
    const ready = this.#served.filter(({ share }) => share.isFree && share.canAcquire())
    if (ready.length === 0) return isLast || this.#failed.length === this.#request.partitions.length ? [] : null
    const minBytes = Math.min(this.#request.minBytes, this.#request.maxBytes)
    if (!isLast && minBytes > 0 && !ready.some((served) => this.#hasMore(served))) return null
    const maxBytes = Math.min(this.#request.maxBytes, Math.max(minBytes, mostReadAheadBytes))
    const each = Math.floor(maxBytes / ready.length)
    const wanted = ready.map((served) => this.#wantedOf(served, each, minBytes))
    const reads = locateAll(this.#services.partitions, wanted, {
      minBytes,
      maxBytes,
      readCommitted: this.#request.readCommitted,
    })
    if (!isLast && !isReady(reads, minBytes)) return null
    for (const { share } of ready) share.lock(this)
    return reads.map((read, position) => ({ read, ...ready[position]! }))
  }

  /** Cheaply: many may wait for the same partition. */
  #hasMore({ share, partition: { log } }: Served): boolean {
    const next = share.nextFetchOffset()
    return next < (this.#request.readCommitted ? log.lastStableOffset : log.highWatermark) || next < log.logStartOffset
  }

  #wantedOf({ id, share, partition }: Served, mostBytes: number, minBytes: number): FetchPartition {
    share.logStartMoved(partition.log.logStartOffset)
    const perRecord = share.likelyRecordBytes
    const likely = perRecord === null ? mostBytes : Math.ceil(perRecord * this.#request.maxRecords * 2)
    return {
      topic: partition.topic,
      topicId: id.topicId,
      index: id.index,
      fetchOffset: share.nextFetchOffset(),
      maxBytes: Math.min(mostBytes, Math.max(leastReadAheadBytes, minBytes, likely)),
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      logStartOffset: -1n,
    }
  }

  async #wait(): Promise<LockedRead[]> {
    const { promise, resolve } = Promise.withResolvers<LockedRead[] | null>()
    const look = (): void => {
      if (this.#look !== look) return
      const reads = this.#begin(false)
      if (reads === null) return
      this.#stopLooking(look)
      resolve(reads)
    }
    this.#look = look
    for (const { share } of this.#served) share.addWaiter(look)
    const timer = this.#services.clock.after(this.#request.maxWaitMs, () => {
      this.#stopLooking(look)
      resolve(this.#begin(true))
    })
    const forgetHurry = this.#request.onHurry(() => {
      this.#isHurried = true
      this.#stopLooking(look)
      resolve(null)
    })
    const reads = await promise
    timer.cancel()
    forgetHurry()
    return reads ?? []
  }

  #stopLooking(look: () => void): void {
    this.#look = () => {}
    for (const { share } of this.#served) share.removeWaiter(look)
  }

  /** Reads the bytes, acquires what is in them, and unlocks. */
  async #finish(located: LockedRead[]): Promise<SharedRead[]> {
    const forgetHurry = this.#request.onHurry(() => {
      this.#isHurried = true
    })
    try {
      const reads = located.map(({ read }) => read)
      const size = totalBytes(reads)
      const bytes = size === 0 ? null : await readBytes(reads, this.#services.takeBuffer(size), this.#services.logger)
      // What is acquired for somebody who is gone stays locked for nobody.
      if (this.#isHurried) return []
      let maxRecords = this.#request.maxRecords
      return located.map(({ id, share }, position) => {
        const read = reads[position]!
        const result = this.#acquire(share, read, bytes?.[position] ?? null, maxRecords)
        for (const { firstOffset, lastOffset } of result.acquired) maxRecords -= Number(lastOffset - firstOffset) + 1
        return { topicId: id.topicId, index: id.index, ...result }
      })
    } finally {
      forgetHurry()
      for (const { share } of located) share.unlock(this)
    }
  }

  #acquire(
    share: SharePartition,
    { request, slice, errorCode }: PartitionRead,
    bytes: Uint8Array | null,
    maxRecords: number,
  ): Pick<SharedRead, 'errorCode' | 'records' | 'acquired'> {
    // The log's start has passed the offset meanwhile: the next fetch begins there.
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) return { errorCode: ErrorCode.NONE, records: null, acquired: [] }
    if (errorCode !== ErrorCode.NONE || bytes === null) return { errorCode, records: null, acquired: [] }
    const batches = fetchedBatches(bytes, request.fetchOffset)
    if (batches.length === 0) return { errorCode, records: null, acquired: [] }
    share.noteRecordBytes(bytes.length, Number(batches.at(-1)!.lastOffset - batches[0]!.baseOffset) + 1)
    const { memberId, mode, batchSize, readCommitted } = this.#request
    const acquired = share.acquire({
      memberId,
      mode,
      batchSize,
      maxRecords,
      fetchOffset: request.fetchOffset,
      batches,
      aborted: readCommitted ? (slice?.abortedTransactions ?? []) : null,
    })
    if (acquired.length === 0) return { errorCode, records: null, acquired }
    const { start, end } = bytesHolding(batches, {
      firstOffset: acquired[0]!.firstOffset,
      lastOffset: acquired.at(-1)!.lastOffset,
    })
    return { errorCode, records: bytes.subarray(start, end), acquired }
  }
}
