/**
 * Acquires records for a member of a share group, and acknowledges earlier ones on the way (KIP-932). Ways to acquire since version 2
 * (KIP-1206), renewal of locks since 2 (KIP-1222).
 */
import { ErrorCode, KafkaError, ShareFetch, type Request, type ResponseInput } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { fetchShared, type SharedRead } from '../sharing/share-fetch.ts'
import {
  finalShareEpoch,
  partitionKey,
  type SharedPartitionId,
  type ShareFetchSession,
} from '../sharing/share-sessions.ts'
import type { AcknowledgeOutcome } from '../sharing/sharing.ts'
import { acknowledgeAll, byTopic, isMemberId, namesLeader } from './acknowledgements.ts'
import { CurrentLeaders } from './current-leaders.ts'
import { servesShareGroups } from './share-group-protocol.ts'
import { takeBuffer } from './response-buffer.ts'

type ShareFetchRequest = Request<typeof ShareFetch>
type Answer = ResponseInput<typeof ShareFetch>
type PartitionAnswer = Answer['responses'][number]['partitions'][number]

interface Member {
  readonly groupId: string
  readonly memberId: string
}

const batchOptimizedMode = 0
const recordLimitMode = 1

export const shareFetch = handler(ShareFetch, async (request, context) => {
  const { groupId, memberId } = request
  if (!servesShareGroups(context.broker)) return refused(ErrorCode.UNSUPPORTED_VERSION, null)
  if (groupId === null) return refused(ErrorCode.INVALID_REQUEST, 'Invalid group id in the request.')
  if (!isMemberId(memberId)) return refused(ErrorCode.INVALID_REQUEST, 'Invalid member id in the request.')
  const { shareAcquireMode } = request
  if (shareAcquireMode !== batchOptimizedMode && shareAcquireMode !== recordLimitMode)
    return refused(
      ErrorCode.UNKNOWN_SERVER_ERROR,
      `share acquire mode ${shareAcquireMode} does not exist, expected 0 or 1`,
    )
  const contradiction = request.isRenewAck ? whatRenewalForbids(request) : null
  if (contradiction !== null) return refused(ErrorCode.INVALID_REQUEST, contradiction)
  const member = { groupId, memberId }
  try {
    return await serve(request, member, openSession(request, member, context), context)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    // Who finds no room would be back at once.
    if (error.code === ErrorCode.SHARE_SESSION_LIMIT_REACHED) await pause(request.maxWaitMs, context)
    return refused(error.code, error.message)
  }
})

function refused(errorCode: number, errorMessage: string | null): Answer {
  return { throttleTimeMs: 0, errorCode, errorMessage, acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] }
}

function pause(ms: number, { broker, connection }: RequestContext): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = broker.clock.after(Math.max(0, ms), resolve)
  const forgetHurry = connection.onHurry(resolve)
  return promise.finally(() => {
    timer.cancel()
    forgetHurry()
  })
}

/** A renewal must come back before the lock that it renews ends again, so it does not wait for records. */
function whatRenewalForbids({ maxBytes, minBytes, maxRecords, maxWaitMs }: ShareFetchRequest): string | null {
  const wrong = Object.entries({ maxBytes, minBytes, maxRecords, maxWaitMs }).filter(([, value]) => value !== 0)
  if (wrong.length === 0) return null
  return `${wrong.map(([name]) => `${name} must be set to 0, `).join('')}if isRenewAck is true.`
}

function openSession(request: ShareFetchRequest, member: Member, context: RequestContext): ShareFetchSession {
  const partitions = new Map<string, SharedPartitionId>()
  let hasAcknowledgements = false
  for (const { topicId, partitions: wanted } of request.topics)
    for (const { partitionIndex, acknowledgementBatches } of wanted) {
      const partition = { topicId, index: partitionIndex }
      partitions.set(partitionKey(partition), partition)
      hasAcknowledgements ||= acknowledgementBatches.length > 0
    }
  return context.broker.sharing.sessions.open({
    ...member,
    epoch: request.shareSessionEpoch,
    partitions: [...partitions.values()],
    forgotten: request.forgottenTopicsData.flatMap(({ topicId, partitions: indexes }) =>
      indexes.map((index) => ({ topicId, index })),
    ),
    hasAcknowledgements,
    connection: context.connection,
  })
}

