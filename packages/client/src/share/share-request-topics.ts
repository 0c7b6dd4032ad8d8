/** What a share request says of partitions: those added to the session, those given up, and what is acknowledged in each. */
import type { Request, RequestInput, ShareFetch } from '@millrace/protocol'
import {
  acknowledgementBatches,
  type AcknowledgementBatch,
  type AcknowledgementSet,
} from './acknowledgement-batches.ts'
import type { Acquisition } from './acquired-records.ts'
import type { TopicIdPartition } from './share-membership.ts'

/** Acknowledgements of one partition, and where they belong. */
export interface Pending {
  readonly acquisition: Acquisition
  readonly set: AcknowledgementSet
}

export function keyOf({ topicId, partition }: TopicIdPartition): string {
  return `${topicId}:${partition}`
}

type FetchTopics = RequestInput<typeof ShareFetch>['topics']

export function byTopic(pending: Iterable<Pending>, added: readonly TopicIdPartition[]): FetchTopics {
  const partitions = new Map<string, TopicIdPartition & { acknowledgementBatches: AcknowledgementBatch[] }>()
  for (const { topicId, partition } of added)
    partitions.set(keyOf({ topicId, partition }), { topicId, partition, acknowledgementBatches: [] })
  for (const { acquisition, set } of pending) {
    const { topicId, partition } = acquisition
    partitions.set(keyOf(acquisition), {
      topicId,
      partition,
      acknowledgementBatches: acknowledgementBatches(set.types),
    })
  }
  return Map.groupBy(partitions.values(), ({ topicId }) => topicId)
    .entries()
    .map(([topicId, ofTopic]) => ({
      topicId,
      partitions: ofTopic.map(({ partition, acknowledgementBatches: batches }) => ({
        partitionIndex: partition,
        acknowledgementBatches: batches as Request<
          typeof ShareFetch
        >['topics'][number]['partitions'][number]['acknowledgementBatches'],
      })),
    }))
    .toArray()
}

export function forgotten(
  removed: readonly TopicIdPartition[],
): RequestInput<typeof ShareFetch>['forgottenTopicsData'] {
  return Map.groupBy(removed, ({ topicId }) => topicId)
    .entries()
    .map(([topicId, ofTopic]) => ({ topicId, partitions: ofTopic.map(({ partition }) => partition) }))
    .toArray()
}
