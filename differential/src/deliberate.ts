/** Where our broker answers otherwise than Kafka 4.3.1, and is to. */
import { isDeepStrictEqual } from 'node:util'
import type { Difference } from './answers.ts'
import type { Exchange } from './duet.ts'
import { show } from './show.ts'

export interface Deliberate {
  /** Name of the API, or of a record. */
  readonly message: string
  /** Of the field, without indexes. */
  readonly path: RegExp
  /** `history`: what was said before. */
  readonly when?: (difference: Difference, exchange: Exchange | null, history: readonly Exchange[]) => boolean
  /** The brokers are in different states from here on, so that a walk ends. */
  readonly diverges?: boolean
  readonly reason: string
}

const anyMessage = '*'

/** By key, see the reason below. */
const unserved = new Set([17, 36, 29, 30, 31, 38, 39, 40, 41, 43, 45, 46, 48, 49, 50, 51, 55, 64, 80, 81, 88, 89])
const unbuiltFeatures = new Set([
  'metadata.version',
  'kraft.version',
  'streams.version',
  'eligible.leader.replicas.version',
])

export const deliberateDifferences: readonly Deliberate[] = [
  {
    message: anyMessage,
    path: /(^|\.)(errorMessage|batchIndexErrorMessage|acknowledgeErrorMessage)$/,
    when: ({ ours }) => ours !== null,
    reason: 'error messages are in our own words, and some errors have one where Kafka has none',
  },
  ...['OffsetFetch', 'DescribeProducers', 'DescribeGroups', 'ConsumerGroupDescribe', 'DescribeTransactions'].map(
    (message) => ({
      message,
      path: /(^|\.)(topics|partitions|groups|transactionStates)$/,
      when: ({ kafka, ours }: Difference) => isToldOnce(kafka, ours),
      reason: 'who names a thing several times is told of it once',
    }),
  ),
  ...['ListOffsets', 'DescribeProducers'].map((message) => ({
    message,
    path: /\.(leaderEpoch|coordinatorEpoch)$/,
    when: ({ kafka, ours }: Difference) => (ours as number) > 0 && (kafka as number) > (ours as number),
    reason: 'a broker that comes back leads in the next epoch; in Kafka its going has taken an epoch as well',
  })),
  {
    message: 'Produce',
    path: /^responses.partitionResponses.(errorCode|baseOffset|logStartOffset)$/,
    when: (_difference, exchange, history) => isForgotten(exchange!, history),
    diverges: true,
    reason:
      'a producer whose partition was refused for good is forgotten; Kafka still expects the refused sequence from it',
  },
  {
    message: 'JoinGroup',
    path: /^(leader|members)$/,
    when: (_difference, exchange, history) => isLeaderReplaced(exchange!, history),
    diverges: true,
    reason:
      'a leader that is gone is replaced by the member that joined first; in Kafka by whom its hash map gives first',
  },
  {
    message: 'EndTxn',
    path: /^(errorCode|producerId|producerEpoch)$/,
    when: (_difference, exchange) =>
      exchange!.version >= 5 &&
      exchange!.differences.some(
        ({ path, kafka, ours }) => path === 'errorCode' && [0, 48].includes(kafka as number) && ours === 90,
      ),
    reason: 'a fenced producer cannot take the end of another client of the older protocol for its own, as with Kafka',
  },
  ...['JoinGroup', 'SyncGroup'].map((message) => ({
    message,
    path: /^$/,
    when: ({ kafka, ours }: Difference) => kafka === 'no answer' && (ours as { errorCode: number }).errorCode === 27,
    reason: 'a request that waits is answered when its member sends another; Kafka forgets it',
  })),
  {
    message: 'ConsumerGroupRegularExpression',
    path: /^version$/,
    reason: 'each broker counts the versions of its metadata in its own way',
  },
  {
    message: 'ConsumerGroupHeartbeat',
    path: /./,
    when: (_difference, exchange) => isOwnInstance(exchange!),
    diverges: true,
    reason:
      'a static member may join again under its own member id; Kafka refuses it as if it were another, until its session is over',
  },
  {
    message: 'ApiVersions',
    path: /^apiKeys.minVersion$/,
    when: ({ kafka, ours }) => (ours as number) < (kafka as number),
    reason: 'versions that Kafka 4 has dropped are served, for clients of the last ten years',
  },
  {
    message: 'ApiVersions',
    path: /^apiKeys$/,
    when: ({ kafka, ours }) => ours === undefined && unserved.has((kafka as { apiKey: number }).apiKey),
    reason:
      'SASL, ACLs, tokens, quotas, reassignments and elections are not built yet; Raft and streams groups will not be here',
  },
  {
    message: 'ApiVersions',
    path: /^(supportedFeatures|finalizedFeatures)$/,
    when: ({ kafka, ours }) => ours === undefined && unbuiltFeatures.has((kafka as { name: string }).name),
    reason: 'features of KRaft, of streams groups and of eligible leader replicas are not ours',
  },
  {
    message: 'ApiVersions',
    path: /^finalizedFeaturesEpoch$/,
    when: ({ ours }) => (ours as bigint) >= 0n,
    reason:
      'the epoch of finalized features is an offset of the metadata log in Kafka, and the version of their node here',
  },
  {
    message: 'IncrementalAlterConfigs',
    path: /^responses.errorCode$/,
    when: ({ kafka, ours }) => kafka === -1 && ours === 42,
    reason:
      'an unknown operation on a config is an invalid request; Kafka fails on it and answers UNKNOWN_SERVER_ERROR',
  },
  {
    message: 'DescribeGroups',
    path: /^groups.members.memberAssignment$/,
    when: (_difference, _exchange, history) => hasConsumerProtocol(history),
    reason:
      'members of a group that becomes classic again keep what they own; in Kafka they have what others may still own',
  },
  {
    message: 'GroupMetadata',
    path: /^leader$/,
    when: (_difference, _exchange, history) => hasConsumerProtocol(history),
    reason:
      'a group that becomes classic again is led by who joined it first; in Kafka by whom its hash map gives first',
  },
  {
    message: 'GroupMetadata',
    path: /^members.assignment$/,
    when: (_difference, _exchange, history) => hasConsumerProtocol(history),
    reason:
      'members of a group that becomes classic again keep what they own; in Kafka they have what others may still own',
  },
  {
    message: 'ShareGroupHeartbeat',
    path: /^assignment.topicPartitions$/,
    when: ({ kafka, ours }, exchange) =>
      isEmpty(kafka) && !isEmpty(ours) && (exchange!.request as { memberEpoch: number }).memberEpoch === 0,
    diverges: true,
    reason:
      'a member that joins a share group is answered when its partitions are ready; in Kafka with its next heartbeat, an epoch later',
  },
  {
    message: 'ShareGroupTargetAssignmentMember',
    path: /^topicPartitions$/,
    when: ({ kafka, ours }) =>
      isEmpty(ours) && (kafka as { partitions: unknown }[]).every((one) => isEmpty(one.partitions)),
    reason: 'topics of which a member of a share group is assigned nothing are not written down',
  },
  ...['DescribeShareGroupOffsets', 'ShareUpdate'].map((message) => ({
    message,
    path: /(startOffset|deliveryCompleteCount)$/,
    when: (_difference: Difference, _exchange: Exchange | null, history: readonly Exchange[]) =>
      history.some(({ request }) => show(request).includes("'read_committed'")),
    reason:
      'the start offset of a share partition passes aborted records at once; in Kafka when something behind them is settled',
  })),
  ...['ShareFetch', 'ShareAcknowledge'].map((message) => ({
    message,
    path: /^(errorCode|acquisitionLockTimeoutMs|responses)$/,
    when: (_difference: Difference, exchange: Exchange | null) =>
      show(exchange!.request).includes('firstOffset: -1n') &&
      exchange!.differences.some(({ path, kafka, ours }) => path === 'errorCode' && kafka === -1 && ours === 0),
    diverges: true,
    reason:
      'a negative offset to acknowledge is an error of its partition; Kafka fails on it and answers UNKNOWN_SERVER_ERROR for all',
  })),
  {
    message: 'ShareFetch',
    path: /^responses.partitions.acquiredRecords$/,
    when: ({ kafka, ours }) => isDeepStrictEqual(joined(kafka as Acquired[]), joined(ours as Acquired[])),
    reason: 'records in a row that were delivered equally often may be told as one range or as several',
  },
  {
    message: 'ShareAcknowledge',
    path: /^responses$/,
    when: ({ kafka }, exchange) => isEmpty(kafka) && show(exchange!.request).includes('acknowledgementBatches: []'),
    reason: 'partitions with nothing to acknowledge are answered; in Kafka only beside others that have something',
  },
  {
    message: 'WriteTxnMarkers',
    path: /^markers.topics.partitions.errorCode$/,
    when: ({ kafka, ours }, exchange) => kafka === -1 && ours === 47 && show(exchange).includes('producerEpoch: -1'),
    reason:
      'a marker with the epoch -1 has an invalid epoch; Kafka fails while it builds the batch and answers UNKNOWN_SERVER_ERROR',
  },
  {
    message: 'WriteTxnMarkers',
    path: /^markers$/,
    when: ({ kafka, ours }) => isEmpty(kafka) && (ours as { topics: unknown }[]).every(({ topics }) => isEmpty(topics)),
    reason: 'a marker for no topics is answered with no topics; Kafka leaves it out of its answer',
  },
  {
    message: 'WriteTxnMarkers',
    path: /^markers$/,
    when: ({ kafka, ours }) => isEmpty(kafka) === false && (ours as unknown[]).length > (kafka as unknown[]).length,
    reason:
      'each marker is answered for itself; Kafka merges the answers of those of one producer, which no coordinator sends',
  },
]