async function serve(
  request: ShareFetchRequest,
  member: Member,
  session: ShareFetchSession,
  context: RequestContext,
): Promise<Answer> {
  const { sharing } = context.broker
  const hasAcknowledgements = request.topics.some(({ partitions }) =>
    partitions.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0),
  )
  const [acknowledged, reads] = await Promise.all([
    hasAcknowledgements ? acknowledgeAll(request, member, context) : [],
    request.isRenewAck ? [] : readAll(request, member, session, context),
  ])
  const told = session.conclude(reads.map((read) => ({ ...read, recordsSizeBytes: read.records?.length ?? 0 })))
  const answer = compose(told, acknowledged, member, context)
  if (request.shareSessionEpoch === finalShareEpoch) sharing.endSession(member.groupId, member.memberId)
  return answer
}

async function readAll(
  request: ShareFetchRequest,
  member: Member,
  session: ShareFetchSession,
  context: RequestContext,
): Promise<SharedRead[]> {
  const { sharing, metadata, partitions, clock, logger, config, responseMemory } = context.broker
  const failed: SharedRead[] = []
  const wanted = session.partitions.filter(({ topicId, index }) => {
    const topic = metadata.image.topicById(topicId)
    if (topic?.partitions[index] !== undefined) return true
    const errorCode = topic === undefined ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    failed.push({ topicId, index, errorCode, records: null, acquired: [] })
    return false
  })
  const reads = await fetchShared(
    {
      shares: sharing.shares,
      partitions,
      clock,
      logger,
      takeBuffer: (sizeBytes) => takeBuffer(sizeBytes, context),
    },
    {
      ...member,
      partitions: rotated(wanted, request.shareSessionEpoch),
      maxWaitMs: Math.max(0, request.maxWaitMs),
      minBytes: request.minBytes,
      maxBytes: Math.min(request.maxBytes, config.get('fetch.max.bytes'), responseMemory.available()),
      maxRecords: request.maxRecords,
      batchSize: Math.max(1, request.batchSize),
      mode: request.shareAcquireMode === recordLimitMode ? 'record-limit' : 'batch-optimized',
      readCommitted: sharing.readsCommitted(member.groupId),
      onHurry: (listener) => context.connection.onHurry(listener),
    },
  )
  return [...reads, ...failed]
}

/** Each request begins with another partition, so that each is the first at times. */
function rotated<T>(items: readonly T[], epoch: number): T[] {
  const at = items.length === 0 || epoch < 1 ? 0 : epoch % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

const noRecords = new Uint8Array(0)

function compose(
  reads: readonly SharedRead[],
  acknowledged: readonly AcknowledgeOutcome[],
  { groupId }: Member,
  context: RequestContext,
): Answer {
  const { sharing, metadata } = context.broker
  const leaders = new CurrentLeaders(context)
  const acknowledgements = new Map(acknowledged.map((one) => [partitionKey(one), one]))
  const parts: (PartitionAnswer & { topicId: string })[] = reads.map((read) => {
    const { topicId, index, errorCode, records, acquired } = read
    const acknowledgement = acknowledgements.get(partitionKey(read))
    acknowledgements.delete(partitionKey(read))
    const leader = namesLeader(errorCode) ? leaders.of(metadata.image.topicNameById(topicId), index) : null
    return {
      topicId,
      partitionIndex: index,
      errorCode,
      ...acknowledgeFields(acknowledgement),
      currentLeader: leader ?? { leaderId: 0, leaderEpoch: 0 },
      records: records ?? noRecords,
      acquiredRecords: [...acquired],
    }
  })
  for (const acknowledgement of acknowledgements.values())
    parts.push({
      topicId: acknowledgement.topicId,
      partitionIndex: acknowledgement.index,
      errorCode: ErrorCode.NONE,
      ...acknowledgeFields(acknowledgement),
      currentLeader: { leaderId: 0, leaderEpoch: 0 },
      records: noRecords,
      acquiredRecords: [],
    })
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    acquisitionLockTimeoutMs: sharing.lockDurationMs(groupId),
    responses: byTopic(parts),
    nodeEndpoints: leaders.endpoints(),
  }
}

function acknowledgeFields(acknowledgement: AcknowledgeOutcome | undefined) {
  return {
    acknowledgeErrorCode: acknowledgement?.errorCode ?? ErrorCode.NONE,
    acknowledgeErrorMessage: acknowledgement?.errorMessage ?? null,
  }
}
