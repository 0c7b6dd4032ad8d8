/** Members and topics in the orders that assignors go by. */
import type { AssignableTopics, MemberSubscription } from './assignor.ts'

/** Static members first, by instance id, so that a restart with a new member id changes nothing; then the others by member id. */
export function sortedMemberIds(members: ReadonlyMap<string, MemberSubscription>): string[] {
  return [...members.keys()].toSorted((one, other) => {
    const instance = members.get(one)!.groupInstanceId
    const otherInstance = members.get(other)!.groupInstanceId
    if (instance !== null && otherInstance !== null) return compareText(instance, otherInstance)
    if (instance !== null || otherInstance !== null) return instance !== null ? -1 : 1
    return compareText(one, other)
  })
}

/** Existing topics that anybody subscribes to, in order, with their subscribers in the order of `memberIds`. */
export function subscribersByTopic(
  topics: AssignableTopics,
  members: ReadonlyMap<string, MemberSubscription>,
  memberIds: readonly string[],
): Map<string, string[]> {
  const subscribers = new Map<string, string[]>()
  for (const memberId of memberIds) {
    for (const topic of new Set(members.get(memberId)!.topics)) {
      const known = subscribers.get(topic)
      if (known === undefined) subscribers.set(topic, [memberId])
      else known.push(memberId)
    }
  }
  return new Map(
    [...subscribers]
      .filter(([topic]) => (topics.partitionCount(topic) ?? 0) > 0)
      .toSorted(([one], [other]) => compareText(one, other)),
  )
}

/** By UTF-16 units, as Java compares. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
