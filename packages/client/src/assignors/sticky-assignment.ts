/**
 * The assignment that is as balanced as moving one partition at a time can make it, and leaves with each member as much of what it owns as that
 * allows. It guarantees what Kafka's AbstractStickyAssignor does: no member has two partitions more than another that subscribes to the topic
 * of one of them.
 *
 * 1. Members keep what they own, where they still subscribe to it.
 * 2. What is left goes to the member with the fewest partitions that may have it, partitions with few subscribers first; where racks matter
 *    (KIP-881) first to those near a replica.
 * 3. Partitions move from the members with the most to those with the fewest, until no move would make two members more equal.
 * 4. Where racks matter, partitions far from their members move or change places, as long as each step brings more near than away and the sizes
 *    stay as they are. Kafka takes distant partitions from their owners beforehand; then a group may never come to rest.
 */
import type { AssignableTopics, MemberSubscription } from './assignor.ts'
import type { OwnershipClaims } from './ownership-claims.ts'
import { partitionRacks, rackOf, racksMatter } from './rack-awareness.ts'
import { compareText, sortedMemberIds, subscribersByTopic } from './subscribed-members.ts'
import type { TopicPartition } from '../record.ts'

export interface StickyGroup {
  readonly topics: AssignableTopics
  readonly members: ReadonlyMap<string, MemberSubscription>
  readonly claims: OwnershipClaims
}

interface Partition extends TopicPartition {
  readonly racks: ReadonlySet<string>
  /** Who is believed to own it before. */
  readonly owner: string | null
}

interface Member {
  readonly id: string
  readonly topics: ReadonlySet<string>
  /** Null when it is not told, or racks do not matter. */
  readonly rack: string | null
  readonly partitions: Set<Partition>
  /** How many of them are of each topic. */
  readonly counts: Map<string, number>
  /** How many of them it did not own before. */
  strangers: number
}

export function stickyAssignment(group: StickyGroup): Map<string, TopicPartition[]> {
  const { topics, members, claims } = group
  const memberIds = sortedMemberIds(members)
  const subscribers = subscribersByTopic(topics, members, memberIds)
  const racksOfTopic = new Map([...subscribers.keys()].map((topic) => [topic, partitionRacks(topics, topic)]))
  const memberRacks = new Set(memberIds.flatMap((memberId) => rackOf(members.get(memberId)!) ?? []))
  const looksAtRacks = racksMatter(memberRacks, [...racksOfTopic.values()].flat())
  const shares = new Shares(
    memberIds.map((id) => ({
      id,
      topics: new Set(members.get(id)!.topics),
      rack: looksAtRacks ? rackOf(members.get(id)!) : null,
      partitions: new Set(),
      counts: new Map(),
      strangers: 0,
    })),
  )

  let left: Partition[] = []
  for (const [topic] of [...subscribers].toSorted(byFewestSubscribers)) {
    racksOfTopic.get(topic)!.forEach((racks, number) => {
      const place = { topic, partition: number }
      const partition: Partition = { ...place, racks, owner: claims.ownerOf(place) }
      if (!shares.keep(partition)) left.push(partition)
    })
  }
  if (looksAtRacks) left = left.filter((partition) => !shares.giveToFewest(partition, isNear))
  for (const partition of left) shares.giveToFewest(partition, anywhere)
  shares.balance()
  if (looksAtRacks) shares.comeNearer()
  return shares.assignment()
}

function byFewestSubscribers([one, ofOne]: [string, string[]], [other, ofOther]: [string, string[]]): number {
  return ofOne.length - ofOther.length || compareText(one, other)
}

type MayHave = (member: Member, partition: Partition) => boolean

const isNear: MayHave = ({ rack }, { racks }) => rack === null || racks.has(rack)
const anywhere: MayHave = () => true

interface Move {
  readonly partition: Partition
  readonly donor: Member
  readonly taker: Member
  readonly cost: number
}

/** Pairs of members looked at for a cheaper move when there is one already. */
const MOST_COMPARED = 200

/** Of moving to its owner: nothing; what was nobody's or another's; what the donor owned before; and on top, away from its replicas. */
const COST_OF_STRANGER = 1
const COST_OF_OWN = 2
const COST_OF_DISTANCE = 4

function costOf(partition: Partition, donor: Member, taker: Member): number {
  const distance = isNear(taker, partition) ? 0 : COST_OF_DISTANCE
  if (partition.owner === taker.id) return distance
  return distance + (partition.owner === donor.id ? COST_OF_OWN : COST_OF_STRANGER)
}

/** Invariant: `#bySize[n]` holds the members that have n partitions. */
class Shares {
  readonly #members: ReadonlyMap<string, Member>
  readonly #bySize: Set<Member>[]
  /** All subscribe to the same topics. */
  readonly #areAlike: boolean

  constructor(members: readonly Member[]) {
    const topics = new Set(members.flatMap((member) => [...member.topics]))
    this.#areAlike = members.every((member) => member.topics.size === topics.size)
    this.#members = new Map(members.map((member) => [member.id, member]))
    this.#bySize = [new Set(members)]
  }

