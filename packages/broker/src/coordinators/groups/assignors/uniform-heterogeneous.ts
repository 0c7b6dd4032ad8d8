/**
 * The uniform assignment of a group whose members subscribe to different topics: what is not assigned is given to the least loaded
 * subscribers, then partitions are moved from the most to the least loaded, topic by topic. With subscriptions that overlap without being
 * the same the result is nearly balanced. Source: Kafka's UniformHeterogeneousAssignmentBuilder.
 */
import type { Assignment, GroupToAssign } from './assignor.ts'
import { EditableAssignments } from './editable-assignments.ts'
import { LoadBalancer } from './load-balancer.ts'

/** Rounds over all topics. One is enough unless subscriptions overlap; each should halve the imbalance then. */
const maxRounds = 16

const nobody = -1

interface Topic {
  readonly id: string
  /** Indices of members, ascending. */
  readonly subscribers: number[]
  /** The index of the member, by partition. */
  readonly owners: Int32Array
}

export function assignHeterogeneously(group: GroupToAssign): Map<string, Assignment> {
  const builder = new Builder(group)
  if (builder.topics.size === 0) return new Map()
  builder.keep()
  builder.assignRest()
  builder.balance()
  return builder.assignments.result
}

class Builder {
  readonly topics = new Map<string, Topic>()
  readonly assignments = new EditableAssignments()
  readonly #group: GroupToAssign
  readonly #memberIds: readonly string[]
  /** Partitions by member. */
  readonly #loads: Int32Array
  readonly #balancer: LoadBalancer

  constructor(group: GroupToAssign) {
    this.#group = group
    this.#memberIds = [...group.members.keys()]
    this.#loads = new Int32Array(this.#memberIds.length)
    this.#balancer = new LoadBalancer(this.#loads)
    this.#memberIds.forEach((memberId, member) => {
      for (const topicId of group.members.get(memberId)!.subscribedTopicIds)
        this.#topic(topicId).subscribers.push(member)
    })
  }

  #topic(id: string): Topic {
    let topic = this.topics.get(id)
    if (topic === undefined) {
      topic = { id, subscribers: [], owners: new Int32Array(this.#group.partitionCount(id)).fill(nobody) }
      this.topics.set(id, topic)
    }
    return topic
  }

  /** Members keep what they have of the topics they subscribe to. */
  keep(): void {
    this.#memberIds.forEach((memberId, member) => {
      const { assignment, subscribedTopicIds } = this.#group.members.get(memberId)!
      this.assignments.start(memberId, assignment)
      for (const [topicId, partitions] of assignment) {
        if (!subscribedTopicIds.has(topicId)) {
          this.assignments.removeTopic(memberId, topicId)
          continue
        }
        const { owners } = this.topics.get(topicId)!
        for (const partition of partitions) owners[partition] = member
        this.#loads[member]! += partitions.size
      }
    })
  }

  assignRest(): void {
    const topics = [...this.topics.values()].filter(({ owners }) => owners.includes(nobody))
    for (const topic of inOrder(topics)) {
      this.#balancer.start(topic.subscribers)
      topic.owners.forEach((owner, partition) => {
        if (owner === nobody) this.#assign(topic, partition, this.#balancer.nextLeastLoaded())
      })
    }
  }

  /** Goes round until nothing was moved since the topic was looked at last. */
  balance(): void {
    const topics = inOrder([...this.topics.values()].filter(({ subscribers }) => subscribers.length >= 2))
    let lastMoved: Topic | null = null
    for (let round = 0; round < maxRounds; round++)
      for (const topic of topics) {
        if (topic === lastMoved) return
        const moved = this.#balanceTopic(topic)
        if (moved || lastMoved === null) lastMoved = topic
      }
  }

  #balanceTopic(topic: Topic): boolean {
    if (this.#balancer.start(topic.subscribers) <= 1) return false
    /** Ascending; the last is given up first. */
    const byOwner = new Map<number, number[]>()
    topic.owners.forEach((owner, partition) => {
      const partitions = byOwner.get(owner)
      if (partitions === undefined) byOwner.set(owner, [partition])
      else partitions.push(partition)
    })
    let moved = false
    for (;;) {
      const partition = this.#takeFromMostLoaded(byOwner)
      if (partition === undefined) return moved
      const member = this.#balancer.nextLeastLoaded()
      if (this.#balancer.isBalanced) return moved
      this.#assign(topic, partition, member)
      moved = true
    }
  }

  #takeFromMostLoaded(byOwner: ReadonlyMap<number, number[]>): number | undefined {
    for (;;) {
      const member = this.#balancer.nextMostLoaded()
      if (member === nobody) return undefined
      const partition = byOwner.get(member)?.pop()
      if (partition !== undefined) return partition
      this.#balancer.excludeMostLoaded()
    }
  }

  #assign(topic: Topic, partition: number, member: number): void {
    const owner = topic.owners[partition]!
    if (owner !== nobody) {
      this.assignments.remove(this.#memberIds[owner]!, topic.id, partition)
      this.#loads[owner]!--
    }
    this.assignments.add(this.#memberIds[member]!, topic.id, partition)
    topic.owners[partition] = member
    this.#loads[member]!++
  }
}

/** Most partitions per subscriber first, then those with few subscribers; by id where that is the same, to be predictable. */
function inOrder(topics: readonly Topic[]): Topic[] {
  const perSubscriber = ({ owners, subscribers }: Topic): number => owners.length / subscribers.length
  return topics.toSorted(
    (one, other) =>
      perSubscriber(other) - perSubscriber(one) ||
      one.subscribers.length - other.subscribers.length ||
      compareIds(one.id, other.id),
  )
}

/** As two signed numbers of 64 bits, which is how Kafka orders topic ids. */
function compareIds(one: string, other: string): number {
  const a = Buffer.from(one, 'base64url')
  const b = Buffer.from(other, 'base64url')
  for (const at of [0, 8]) {
    const difference = a.readBigInt64BE(at) - b.readBigInt64BE(at)
    if (difference !== 0n) return difference < 0n ? -1 : 1
  }
  return 0
}
