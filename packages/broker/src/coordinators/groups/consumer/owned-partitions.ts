/** Partitions that a member owns, or has yet to give up, each with the member epoch at which it was assigned (KIP-1251). */
import type { ConsumerGroupCurrentMemberAssignmentRecord, RecordValue, RecordValueInput } from '@millrace/protocol'
import type { Assignment } from '../assignors/assignor.ts'

/** Assignment epochs by partition, by topic id. No topic without partitions. */
export type OwnedPartitions = ReadonlyMap<string, ReadonlyMap<number, number>>

export const ownsNothing: OwnedPartitions = new Map()

type Stored = RecordValue<typeof ConsumerGroupCurrentMemberAssignmentRecord>['assignedPartitions']

/** Brokers before 4.3 stored no assignment epochs: then it is the member's epoch, or 0 for a static member that was away. */
export function ownedPartitionsOf(stored: Stored, memberEpoch: number): OwnedPartitions {
  if (stored.length === 0) return ownsNothing
  const unknown = Math.max(0, memberEpoch)
  const owned = new Map<string, ReadonlyMap<number, number>>()
  for (const { topicId, partitions, assignmentEpochs } of stored) {
    const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : null
    owned.set(topicId, new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? unknown])))
  }
  return owned
}

export function storedOwnedPartitions(
  owned: OwnedPartitions,
): RecordValueInput<typeof ConsumerGroupCurrentMemberAssignmentRecord>['assignedPartitions'] {
  return Array.from(owned, ([topicId, epochs]) => {
    const partitions = ascending(epochs.keys())
    return { topicId, partitions, assignmentEpochs: partitions.map((partition) => epochs.get(partition)!) }
  })
}

/** As clients and the log are told them. */
export function ascending(partitions: Iterable<number>): number[] {
  return Array.from(partitions).sort((one, other) => one - other)
}

export function assignedAt(epoch: number, assignment: Assignment): OwnedPartitions {
  return new Map(
    Array.from(assignment, ([topicId, partitions]) => [
      topicId,
      new Map(Array.from(partitions, (partition) => [partition, epoch])),
    ]),
  )
}

export function withEpoch(epoch: number, owned: OwnedPartitions): OwnedPartitions {
  return new Map(
    Array.from(owned, ([topicId, epochs]) => [
      topicId,
      new Map(Array.from(epochs.keys(), (partition) => [partition, epoch])),
    ]),
  )
}

export function isSameOwnership(one: OwnedPartitions, other: OwnedPartitions): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [topicId, epochs] of one) {
    const others = other.get(topicId)
    if (others === undefined || others.size !== epochs.size) return false
    for (const [partition, epoch] of epochs) if (others.get(partition) !== epoch) return false
  }
  return true
}
