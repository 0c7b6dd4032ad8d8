/**
 * What groups have committed; several groups at once from version 8 (KIP-709). Version 0, which Kafka 4 has dropped, was about offsets in
 * ZooKeeper; here it reads the same ones as all others.
 */
import { ErrorCode, OffsetFetch, ZERO_UUID, type Request, type ResponseInput } from '@millrace/protocol'
import {
  nothingCommitted,
  type FetchedGroup,
  type FetchedGroupAnswer,
} from '../coordinators/groups/offsets/fetch-offsets.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askForEach } from '../server/ask-in-turns.ts'
import { refusalCode } from './coordinator-refusal.ts'

const firstVersionOfCoordinator = 1
const firstVersionWithGroupError = 2
const firstVersionWithGroups = 8
const firstVersionWithTopicIds = 10

type FetchedTopics = NonNullable<FetchedGroup['topics']>
type TopicAnswers = FetchedGroupAnswer['topics']
type FetchedPartition = TopicAnswers[number]['partitions'][number]

export const offsetFetch = handler(OffsetFetch, async (request, context) => {
  const { requireStable } = request
  if (context.version >= firstVersionWithGroups)
    return {
      groups: await askForEach(request.groups, question, context.broker.clock, (group) =>
        fetchGroup(group, requireStable, context),
      ),
    }
  const answer = await fetchGroup(groupOf(request), requireStable, context)
  return withOneGroup(context.version >= firstVersionOfCoordinator ? answer : withMissingRefused(answer))
})

/** All that a group has committed, or some of it: either is told once. */
function question({ groupId, topics }: FetchedGroup): string {
  return topics === null ? `all ${groupId}` : `some ${groupId}`
}

/** The one group of older requests. */
function groupOf({ groupId, topics }: Request<typeof OffsetFetch>): FetchedGroup {
  return {
    groupId,
    memberId: null,
    memberEpoch: -1,
    topics: topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null,
  }
}

/** As ZooKeeper had it: where nothing is committed there is no such partition. */
function withMissingRefused(answer: FetchedGroupAnswer): FetchedGroupAnswer {
  const refused = (one: FetchedPartition): FetchedPartition =>
    one.committedOffset === -1n && one.errorCode === ErrorCode.NONE
      ? { ...one, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
      : one
  const topics = answer.topics.map((topic) => ({ ...topic, partitions: topic.partitions.map(refused) }))
  return { ...answer, topics }
}

function withOneGroup({ errorCode, topics }: FetchedGroupAnswer): ResponseInput<typeof OffsetFetch> {
  return {
    errorCode: errorCode ?? ErrorCode.NONE,
    topics: topics.map(({ name = '', partitions }) => ({ name, partitions })),
  }
}

async function fetchGroup(
  group: FetchedGroup,
  requireStable: boolean,
  context: RequestContext,
): Promise<FetchedGroupAnswer> {
  const { known, refused } = namedTopics(group, context)
  const asked = { ...group, topics: known }
  try {
    const { groups } = context.broker.coordinators
    const answer = await groups.read(group.groupId, ({ offsets }) => offsets.fetch({ group: asked, requireStable }))
    const topics = known === null ? withIds(answer.topics, context) : answer.topics
    return { ...answer, topics: [...topics, ...refused] }
  } catch (error) {
    return refusedGroup(group, refusalCode(error, context), context)
  }
}

/** Topics of newer requests have ids only. */
function namedTopics(
  { topics }: FetchedGroup,
  { version, broker }: RequestContext,
): { known: FetchedTopics | null; refused: TopicAnswers } {
  if (topics === null || version < firstVersionWithTopicIds) return { known: topics, refused: [] }
  const { image } = broker.metadata
  const known = topics.flatMap((topic) => {
    const name = image.topicNameById(topic.topicId)
    return name === undefined ? [] : [{ ...topic, name }]
  })
  const refused = topics
    .filter(({ topicId }) => image.topicNameById(topicId) === undefined)
    .map(({ topicId, partitionIndexes }) => ({
      topicId,
      partitions: partitionIndexes.map((index) => nothingCommitted(index, ErrorCode.UNKNOWN_TOPIC_ID)),
    }))
  return { known, refused }
}

/** Where ids are told, topics that are gone cannot be. */
function withIds(topics: TopicAnswers, { version, broker }: RequestContext): TopicAnswers {
  if (version < firstVersionWithTopicIds) return topics
  const { image } = broker.metadata
  return topics.flatMap((topic) => {
    const found = image.topics.get(topic.name ?? '')
    return found === undefined ? [] : [{ ...topic, topicId: found.id }]
  })
}

/** The oldest requests have no place for the error of a group. */
function refusedGroup(
  { groupId, topics }: FetchedGroup,
  code: number,
  { version }: RequestContext,
): FetchedGroupAnswer {
  // Consumers before Kafka 3.9 do not know that a coordinator may be unavailable here. The other error sends them to look for it.
  const errorCode = code === ErrorCode.COORDINATOR_NOT_AVAILABLE ? ErrorCode.NOT_COORDINATOR : code
  if (version >= firstVersionWithGroupError) return { groupId, topics: [], errorCode }
  return {
    groupId,
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((index) => nothingCommitted(index, errorCode)),
    })),
    errorCode,
  }
}
