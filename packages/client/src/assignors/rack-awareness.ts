/** Which members and partitions are near each other (KIP-881). */
import type { AssignableTopics, MemberSubscription } from './assignor.ts'

/**
 * Whether looking at racks can change anything: a rack holds both members and replicas, and not every rack with replicas has one of every
 * partition.
 */
export function racksMatter(memberRacks: ReadonlySet<string>, partitionRacks: Iterable<ReadonlySet<string>>): boolean {
  if (memberRacks.size === 0) return false
  const partitions = [...partitionRacks]
  const all = new Set(partitions.flatMap((racks) => [...racks]))
  if (![...memberRacks].some((rack) => all.has(rack))) return false
  return partitions.some((racks) => racks.size !== all.size)
}

/** Null for members that do not tell. */
export function rackOf({ rackId }: MemberSubscription): string | null {
  return rackId === '' ? null : rackId
}

/** Racks of the replicas of each partition. */
export function partitionRacks(topics: AssignableTopics, topic: string): ReadonlySet<string>[] {
  return Array.from(
    { length: topics.partitionCount(topic) ?? 0 },
    (_, partition) => new Set(topics.racksOf(topic, partition)),
  )
}
