/**
 * Gives members adjoining partitions of each topic, by the order of the members. So topics with equally many partitions are co-partitioned
 * when all members subscribe to all of them. Static members come first, by instance id: they keep their partitions through a restart.
 * Source: Kafka's RangeAssignor.
 */
import type { Assignment, Assignor, GroupToAssign, MemberToAssign } from './assignor.ts'

interface Topic {
  readonly partitionCount: number
  subscribers: number
  served: number
  nextPartition: number
}

export const rangeAssignor: Assignor = {
  name: 'range',
  assign: (group) => {
    const members = [...group.members].toSorted(inOrder)
    const topics = topicsOf(group, members)
    return new Map(
      members.map(([memberId, { subscribedTopicIds }]): [string, Assignment] => {
        const assignment = new Map<string, Set<number>>()
        for (const topicId of subscribedTopicIds) {
          const partitions = nextRange(topics.get(topicId)!)
          if (partitions.size > 0) assignment.set(topicId, partitions)
        }
        return [memberId, assignment]
      }),
    )
  },
}

type Member = readonly [memberId: string, member: MemberToAssign]

function topicsOf(group: GroupToAssign, members: readonly Member[]): Map<string, Topic> {
  const topics = new Map<string, Topic>()
  for (const [, { subscribedTopicIds }] of members)
    for (const topicId of subscribedTopicIds) {
      const topic = topics.get(topicId)
      if (topic !== undefined) topic.subscribers++
      else {
        const partitionCount = group.partitionCount(topicId)
        topics.set(topicId, { partitionCount, subscribers: 1, served: 0, nextPartition: 0 })
      }
    }
  return topics
}

/** The first subscribers get one partition more where the partitions do not come out even. */
function nextRange(topic: Topic): Set<number> {
  const extra = topic.served++ < topic.partitionCount % topic.subscribers ? 1 : 0
  const end = topic.nextPartition + Math.floor(topic.partitionCount / topic.subscribers) + extra
  const partitions = new Set<number>()
  while (topic.nextPartition < end) partitions.add(topic.nextPartition++)
  return partitions
}

function inOrder([oneId, one]: Member, [otherId, other]: Member): number {
  if (one.instanceId !== null && other.instanceId !== null) return compare(one.instanceId, other.instanceId)
  if (one.instanceId !== null) return -1
  if (other.instanceId !== null) return 1
  return compare(oneId, otherId)
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
