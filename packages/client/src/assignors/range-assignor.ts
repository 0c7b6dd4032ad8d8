/**
 * Each topic for itself: its partitions in order are cut into as many runs as it has subscribers, the first ones one longer. So topics with the
 * same subscribers and as many partitions are co-partitioned.
 *
 * Where racks matter (KIP-881), partitions first go to members in the rack of a replica, within the same shares; co-partitioned topics move
 * together. What is left is cut as above, so the balance of a topic is the same with racks and without.
 */
import type { AssignableTopics, MemberSubscription, SynchronousAssignor } from './assignor.ts'
import { partitionRacks, rackOf, racksMatter } from './rack-awareness.ts'
import { sortedMemberIds, subscribersByTopic } from './subscribed-members.ts'
import type { TopicPartition } from '../record.ts'

export function rangeAssignor(): SynchronousAssignor {
  return {
    name: 'range',
    supportedProtocols: ['eager'],
    assign(topics, members) {
      const memberIds = sortedMemberIds(members)
      const shares = [...subscribersByTopic(topics, members, memberIds)].map(
        ([topic, subscribers]) => new TopicShares({ topic, subscribers, topics, members }),
      )
      if (shares.some(({ racksMatter }) => racksMatter)) {
        for (const together of coPartitioned(shares)) matchRacks(together)
      }
      for (const share of shares) share.cutRanges(anyPartition)

      const assignment = new Map<string, { partitions: TopicPartition[] }>(
        memberIds.map((memberId) => [memberId, { partitions: [] }]),
      )
      for (const { topic, owners } of shares) {
        owners.forEach((memberId, partition) => assignment.get(memberId!)!.partitions.push({ topic, partition }))
      }
      return assignment
    },
  }
}

/** Topics with the same subscribers and as many partitions. Without racks the number of partitions says nothing: see `TopicShares.rackCount`. */
function coPartitioned(shares: readonly TopicShares[]): TopicShares[][] {
  const groups = Map.groupBy(shares, (share) => JSON.stringify([share.rackCount, ...share.subscribers]))
  return [...groups.values()]
}

function matchRacks(together: readonly TopicShares[]): void {
  if (together.length > 1) matchRacksTogether(together)
  else if (together[0]!.racksMatter)
    together[0]!.cutRanges((memberId, partition) => together[0]!.isNear(memberId, partition))
}

/** The same partition of all topics to the first member near a replica of each. */
function matchRacksTogether(together: readonly TopicShares[]): void {
  const remaining = new Set(together[0]!.subscribers)
  for (let partition = 0; partition < together[0]!.rackCount && remaining.size > 0; partition++) {
    for (const memberId of remaining) {
      if (!together.every((share) => share.roomOf(memberId) > 0 && share.isNear(memberId, partition))) continue
      for (const share of together) share.give(memberId, [partition])
      if (together.every((share) => share.roomOf(memberId) === 0)) remaining.delete(memberId)
      break
    }
  }
}

/** How a topic's partitions are shared out. Invariant: no member has more than its share, and `extras` members may still have one more. */
class TopicShares {
  readonly topic: string
  readonly subscribers: readonly string[]
  /** Owner of each partition. */
  readonly owners: (string | undefined)[]
  readonly racksMatter: boolean
  readonly #memberRacks = new Map<string, string>()
  /** Empty when no subscriber tells its rack. */
  readonly #partitionRacks: readonly ReadonlySet<string>[]
  readonly #counts: Map<string, number>
  readonly #base: number
  #extras: number

  constructor({ topic, subscribers, topics, members }: TopicSharesOptions) {
    this.topic = topic
    this.subscribers = subscribers
    const count = topics.partitionCount(topic)!
    this.owners = Array.from({ length: count })
    this.#counts = new Map(subscribers.map((memberId) => [memberId, 0]))
    this.#base = Math.floor(count / subscribers.length)
    this.#extras = count % subscribers.length
    for (const memberId of subscribers) {
      const rack = rackOf(members.get(memberId)!)
      if (rack !== null) this.#memberRacks.set(memberId, rack)
    }
    this.#partitionRacks = this.#memberRacks.size === 0 ? [] : partitionRacks(topics, topic)
    this.racksMatter = racksMatter(new Set(this.#memberRacks.values()), this.#partitionRacks)
  }

  /** The number of partitions whose racks are known: all, or none when no subscriber tells its rack. */
  get rackCount(): number {
    return this.#partitionRacks.length
  }

  /** True for members that do not tell where they are. */
  isNear(memberId: string, partition: number): boolean {
    const rack = this.#memberRacks.get(memberId)
    return rack === undefined || (this.#partitionRacks[partition]?.has(rack) ?? false)
  }

  roomOf(memberId: string): number {
    return Math.max(0, this.#base + (this.#extras > 0 ? 1 : 0) - this.#counts.get(memberId)!)
  }

  give(memberId: string, partitions: readonly number[]): void {
    const count = this.#counts.get(memberId)! + partitions.length
    this.#counts.set(memberId, count)
    if (count > this.#base) this.#extras--
    for (const partition of partitions) this.owners[partition] = memberId
  }

  /** Gives each member in turn the first partitions that it `mayHave` and has room for. */
  cutRanges(mayHave: (memberId: string, partition: number) => boolean): void {
    const free = new Set(this.owners.keys().filter((partition) => this.owners[partition] === undefined))
    for (const memberId of this.subscribers) {
      const room = this.roomOf(memberId)
      const range = free
        .values()
        .filter((partition) => mayHave(memberId, partition))
        .take(room)
        .toArray()
      if (range.length === 0) continue
      this.give(memberId, range)
      for (const partition of range) free.delete(partition)
    }
  }
}

interface TopicSharesOptions {
  readonly topic: string
  readonly subscribers: readonly string[]
  readonly topics: AssignableTopics
  readonly members: ReadonlyMap<string, MemberSubscription>
}

function anyPartition(): boolean {
  return true
}
