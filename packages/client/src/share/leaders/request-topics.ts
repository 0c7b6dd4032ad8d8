/** What a share request says of partitions: those added to the session, those given up, and what is acknowledged in each. */
import type { Request, RequestInput, ShareFetch } from '@millrace/protocol'
import { acknowledgementBatches } from '../acknowledgements/acknowledgement-batches.ts'
import type { AcknowledgementSet, AcknowledgeType } from '../acknowledgements/acknowledgement-set.ts'
import { partitionKey, type TopicIdPartition } from '../topic-id-partition.ts'

type ForgottenTopics = RequestInput<typeof ShareFetch>['forgottenTopicsData']
type RequestTopics = RequestInput<typeof ShareFetch>['topics']
type AcknowledgementBatches = Request<
  typeof ShareFetch
>['topics'][number]['partitions'][number]['acknowledgementBatches']

export function requestTopics(
  sets: Iterable<AcknowledgementSet>,
  added: readonly TopicIdPartition[] = [],
): RequestTopics {
  const partitions = new Map<string, TopicIdPartition & { readonly sets: AcknowledgementSet[] }>()
  for (const partition of added) partitions.set(partitionKey(partition), { ...partition, sets: [] })
  for (const set of sets) {
    const { topicId, partition } = set.acquisition
    const key = partitionKey(set.acquisition)
    const named = partitions.get(key)
    if (named === undefined) partitions.set(key, { topicId, partition, sets: [set] })
    else named.sets.push(set)
  }
  return Map.groupBy(partitions.values(), ({ topicId }) => topicId)
    .entries()
    .map(([topicId, ofTopic]) => ({
      topicId,
      partitions: ofTopic.map(({ partition, sets: ofPartition }) => ({
        partitionIndex: partition,
        acknowledgementBatches: acknowledgementBatches(typesIn(ofPartition)) as AcknowledgementBatches,
      })),
    }))
    .toArray()
}

export function forgottenTopics(removed: readonly TopicIdPartition[]): ForgottenTopics {
  return Map.groupBy(removed, ({ topicId }) => topicId)
    .entries()
    .map(([topicId, ofTopic]) => ({ topicId, partitions: ofTopic.map(({ partition }) => partition) }))
    .toArray()
}

/** A record whose lock was to be renewed may be done with by now: it is named once. */
function typesIn(sets: readonly AcknowledgementSet[]): ReadonlyMap<bigint, AcknowledgeType> {
  if (sets.length === 1) return sets[0]!.types
  const renewals = sets.filter(({ isRenewal }) => isRenewal)
  const others = sets.filter(({ isRenewal }) => !isRenewal)
  return new Map([...renewals, ...others].flatMap(({ types }) => [...types]))
}
