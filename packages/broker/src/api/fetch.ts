/**
 * Reads record batches. Sessions KIP-227 (from 7), leader epochs KIP-320 (from 9), topic ids KIP-516 (from 13). Versions 0-3 get
 * message sets of magic 0 or 1, converted from what is stored.
 */
import {
  Compression,
  compressionOf,
  downConvert,
  ErrorCode,
  Fetch,
  forEachBatch,
  KafkaError,
  magicOf,
  type Request,
  type ResponseInput,
  ZERO_UUID,
} from '@millrace/protocol'
import {
  failedRead,
  isReady,
  locateAll,
  readBytes,
  totalBytes,
  waitForBytes,
  type FetchLimits,
  type PartitionRead,
} from '../partitions/fetch-reads.ts'
import type { FetchContext, FetchPartition } from '../partitions/fetch-sessions.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { CurrentLeaders } from './current-leaders.ts'
import { takeBuffer } from './response-buffer.ts'

type FetchRequest = Request<typeof Fetch>
type TopicResult = ResponseInput<typeof Fetch>['responses'][number]
type PartitionResult = TopicResult['partitions'][number]

const firstVersionWithoutConversion = 4
const firstVersionWithZstd = 10
const firstVersionWithTopicIds = 13
/** What a request without maxBytes of its own (versions 0-2) may get. */
const unlimitedBytes = 0x7fffffff
/** Converting for old clients means to unpack and pack again, while everybody waits. */
const mostBytesToConvert = 1 << 20

export const fetch = handler(Fetch, async (request, context) => {
  const { broker } = context
  const session = openSession(request, context)
  if (session.errorCode !== ErrorCode.NONE)
    return { errorCode: session.errorCode, sessionId: 0, responses: [], throttleTimeMs: 0 }

  const partitions = [...session.partitions]
  const locate = (limits: FetchLimits) =>
    isFromFollower(request)
      ? partitions.map((partition) => failedRead(partition, ErrorCode.NOT_LEADER_OR_FOLLOWER))
      : locateAll(broker.partitions, partitions, limits)

  const limits = limitsOf(request, context)
  let reads = locate(limits)
  if (request.maxWaitMs > 0 && !isReady(reads, limits.minBytes)) {
    await waitForBytes({
      partitions: broker.partitions,
      reads,
      limits,
      maxWaitMs: request.maxWaitMs,
      clock: broker.clock,
      onHurry: (listener) => context.connection.onHurry(listener),
    })
    // The room for answers may have become small meanwhile.
    reads = locate(limitsOf(request, context))
  }
  return await answer(reads, session, context)
})

function limitsOf(request: FetchRequest, { version, broker }: RequestContext): FetchLimits {
  const maxBytes = Math.min(
    version >= 3 ? request.maxBytes : unlimitedBytes,
    version >= firstVersionWithoutConversion ? unlimitedBytes : mostBytesToConvert,
    broker.config.get('fetch.max.bytes'),
    broker.responseMemory.available(),
  )
  return { maxBytes, minBytes: Math.min(request.minBytes, maxBytes), readCommitted: request.isolationLevel === 1 }
}

/** Replicas fetch with their broker id; replication between brokers is not served yet. */
function isFromFollower(request: FetchRequest): boolean {
  return request.replicaId >= 0 || request.replicaState.replicaId >= 0
}

function openSession(request: FetchRequest, context: RequestContext): FetchContext {
  const usesTopicIds = context.version >= firstVersionWithTopicIds
  const { image } = context.broker.metadata
  const nameOf = (topic: string, topicId: string) => (usesTopicIds ? (image.topicNameById(topicId) ?? null) : topic)
  const partitions: FetchPartition[] = []
  for (const { topic, topicId, partitions: wanted } of request.topics) {
    const name = nameOf(topic, topicId)
    for (const one of wanted) {
      partitions.push({
        topic: name,
        topicId: usesTopicIds ? topicId : ZERO_UUID,
        index: one.partition,
        fetchOffset: one.fetchOffset,
        maxBytes: one.partitionMaxBytes,
        currentLeaderEpoch: one.currentLeaderEpoch,
        lastFetchedEpoch: one.lastFetchedEpoch,
        logStartOffset: one.logStartOffset,
      })
    }
  }
  const forgotten = request.forgottenTopicsData.flatMap(({ topic, topicId, partitions: indexes }) =>
    indexes.map((index) => ({ topic: nameOf(topic, topicId), topicId: usesTopicIds ? topicId : ZERO_UUID, index })),
  )
  return context.broker.fetchSessions.open({
    sessionId: request.sessionId,
    epoch: request.sessionEpoch,
    usesTopicIds,
    fromFollower: isFromFollower(request),
    partitions: withoutRepeats(partitions),
    forgotten,
    topicNameById: (id) => image.topicNameById(id),
  })
}

