/** One ShareFetch and what its answer means: records, what became of acknowledgements on the way, and partitions that could not be read. */
import { ErrorCode, KafkaError, ShareFetch, type RequestInput, type Response } from '@millrace/protocol'
import type { AcknowledgementSet } from '../acknowledgements/acknowledgement-set.ts'
import type { TopicIdPartition } from '../topic-id-partition.ts'
import type { BrokerLink } from './broker-link.ts'
import { acknowledgementsLeftOut, partitionRefused, requestRefused, requestUnanswered } from './failed-exchange.ts'
import { forgottenTopics, requestTopics } from './request-topics.ts'

/** The first version that knows ways to acquire (KIP-1206). */
const ACQUIRE_MODES_SINCE = 2

/** What the broker is to be fetched from, by `partitionKey`. */
export type WantedPartitions = ReadonlyMap<string, TopicIdPartition>

interface Asked {
  readonly wanted: WantedPartitions
  readonly sent: Set<AcknowledgementSet>
  /** Records. */
  readonly demand: number
}

/** Takes along the acknowledgements that wait. Resolves with whether another request may follow without a pause. Never rejects. */
export async function exchangeFetch(link: BrokerLink, wanted: WantedPartitions): Promise<boolean> {
  const { cluster, settings, session, acknowledgements, receiver, metrics, signal } = link
  const { clock } = cluster.world
  // A session cannot begin with acknowledgements, and there are no locks it could know.
  const sent = session.isNew ? new Set<AcknowledgementSet>() : acknowledgements.take()
  // By the time there is a connection others may have brought records. To ask for none would be to wait for none.
  const asked = { wanted, sent, demand: receiver.demand }
  const sentAtMs = clock.monotonicMs()
  try {
    const answer = await cluster.send(
      { node: link.nodeId, lane: 'fetch' },
      ShareFetch,
      (version) => requestOf(link, asked, version),
      { signal, timeoutMs: settings.requestTimeoutMs + settings.fetchMaxWaitMs },
    )
    const latencyMs = clock.monotonicMs() - sentAtMs
    const isSession = session.answered(answer.errorCode, wanted)
    if (answer.errorCode !== ErrorCode.NONE) {
      requestRefused(link, answer, { sent, isSession })
      return false
    }
    const { mayGoOn, ...got } = await partitionsAnswered(link, answer, sent)
    metrics.fetched({ ...got, latencyMs, throttleTimeMs: answer.throttleTimeMs })
    return mayGoOn
  } catch (error) {
    requestUnanswered(link, error, sent)
    return false
  }
}

function requestOf(
  { settings, session, memberId }: BrokerLink,
  { wanted, sent, demand }: Asked,
  version: number,
): RequestInput<typeof ShareFetch> {
  const isLimited = settings.shareAcquireMode === 'record_limit'
  if (isLimited && version < ACQUIRE_MODES_SINCE)
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_VERSION,
      "shareAcquireMode 'record_limit' needs brokers from Kafka 4.2; these are older",
    )
  const { added, removed } = session.changes(wanted)
  return {
    groupId: settings.groupId,
    memberId,
    shareSessionEpoch: session.epoch,
    maxWaitMs: settings.fetchMaxWaitMs,
    // With 0 brokers answer at once though there is nothing, and the two would never rest.
    minBytes: Math.max(1, settings.fetchMinBytes),
    maxBytes: settings.fetchMaxBytes,
    maxRecords: demand,
    batchSize: demand,
    shareAcquireMode: isLimited ? 1 : 0,
    isRenewAck: false,
    topics: requestTopics(sent, added),
    forgottenTopicsData: forgottenTopics(removed),
  }
}

/** Who got records need not pause for the partitions that failed: whoever reads sets the pace. */
async function partitionsAnswered(
  link: BrokerLink,
  answer: Response<typeof ShareFetch>,
  sent: Set<AcknowledgementSet>,
): Promise<{ mayGoOn: boolean; sizeBytes: number; recordsCount: number }> {
  const { nodeId, session, acknowledgements, outcomes, receiver, cluster } = link
  const sessionLife = session.life
  const answeredAtMs = cluster.world.clock.monotonicMs()
  let sizeBytes = 0
  let recordsCount = 0
  let hasFailures = false
  let hasRepeats = false
  for (const { topicId, partitions } of answer.responses) {
    const topic = nameOf(topicId, link, sent)
    for (const answered of partitions) {
      const { partitionIndex: partition, acknowledgeErrorCode, acknowledgeErrorMessage, records } = answered
      const error = errorOf(acknowledgeErrorCode, acknowledgeErrorMessage)
      if (!acknowledgements.settlePartition(sent, { topicId, partition }, error)) hasRepeats = true
      if (answered.errorCode !== ErrorCode.NONE) {
        hasFailures = true
        partitionRefused(link, { ...answered, topicId }, answer.nodeEndpoints)
      } else if (answered.acquiredRecords.length > 0 && topic !== null) {
        outcomes.lockTold(answer.acquisitionLockTimeoutMs)
        sizeBytes += records?.length ?? 0
        recordsCount += await receiver.acquired({
          acquisition: { nodeId, sessionLife, topicId, topic, partition },
          bytes: records ?? new Uint8Array(0),
          ranges: answered.acquiredRecords,
          lockedUntilMs: answeredAtMs + outcomes.lockMs,
        })
      }
    }
  }
  acknowledgementsLeftOut(link, sent)
  return { mayGoOn: !hasRepeats && (recordsCount > 0 || !hasFailures), sizeBytes, recordsCount }
}

/** A topic may be gone from metadata while something of it is on its way. */
function nameOf(topicId: string, { cluster }: BrokerLink, sent: ReadonlySet<AcknowledgementSet>): string | null {
  const known = cluster.metadata.image.topicNames.get(topicId)
  if (known !== undefined) return known
  for (const { acquisition } of sent) if (acquisition.topicId === topicId) return acquisition.topic
  return null
}

function errorOf(code: number, message: string | null): KafkaError | null {
  return code === ErrorCode.NONE ? null : new KafkaError(code, message ?? undefined)
}
