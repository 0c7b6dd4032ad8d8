/**
 * A consumer of the classic protocol, with its assignor: joins, assigns when it leads, consumes, and joins again when it is told to. Eager ones
 * give up everything before they join; cooperative ones keep what they own and give up what they lose (KIP-429). For tests.
 */
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  errorName,
  KafkaError,
  Reader,
  Writer,
} from '@millrace/protocol'
import type { JoinAnswer, SyncAnswer } from '../classic/classic-answers.ts'
import type { GroupShardUnderTest } from './group-shard-under-test.ts'

export interface ClassicConsumerOptions {
  readonly topics: readonly string[]
  readonly cooperative: boolean
  readonly instance?: string | null
}

interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export class ClassicConsumer {
  memberId = ''
  generation = -1
  readonly topics: readonly string[]
  readonly instance: string | null
  /** `topic-partition` */
  owned = new Set<string>()
  readonly #under: GroupShardUnderTest
  readonly #cooperative: boolean
  #isBusy = false
  #mustJoin = true

  constructor(under: GroupShardUnderTest, { topics, cooperative, instance = null }: ClassicConsumerOptions) {
    this.#under = under
    this.topics = topics
    this.instance = instance
    this.#cooperative = cooperative
  }

  /** Whether it has to join again, be it to have others get what it gave up. */
  get mustJoin(): boolean {
    return this.#mustJoin
  }

  joinAgain(): void {
    this.#mustJoin = true
  }

  /** The next thing it has to do, unless it still waits for an answer. Does not wait for it. */
  act(): void {
    if (this.#isBusy) return
    this.#isBusy = true
    void (this.#mustJoin ? this.#rejoin() : this.#heartbeat()).finally(() => (this.#isBusy = false))
  }

  async leave(): Promise<void> {
    this.#loseAll()
    const members = [{ memberId: this.memberId, groupInstanceId: this.instance, reason: null }]
    await this.#send(({ classic }) => classic.leave({ groupId: 'group', memberId: '', members }, this.#under.client(5)))
  }

  async #heartbeat(): Promise<void> {
    const { memberId, generation: generationId, instance: groupInstanceId } = this
    const request = { groupId: 'group', memberId, generationId, groupInstanceId }
    this.#heed(await this.#send(({ classic }) => classic.heartbeat(request, this.#under.client(4))))
  }

  async #rejoin(): Promise<void> {
    if (!this.#cooperative) this.owned = new Set()
    const joined = await this.#join()
    if (errorName(joined.errorCode) === 'MEMBER_ID_REQUIRED') {
      this.memberId = (joined as JoinAnswer).memberId
      return
    }
    if (this.#heed(joined) !== 'NONE') return
    const answer = joined as JoinAnswer
    this.memberId = answer.memberId
    this.generation = answer.generationId ?? -1
    const assignments = answer.leader === answer.memberId ? this.#assign(answer) : []
    const synced = await this.#sync(assignments)
    if (this.#heed(synced) !== 'NONE') return
    this.#mustJoin = false
    this.#take((synced as SyncAnswer).assignment)
  }

  /** Cooperatively, what is lost is given up first, and then joined for again. */
  #take(bytes: Uint8Array): void {
    const assigned = new Set(bytes.length === 0 ? [] : partitionsIn(bytes))
    const lost = [...this.owned].filter((one) => !assigned.has(one))
    this.owned = assigned
    if (this.#cooperative && lost.length > 0) this.#mustJoin = true
  }

  #heed({ errorCode }: { readonly errorCode: number }): string {
    const error = errorName(errorCode) ?? ''
    if (error === 'NONE') return error
    this.#mustJoin = true
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'ILLEGAL_GENERATION' || error === 'FENCED_INSTANCE_ID') {
      this.#loseAll()
      if (error !== 'ILLEGAL_GENERATION') this.memberId = ''
    }
    return error
  }

  #loseAll(): void {
    this.owned = new Set()
    this.generation = -1
  }

  #join(): Promise<JoinAnswer | { errorCode: number }> {
    const metadata = subscriptionOf(this.topics, [...this.owned].map(parse), this.generation)
    const protocols = [{ name: this.#cooperative ? 'cooperative' : 'eager', metadata }]
    const request = {
      groupId: 'group',
      sessionTimeoutMs: 20_000,
      rebalanceTimeoutMs: 30_000,
      memberId: this.memberId,
      groupInstanceId: this.instance,
      protocolType: 'consumer',
      protocols,
      reason: null,
    }
    return this.#send(({ classic }) => classic.join(request, this.#under.client(9)))
  }

  #sync(
    assignments: readonly { memberId: string; assignment: Uint8Array }[],
  ): Promise<SyncAnswer | { errorCode: number }> {
    const { memberId, generation: generationId, instance: groupInstanceId } = this
    const protocol = { protocolType: 'consumer', protocolName: this.#cooperative ? 'cooperative' : 'eager' }
    const request = { groupId: 'group', memberId, generationId, groupInstanceId, ...protocol, assignments }
    return this.#send(({ classic }) => classic.sync(request, this.#under.client(5)))
  }

  /** Partitions in turn to the members that subscribe to them; none that another still owns. */
  #assign({ members }: JoinAnswer): { memberId: string; assignment: Uint8Array }[] {
    const subscriptions = members.map(({ memberId, metadata }) => ({ memberId, ...subscriptionIn(metadata) }))
    const shares = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]))
    let turn = 0
    for (const { name: topic, partitions } of this.#under.image.topics.values()) {
      const subscribers = subscriptions.filter(({ topics }) => topics.includes(topic))
      if (subscribers.length === 0) continue
      for (let partition = 0; partition < partitions.length; partition++) {
        const { memberId } = subscribers[turn++ % subscribers.length]!
        const owner = subscriptions.find(({ owned }) => owned.includes(`${topic}-${partition}`))
        if (owner === undefined || owner.memberId === memberId) shares.get(memberId)!.push({ topic, partition })
      }
    }
    return Array.from(shares, ([memberId, share]) => ({ memberId, assignment: assignmentOf(share) }))
  }

  async #send<T>(
    decide: Parameters<typeof GroupShardUnderTest.prototype.write<T>>[0],
  ): Promise<T | { errorCode: number }> {
    try {
      return await this.#under.write(decide)
    } catch (error) {
      if (error instanceof KafkaError) return { errorCode: error.code }
      throw error
    }
  }
}