export function deliberate(
  message: string,
  difference: Difference,
  exchange: Exchange | null,
  history: readonly Exchange[],
): Deliberate | null {
  const path = difference.path.replaceAll(/\[[^\]]*\]/g, '')
  return (
    deliberateDifferences.find(
      (one) =>
        [message, anyMessage].includes(one.message) &&
        one.path.test(path) &&
        (one.when?.(difference, exchange, history) ?? true),
    ) ?? null
  )
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0
}

interface Joined {
  readonly errorCode: number
  readonly leader: string
}

/** Whether the leader of the generation before is neither Kafka's leader now nor ours. */
function isLeaderReplaced(exchange: Exchange, history: readonly Exchange[]): boolean {
  const { groupId } = exchange.request as { groupId: string }
  const led = history.findLast(
    ({ api, request, answer, differences }) =>
      api === 'JoinGroup' &&
      (request as { groupId: string }).groupId === groupId &&
      (answer as Joined | null)?.errorCode === 0 &&
      differences.length === 0,
  )
  const former = (led?.answer as Joined | undefined)?.leader
  const difference = exchange.differences.find(({ path }) => path === 'leader')
  return former !== undefined && difference !== undefined && ![difference.kafka, difference.ours].includes(former)
}

/** UNRELEASED_INSTANCE_ID for the member that has the instance. */
function isOwnInstance({ request, differences }: Exchange): boolean {
  const { memberId } = request as { memberId: string }
  const message = differences.find(({ path }) => path === 'errorMessage')
  return (
    differences.some(({ path, kafka, ours }) => path === 'errorCode' && kafka === 111 && ours === 0) &&
    String(message?.kafka).endsWith(`is owned by ${memberId} member.`)
  )
}