  /** Leaves it with its owner. False when that one may not have it. */
  keep(partition: Partition): boolean {
    const owner = partition.owner === null ? undefined : this.#members.get(partition.owner)
    if (owner === undefined || !owner.topics.has(partition.topic)) return false
    this.#give(partition, owner)
    return true
  }

  /** To its owner, if that is one of those with the fewest. False when no member may have it. */
  giveToFewest(partition: Partition, mayHave: MayHave): boolean {
    const owner = partition.owner === null ? undefined : this.#members.get(partition.owner)
    for (const members of this.#bySize) {
      const first = owner !== undefined && members.has(owner) ? [owner, ...members] : members
      for (const member of first) {
        if (!member.topics.has(partition.topic) || !mayHave(member, partition)) continue
        this.#give(partition, member)
        return true
      }
    }
    return false
  }

  balance(): void {
    // Each move makes the sum of the squares of all sizes less, so this ends.
    for (let size = this.#bySize.length - 1; size > 1; size--) {
      const move = this.#bestMoveFrom(size)
      if (move === null) continue
      this.#take(move.partition, move.donor)
      this.#give(move.partition, move.taker)
      // Sizes have changed, so those that had no move before may have one: from the top again.
      size = this.#bySize.length
    }
  }

  /** Each step leaves fewer partitions distant, so this ends. What all members own already stays, if no step is left. */
  comeNearer(): void {
    for (let hasMoved = true; hasMoved;) {
      hasMoved = false
      for (const holder of this.#members.values())
        for (const partition of holder.partitions)
          if (!isNear(holder, partition) && this.#bringNearer(partition, holder)) hasMoved = true
    }
  }

  #bringNearer(partition: Partition, holder: Member): boolean {
    let compared = 0
    for (const taker of this.#members.values()) {
      if (taker === holder || !taker.topics.has(partition.topic) || !isNear(taker, partition)) continue
      const difference = taker.partitions.size - holder.partitions.size
      // Unlike members are as equal as their topics allow; only what leaves every partition with as large a member leaves them so.
      if (difference !== 0 && !this.#areAlike) continue
      const isSmaller = difference < 0
      const instead = isSmaller ? null : exchangeFor(holder, taker)
      if (isSmaller || instead !== null) {
        this.#take(partition, holder)
        if (instead !== null) this.#take(instead, taker)
        this.#give(partition, taker)
        if (instead !== null) this.#give(instead, holder)
        return true
      }
      if (++compared > MOST_COMPARED) break
    }
    return false
  }

  assignment(): Map<string, TopicPartition[]> {
    const assignment = new Map<string, TopicPartition[]>()
    for (const { id, partitions } of this.#members.values()) {
      assignment.set(
        id,
        [...partitions].map(({ topic, partition }) => ({ topic, partition })),
      )
    }
    return assignment
  }

  #bestMoveFrom(size: number): Move | null {
    let best: Move | null = null
    let compared = 0
    for (const donor of this.#bySize[size]!) {
      if (best !== null && best.cost <= leastCost(donor)) continue
      for (let smaller = 0; smaller < size - 1; smaller++) {
        for (const taker of this.#bySize[smaller]!) {
          if (best !== null && ++compared > MOST_COMPARED) return best
          const move = cheapestMove(donor, taker)
          if (move !== null && (best === null || move.cost < best.cost)) best = move
          if (best !== null && best.cost <= leastCost(donor)) break
        }
      }
    }
    return best
  }

  #give(partition: Partition, member: Member): void {
    this.#bySize[member.partitions.size]!.delete(member)
    member.partitions.add(partition)
    if (partition.owner !== member.id) member.strangers++
    member.counts.set(partition.topic, (member.counts.get(partition.topic) ?? 0) + 1)
    ;(this.#bySize[member.partitions.size] ??= new Set()).add(member)
  }

  #take(partition: Partition, member: Member): void {
    this.#bySize[member.partitions.size]!.delete(member)
    member.partitions.delete(partition)
    if (partition.owner !== member.id) member.strangers--
    member.counts.set(partition.topic, member.counts.get(partition.topic)! - 1)
    this.#bySize[member.partitions.size]!.add(member)
  }
}

function cheapestMove(donor: Member, taker: Member): Move | null {
  const shared = new Set<string>()
  for (const [topic, count] of donor.counts) if (count > 0 && taker.topics.has(topic)) shared.add(topic)
  if (shared.size === 0) return null
  let best: Move | null = null
  for (const partition of donor.partitions) {
    if (!shared.has(partition.topic)) continue
    const cost = costOf(partition, donor, taker)
    if (best === null || cost < best.cost) best = { partition, donor, taker, cost }
    if (cost <= leastCost(donor)) break
  }
  return best
}

/** What the taker can give back without being worse off in sum: near to the holder, or far from the taker too. */
function exchangeFor(holder: Member, taker: Member): Partition | null {
  for (const partition of taker.partitions)
    if (holder.topics.has(partition.topic) && (isNear(holder, partition) || !isNear(taker, partition))) return partition
  return null
}

/** No move from the donor costs less: what has an owner is with it. */
function leastCost(donor: Member): number {
  return donor.strangers > 0 ? COST_OF_STRANGER : COST_OF_OWN
}
