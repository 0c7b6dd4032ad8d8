/** The uniform assignment of a group whose members all subscribe to the same topics. Source: Kafka's UniformHomogeneousAssignmentBuilder. */
import { strict as assert } from 'node:assert'
import type { Assignment, GroupToAssign } from './assignor.ts'
import { EditableAssignments } from './editable-assignments.ts'

interface Partition {
  readonly topicId: string
  readonly partition: number
}

export function assignHomogeneously(group: GroupToAssign): Map<string, Assignment> {
  const [first] = group.members.values()
  if (first === undefined || first.subscribedTopicIds.size === 0) return new Map()
  const unassigned: Partition[] = []
  let total = 0
  for (const topicId of first.subscribedTopicIds) {
    const count = group.partitionCount(topicId)
    total += count
    for (let partition = 0; partition < count; partition++)
      if (!group.isAssigned(topicId, partition)) unassigned.push({ topicId, partition })
  }
  const assignments = new EditableAssignments()
  const unfilled = keepUpToQuota(group, first.subscribedTopicIds, total, assignments, unassigned)
  let next = 0
  for (const [memberId, quota] of unfilled)
    for (let count = 0; count < quota && next < unassigned.length; count++) {
      const { topicId, partition } = unassigned[next++]!
      assignments.add(memberId, topicId, partition)
    }
  assert(next === unassigned.length, 'quotas add up to all partitions')
  return assignments.result
}

/**
 * Members keep what they have, up to their quota; what is above is unassigned. The quota is the same for all, and one more for as many
 * members as there are partitions left over. Returns how many more partitions which members are to get.
 */
function keepUpToQuota(
  group: GroupToAssign,
  topicIds: ReadonlySet<string>,
  totalPartitions: number,
  assignments: EditableAssignments,
  unassigned: Partition[],
): [memberId: string, quota: number][] {
  const unfilled: [string, number][] = []
  let membersLeft = group.members.size
  const leastQuota = Math.floor(totalPartitions / membersLeft)
  let extrasLeft = totalPartitions % membersLeft
  for (const [memberId, { assignment }] of group.members) {
    let mayHaveExtra = extrasLeft > 0
    let quota = mayHaveExtra ? leastQuota + 1 : leastQuota
    assignments.start(memberId, assignment)
    for (const [topicId, partitions] of assignment) {
      if (!topicIds.has(topicId)) assignments.removeTopic(memberId, topicId)
      else if (partitions.size <= quota) quota -= partitions.size
      else
        for (const partition of partitions)
          if (quota > 0) quota--
          else {
            assignments.remove(memberId, topicId, partition)
            unassigned.push({ topicId, partition })
          }
    }
    // An extra partition that this member does not have already is left to one that may have it, as long as there are enough such.
    if (quota > 0 && mayHaveExtra && membersLeft > extrasLeft) {
      quota--
      mayHaveExtra = false
    }
    if (quota > 0) unfilled.push([memberId, quota])
    if (mayHaveExtra) extrasLeft--
    membersLeft--
  }
  return unfilled
}