function hasConsumerProtocol(history: readonly Exchange[]): boolean {
  return history.some(({ api }) => api === 'ConsumerGroupHeartbeat')
}

interface Acquired {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly deliveryCount: number
}

function joined(ranges: readonly Acquired[]): Acquired[] {
  const merged: Acquired[] = []
  for (const range of ranges) {
    const before = merged.at(-1)
    if (before?.lastOffset === range.firstOffset - 1n && before.deliveryCount === range.deliveryCount)
      merged[merged.length - 1] = { ...before, lastOffset: range.lastOffset }
    else merged.push(range)
  }
  return merged
}

interface Named {
  readonly groupId?: string
  readonly transactionalId?: string
  readonly name?: string
  readonly partitionIndex?: number
}

/** Whether the same things are in both, repeated in Kafka's answer and not in ours. */
function isToldOnce(kafka: unknown, ours: unknown): boolean {
  if (!Array.isArray(kafka) || !Array.isArray(ours)) return false
  const keyOf = (one: Named) => String(one.groupId ?? one.transactionalId ?? one.name ?? one.partitionIndex)
  const distinct = new Set(kafka.map(keyOf))
  return distinct.size < kafka.length && isDeepStrictEqual([...distinct].sort(), ours.map(keyOf).sort())
}

/** OUT_OF_ORDER_SEQUENCE_NUMBER from Kafka alone, after a batch of the same producer that both have refused. */
function isForgotten({ request, differences }: Exchange, history: readonly Exchange[]): boolean {
  const { producerId } = request as { producerId: bigint }
  const isOutOfOrder = differences.some(
    ({ path, kafka, ours }) => path.endsWith('errorCode') && kafka === 45 && ours === 0,
  )
  return (
    isOutOfOrder &&
    history.some(
      (one) =>
        one.api === 'Produce' &&
        (one.request as { producerId: bigint }).producerId === producerId &&
        /errorCode: (47|48|49|90|120),/.test(show(one.answer)),
    )
  )
}
