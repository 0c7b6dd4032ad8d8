/** The Fetch request for a session, in a version that the broker has. */
import type { Fetch, RequestInput } from '@millrace/protocol'
import type { SessionPartition, SessionRequest } from './fetch-session.ts'

/** Topics are named by their ids from this version on. */
export const FIRST_VERSION_WITH_IDS = 13
/** The replica id moved into a tagged field, where a consumer leaves it out. */
const FIRST_VERSION_WITH_REPLICA_STATE = 15
/** Forgotten partitions, and sessions. */
const FIRST_VERSION_WITH_SESSIONS = 7
const noEpoch = -1

export interface FetchLimits {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly rackId: string
}

export function fetchRequest(
  { sessionId, sessionEpoch, partitions, forgotten }: SessionRequest,
  limits: FetchLimits,
  version: number,
): RequestInput<typeof Fetch> {
  const named = (topic: string, topicId: string) => (version >= FIRST_VERSION_WITH_IDS ? { topicId } : { topic })
  const hasSessions = version >= FIRST_VERSION_WITH_SESSIONS
  return {
    ...(version >= FIRST_VERSION_WITH_REPLICA_STATE ? {} : { replicaId: -1 }),
    maxWaitMs: limits.maxWaitMs,
    minBytes: limits.minBytes,
    maxBytes: limits.maxBytes,
    isolationLevel: limits.isolationLevel === 'read_committed' ? 1 : 0,
    sessionId: hasSessions ? sessionId : 0,
    sessionEpoch: hasSessions ? sessionEpoch : noEpoch,
    topics: byTopic(partitions).map(([first, ofTopic]) => ({
      ...named(first.topic, first.topicId),
      partitions: ofTopic.map(({ partition, fetchOffset, leaderEpoch, maxBytes }) => ({
        partition,
        fetchOffset,
        currentLeaderEpoch: leaderEpoch,
        partitionMaxBytes: maxBytes,
      })),
    })),
    ...(hasSessions
      ? {
          forgottenTopicsData: byTopic(forgotten).map(([first, ofTopic]) => ({
            ...named(first.topic, first.topicId),
            partitions: ofTopic.map(({ partition }) => partition),
          })),
        }
      : {}),
    rackId: limits.rackId,
  }
}

function byTopic(partitions: readonly SessionPartition[]): [SessionPartition, SessionPartition[]][] {
  const groups = Map.groupBy(partitions, ({ topic, topicId }) => `${topicId} ${topic}`)
  return [...groups.values()].map((group) => [group[0]!, group])
}
