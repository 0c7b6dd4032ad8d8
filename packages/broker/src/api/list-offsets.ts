/**
 * Offsets by timestamp or by a special position: latest, earliest, of the greatest timestamp (from 7, KIP-734), earliest local
 * (8, KIP-405), latest tiered (9, KIP-1005), earliest not yet tiered (11, KIP-1023). Leader epoch from 4. Version 0 answers with a list.
 */
import { ErrorCode, KafkaError, ListOffsets, type Request, type ResponseInput } from '@millrace/protocol'
import type { PartitionLog } from '@millrace/storage'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'

type PartitionQuestion = Request<typeof ListOffsets>['topics'][number]['partitions'][number]
type PartitionAnswer = ResponseInput<typeof ListOffsets>['topics'][number]['partitions'][number]

const latest = -1n
const earliest = -2n
const maxTimestamp = -3n
const earliestLocal = -4n
const latestTiered = -5n
const earliestPendingUpload = -6n

/** The first version in which a special position may be asked for. */
const sinceVersion = new Map<bigint, number>([
  [latest, 0],
  [earliest, 0],
  [maxTimestamp, 7],
  [earliestLocal, 8],
  [latestTiered, 9],
  [earliestPendingUpload, 11],
])

export const listOffsets = handler(ListOffsets, async (request, context) => {
  const duplicates = duplicatesOf(request)
  return {
    throttleTimeMs: 0,
    topics: await Promise.all(
      request.topics.map(async ({ name, partitions }) => ({
        name,
        partitions: await Promise.all(
          partitions.map((question) =>
            duplicates.has(`${name}:${question.partitionIndex}`)
              ? refused(question, ErrorCode.INVALID_REQUEST)
              : answer(name, question, request, context),
          ),
        ),
      })),
    ),
  }
})

function duplicatesOf(request: Request<typeof ListOffsets>): Set<string> {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}:${partitionIndex}`
      if (seen.has(key)) duplicates.add(key)
      seen.add(key)
    }
  }
  return duplicates
}

function refused(question: PartitionQuestion, errorCode: number): PartitionAnswer {
  return { partitionIndex: question.partitionIndex, errorCode, timestamp: -1n, offset: -1n, oldStyleOffsets: [] }
}

async function answer(
  topic: string,
  question: PartitionQuestion,
  request: Request<typeof ListOffsets>,
  context: RequestContext,
): Promise<PartitionAnswer> {
  const { timestamp } = question
  const since = timestamp >= 0n ? 0 : sinceVersion.get(timestamp)
  if (since === undefined || context.version < since) return refused(question, ErrorCode.UNSUPPORTED_VERSION)
  try {
    const partition = context.broker.partitions.find(topic, question.partitionIndex)
    const log = partition.leaderLog(question.currentLeaderEpoch)
    const readCommitted = request.isolationLevel === 1
    if (context.version === 0)
      return {
        ...refused(question, ErrorCode.NONE),
        oldStyleOffsets: offsetsBefore(log, timestamp, question.maxNumOffsets),
      }
    const found = await find(log, timestamp, readCommitted)
    if (found === null) return refused(question, ErrorCode.NONE)
    return {
      partitionIndex: question.partitionIndex,
      errorCode: ErrorCode.NONE,
      timestamp: found.timestamp,
      offset: found.offset,
      ...(context.version >= 4 ? { leaderEpoch: found.leaderEpoch } : {}),
    }
  } catch (error) {
    if (error instanceof KafkaError) return refused(question, error.code)
    throw error
  }
}

interface FoundOffset {
  readonly offset: bigint
  /** -1n for a position that is not a record's. */
  readonly timestamp: bigint
  readonly leaderEpoch: number
}

async function find(log: PartitionLog, timestamp: bigint, readCommitted: boolean): Promise<FoundOffset | null> {
  const end = readCommitted ? log.lastStableOffset : log.highWatermark
  if (timestamp === latest) return { offset: end, timestamp: -1n, leaderEpoch: log.leaderEpochs.latest }
  // Nothing is tiered: what is local is all there is.
  if (timestamp === earliest || timestamp === earliestLocal)
    return {
      offset: log.logStartOffset,
      timestamp: -1n,
      leaderEpoch: log.leaderEpochs.epochForOffset(log.logStartOffset),
    }
  if (timestamp === latestTiered || timestamp === earliestPendingUpload)
    return { offset: -1n, timestamp: -1n, leaderEpoch: -1 }
  const found = timestamp === maxTimestamp ? await log.maxTimestampOffset() : await log.offsetForTimestamp(timestamp)
  if (found === null || found.offset >= end) return null
  return {
    offset: found.offset,
    timestamp: found.timestamp,
    leaderEpoch: log.leaderEpochs.epochForOffset(found.offset),
  }
}

/** Version 0: the starts of up to `limit` segments at or before the position, newest first, the end itself ahead of them. */
function offsetsBefore(log: PartitionLog, timestamp: bigint, limit: number): bigint[] {
  if (timestamp === earliest) return [log.logStartOffset].slice(0, limit)
  const starts = log
    .segmentStarts(timestamp === latest ? null : timestamp)
    .filter((offset) => offset < log.highWatermark)
  const offsets = timestamp === latest ? [log.highWatermark, ...starts.toReversed()] : starts.toReversed()
  return offsets.slice(0, limit)
}