function parse(one: string): TopicPartition {
  const at = one.lastIndexOf('-')
  return { topic: one.slice(0, at), partition: Number(one.slice(at + 1)) }
}

function subscriptionOf(topics: readonly string[], owned: readonly TopicPartition[], generationId: number): Uint8Array {
  const writer = new Writer()
  writer.int16(3)
  const ownedPartitions = byTopic(owned)
  ConsumerProtocolSubscription.encode(writer, { topics, ownedPartitions, generationId }, 3)
  return Buffer.concat(writer.finish())
}

function subscriptionIn(bytes: Uint8Array): { topics: readonly string[]; owned: string[] } {
  const reader = new Reader(bytes)
  const { topics, ownedPartitions } = ConsumerProtocolSubscription.decode(reader, reader.int16())
  return {
    topics,
    owned: ownedPartitions.flatMap(({ topic, partitions }) => partitions.map((one) => `${topic}-${one}`)),
  }
}

function assignmentOf(share: readonly TopicPartition[]): Uint8Array {
  const writer = new Writer()
  writer.int16(3)
  ConsumerProtocolAssignment.encode(writer, { assignedPartitions: byTopic(share) }, 3)
  return Buffer.concat(writer.finish())
}

function partitionsIn(bytes: Uint8Array): string[] {
  const reader = new Reader(bytes)
  const { assignedPartitions } = ConsumerProtocolAssignment.decode(reader, reader.int16())
  return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((one) => `${topic}-${one}`))
}

function byTopic(all: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = [...new Set(all.map(({ topic }) => topic))]
  return topics.map((topic) => ({
    topic,
    partitions: all.filter((one) => one.topic === topic).map(({ partition }) => partition),
  }))
}