/** A partition named twice counts once: in the place of the first, as the last one says. */
function withoutRepeats(partitions: readonly FetchPartition[]): readonly FetchPartition[] {
  if (partitions.length < 2) return partitions
  const each = new Map<string, FetchPartition>()
  for (const one of partitions) each.set(`${one.index}:${one.topicId}:${one.topic}`, one)
  return each.size === partitions.length ? partitions : [...each.values()]
}

async function answer(
  reads: PartitionRead[],
  session: FetchContext,
  context: RequestContext,
): Promise<ResponseInput<typeof Fetch>> {
  const { broker, version } = context
  const size = totalBytes(reads)
  const records = size === 0 ? null : await readBytes(reads, takeBuffer(size, context), broker.logger)
  const conclusion = session.conclude(
    reads.map(({ request }) => request),
    reads.map((read, position) => ({
      errorCode: read.errorCode,
      highWatermark: read.highWatermark,
      logStartOffset: read.logStartOffset,
      recordsSizeBytes: records?.[position]?.length ?? 0,
      hasPreferredReplica: false,
      hasDivergingEpoch: read.divergingEpoch !== null,
    })),
  )
  const leaders = new CurrentLeaders(context)
  const responses: TopicResult[] = []
  let last: FetchPartition | undefined
  let results: PartitionResult[] = []
  reads.forEach((read, position) => {
    if (!conclusion.includes(position)) return
    const { topic, topicId } = read.request
    if (last === undefined || last.topic !== topic || last.topicId !== topicId) {
      results = []
      responses.push({ topic: topic ?? '', topicId, partitions: results })
      last = read.request
    }
    results.push(partitionResult(read, records?.[position] ?? null, leaders, context))
  })
  return {
    throttleTimeMs: 0,
    errorCode: conclusion.errorCode,
    sessionId: conclusion.sessionId,
    responses,
    ...(version >= 16 ? { nodeEndpoints: leaders.endpoints() } : {}),
  }
}

const noRecords = new Uint8Array(0)

function partitionResult(
  read: PartitionRead,
  records: Uint8Array | null,
  leaders: CurrentLeaders,
  context: RequestContext,
): PartitionResult {
  const { version } = context
  const converted =
    version < firstVersionWithZstd && records !== null
      ? forOldClient(records, version, read.request.fetchOffset)
      : { records, errorCode: ErrorCode.NONE }
  const errorCode = read.errorCode === ErrorCode.NONE ? converted.errorCode : read.errorCode
  const result: PartitionResult = {
    partitionIndex: read.request.index,
    // Clients this old do not know the storage error; this one makes them look for the leader again.
    errorCode:
      errorCode === ErrorCode.KAFKA_STORAGE_ERROR && version <= 5 ? ErrorCode.NOT_LEADER_OR_FOLLOWER : errorCode,
    highWatermark: read.highWatermark,
    lastStableOffset: read.lastStableOffset,
    logStartOffset: read.logStartOffset,
    abortedTransactions: read.slice?.abortedTransactions ?? null,
    records: converted.records ?? noRecords,
  }
  if (read.divergingEpoch !== null) result.divergingEpoch = read.divergingEpoch
  if (
    version >= 16 &&
    (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH)
  ) {
    const leader = leaders.of(read.request.topic ?? undefined, read.request.index)
    if (leader !== null) result.currentLeader = leader
  }
  return result
}

/** Versions 0-1 understand magic 0, 2-3 magic 1; none below 10 understands zstd. */
function forOldClient(
  records: Uint8Array,
  version: number,
  firstOffset: bigint,
): { records: Uint8Array | null; errorCode: number } {
  if (version >= firstVersionWithoutConversion) {
    const errorCode = holdsZstd(records) ? ErrorCode.UNSUPPORTED_COMPRESSION_TYPE : ErrorCode.NONE
    return { records: errorCode === ErrorCode.NONE ? records : null, errorCode }
  }
  try {
    return { records: downConvert(records, version < 2 ? 0 : 1, { firstOffset }), errorCode: ErrorCode.NONE }
  } catch (error) {
    if (error instanceof KafkaError) return { records: null, errorCode: error.code }
    throw error
  }
}

function holdsZstd(records: Uint8Array): boolean {
  let found = false
  forEachBatch(records, (at) => {
    found ||= magicOf(records, at) === 2 && compressionOf(records, at) === Compression.ZSTD
  })
  return found
}
