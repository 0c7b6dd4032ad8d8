/** Checks the batches of a segment one by one, notes them in the indexes, and cuts the segment at the first bad one. */
import type { LeaderEpochs } from '../leader-epochs.ts'
import type { LogServices } from '../log-services.ts'
import type { ProducerStates } from '../producers/producer-states.ts'
import { replayBatch } from '../producers/replay.ts'
import { BatchCursor } from './batch-cursor.ts'
import type { Segment } from './segment.ts'

export interface ScanOptions {
  readonly segment: Segment
  /** Where the scan begins: the start of a batch. The indexes hold what lies before it. */
  readonly position: number
  /** Their state is that before the first batch scanned. */
  readonly producers: ProducerStates
  readonly leaderEpochs: LeaderEpochs
  readonly services: LogServices
}

export interface ScanResult {
  /** Behind the last good batch; the base offset of the segment when there is none at all. */
  readonly endOffset: bigint
  readonly cutBytes: number
  readonly goodBatches: number
  /** Why it was cut; null when it was not. */
  readonly problem: string | null
}

const chunkBytes = 1024 * 1024
/** A read this small is not worth the way over the thread pool. */
const syncReadBytes = 128 * 1024

export async function scanSegment({
  segment,
  position,
  producers,
  leaderEpochs,
  services,
}: ScanOptions): Promise<ScanResult> {
  const fileBytes = segment.writtenBytes
  const isSmall = fileBytes - position <= syncReadBytes
  const buffer = services.chunks.acquire(Math.max(4096, Math.min(chunkBytes, fileBytes - position)))
  try {
    const cursor = new BatchCursor(buffer).reset(segment.log, position, fileBytes)
    let problem: string | null = null
    let endOffset = segment.baseOffset
    let endPosition = position
    let goodBatches = 0
    const scanner = new Scanner(segment, producers, leaderEpochs)
    segment.startNotingAt(position)
    for (let step = cursor.step(); step !== 'end'; step = cursor.step()) {
      if (step === 'fill') {
        if (isSmall) cursor.fillSync()
        else await cursor.fill()
        continue
      }
      problem = await findProblem(cursor, segment, endOffset)
      if (problem !== null) break
      scanner.note(cursor)
      goodBatches++
      endOffset = cursor.lastOffset + 1n
      endPosition = cursor.nextPosition
    }
    problem ??= cursor.problem
    const cutBytes = fileBytes - endPosition
    if (cutBytes > 0) scanner.cut(endPosition, endOffset)
    return {
      endOffset,
      cutBytes,
      goodBatches,
      problem: cutBytes > 0 ? `at ${endPosition}: ${problem ?? 'unknown'}` : null,
    }
  } finally {
    services.chunks.release(buffer)
  }
}

async function findProblem(cursor: BatchCursor, segment: Segment, endOffset: bigint): Promise<string | null> {
  const { baseOffset, lastOffset, sizeBytes } = cursor
  if (lastOffset < baseOffset || baseOffset < endOffset)
    return `a batch of offsets ${baseOffset} to ${lastOffset} where at least ${endOffset} is expected`
  if (!segment.canHold(lastOffset))
    throw new Error(
      `${segment.path}: offset ${lastOffset} is too far from the base offset for an index; the segment is of a Kafka before 2.0, which a Kafka of today has to split first`,
    )
  return (await cursor.hasValidCrc())
    ? null
    : `the checksum of the batch of ${sizeBytes} bytes at offset ${baseOffset} is wrong`
}

class Scanner {
  readonly #segment: Segment
  readonly #producers: ProducerStates
  readonly #leaderEpochs: LeaderEpochs
  #firstOffset: bigint | null = null

  constructor(segment: Segment, producers: ProducerStates, leaderEpochs: LeaderEpochs) {
    this.#segment = segment
    this.#producers = producers
    this.#leaderEpochs = leaderEpochs
  }

  note(cursor: BatchCursor): void {
    const segment = this.#segment
    if (this.#firstOffset === null) {
      this.#firstOffset = cursor.baseOffset
      // Aborts of the batches scanned are added again.
      segment.indexes.transactions?.truncate(cursor.baseOffset)
    }
    segment.noteBatch(cursor.sizeBytes, cursor.lastOffset, cursor.maxTimestamp)
    segment.wrote(cursor.nextPosition)
    if (cursor.leaderEpoch >= 0 && cursor.leaderEpoch > this.#leaderEpochs.latest)
      this.#leaderEpochs.assign(cursor.leaderEpoch, cursor.baseOffset)
    const completed = replayBatch(this.#producers, cursor)
    if (completed === null) return
    if (completed.isAborted)
      segment.indexes.transactionsForWriting.append({
        producerId: completed.producerId,
        firstOffset: completed.firstOffset,
        lastOffset: completed.lastOffset,
        lastStableOffset: this.#producers.stableOffsetAfter(completed),
      })
    this.#producers.complete(completed)
  }

  cut(position: number, endOffset: bigint): void {
    this.#segment.cutAt(position)
    this.#segment.indexes.truncate(endOffset)
  }
}
