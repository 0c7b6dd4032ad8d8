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

/** Followers have their broker id here, debugging tools -2: these see all that is written. */
const consumerReplicaId = -1

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
          partitions.map(async (question) =>
            duplicates.has(`${name}:${question.partitionIndex}`)
              ? refused(question, ErrorCode.INVALID_REQUEST)
              : await answer(name, question, request, context),
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
    if (context.version === 0)
      return {
        ...refused(question, ErrorCode.NONE),
        oldStyleOffsets: offsetsBefore(log, timestamp, question.maxNumOffsets),
      }
    const isConsumer = request.replicaId === consumerReplicaId
    const end = !isConsumer
      ? log.writtenEndOffset
      : request.isolationLevel === 1
        ? log.lastStableOffset
        : log.highWatermark
    if (timestamp === latest) {
      if (isConsumer && partition.isHighWatermarkBehind) return refused(question, notAvailable(context.version))
      return found(question, context, { offset: end, timestamp: -1n, leaderEpoch: partition.leaderEpoch })
    }
    const offset = await find(log, timestamp)
    const isSpecial = timestamp < 0n && timestamp !== maxTimestamp
    if (offset !== null && (isSpecial || offset.offset < end)) return found(question, context, offset)
    if (isConsumer && partition.isHighWatermarkBehind) return refused(question, notAvailable(context.version))
    return refused(question, ErrorCode.NONE)
  } catch (error) {
    if (error instanceof KafkaError) return refused(question, error.code)
    context.broker.logger.error(`cannot tell an offset of ${topic}-${question.partitionIndex}`, { error, timestamp })
    return refused(question, ErrorCode.UNKNOWN_SERVER_ERROR)
  }
}

/** The answer while the high watermark has not caught up after an election: that is not the end of what was acknowledged. */
function notAvailable(version: number): number {
  return version >= 5 ? ErrorCode.OFFSET_NOT_AVAILABLE : ErrorCode.LEADER_NOT_AVAILABLE
}

function found(
  { partitionIndex }: PartitionQuestion,
  { version }: RequestContext,
  { timestamp, offset, leaderEpoch }: FoundOffset,
): PartitionAnswer {
  const answered = { partitionIndex, errorCode: ErrorCode.NONE, timestamp, offset }
  return version >= 4 ? { ...answered, leaderEpoch } : answered
}

interface FoundOffset {
  readonly offset: bigint
  /** -1n for a position that is not a record's. */
  readonly timestamp: bigint
  readonly leaderEpoch: number
}

async function find(log: PartitionLog, timestamp: bigint): Promise<FoundOffset | null> {
  // Nothing is tiered: what is local is all there is.
  if (timestamp === earliest || timestamp === earliestLocal) return { ...log.earliestOffset(), timestamp: -1n }
  if (timestamp === latestTiered || timestamp === earliestPendingUpload)
    return { offset: -1n, timestamp: -1n, leaderEpoch: -1 }
  return timestamp === maxTimestamp ? await log.maxTimestampOffset() : await log.offsetForTimestamp(timestamp)
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
