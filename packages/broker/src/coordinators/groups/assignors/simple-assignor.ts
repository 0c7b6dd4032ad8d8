/**
 * The simple assignor of share groups: each partition goes to as many members as are needed to keep all of them busy, and members to equally many
 * partitions, give or take one. Balance comes before leaving things as they are. Source: Kafka's SimpleAssignor.
 */
import type { Assignment, GroupToAssign, MemberToAssign } from './assignor.ts'
import { shareOut } from './share-out.ts'

export interface ShareGroupToAssign extends Pick<GroupToAssign, 'members' | 'subscriptionType' | 'partitionCount'> {
  /** Whether the partition may be given to members at all. */
  isAssignable(topicId: string, partition: number): boolean
}

export interface ShareAssignor {
  readonly name: string
  /** @throws KafkaError UNKNOWN_SERVER_ERROR when there is no assignment. */
  assign(group: ShareGroupToAssign): Map<string, Assignment>
}

export const simpleAssignor: ShareAssignor = {
  name: 'simple',

  assign(group) {
    const topicIds = new Set<string>()
    for (const { subscribedTopicIds } of group.members.values())
      for (const topicId of subscribedTopicIds) topicIds.add(topicId)
    const assigned = new Map([...group.members.keys()].map((id) => [id, new Map<string, Set<number>>()]))
    if (topicIds.size === 0) return assigned
    const members = [...group.members]
    if (group.subscriptionType === 'homogeneous') assignTopics(group, members, topicIds, assigned)
    else
      // Balanced topic by topic, among those who subscribe to it.
      for (const topicId of topicIds)
        assignTopics(
          group,
          members.filter(([, { subscribedTopicIds }]) => subscribedTopicIds.has(topicId)),
          [topicId],
          assigned,
        )
    return assigned
  },
}

function assignTopics(
  group: ShareGroupToAssign,
  members: readonly (readonly [string, MemberToAssign])[],
  topicIds: Iterable<string>,
  assigned: ReadonlyMap<string, Map<string, Set<number>>>,
): void {
  const partitions: { readonly topicId: string; readonly partition: number }[] = []
  const positions = new Map<string, Map<number, number>>()
  for (const topicId of topicIds) {
    const ofTopic = new Map<number, number>()
    positions.set(topicId, ofTopic)
    const count = group.partitionCount(topicId)
    for (let partition = 0; partition < count; partition++)
      if (group.isAssignable(topicId, partition)) {
        ofTopic.set(partition, partitions.length)
        partitions.push({ topicId, partition })
      }
  }
  const before = members.map(([, { assignment }]) => {
    const own = new Set<number>()
    for (const [topicId, ofTopic] of positions)
      for (const partition of assignment.get(topicId) ?? []) {
        const position = ofTopic.get(partition)
        if (position !== undefined) own.add(position)
      }
    return own
  })
  shareOut(before, partitions.length).forEach((own, index) => {
    const assignment = assigned.get(members[index]![0])!
    for (const position of own) {
      const { topicId, partition } = partitions[position]!
      const set = assignment.get(topicId)
      if (set === undefined) assignment.set(topicId, new Set([partition]))
      else set.add(partition)
    }
  })
}
