/** A member of a consumer group as KIP-848 has it: it follows the assignment it is told, and says what it owns. For tests. */
import { errorName, KafkaError } from '@millrace/protocol'
import type { PartitionImage, TopicImage } from '../../../metadata/image.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from '../consumer/heartbeat-request.ts'
import type { RegexEngine } from '../consumer/regex-engine.ts'
import type { GroupShardUnderTest } from './group-shard-under-test.ts'

export interface ConsumerClientOptions {
  readonly memberId: string
  readonly instance?: string | null
  readonly topics?: readonly string[]
  readonly regex?: string
  readonly engine?: RegexEngine
  readonly group?: string
  readonly assignor?: string
  readonly rebalanceTimeoutMs?: number
}

/** `partition`, prefixed with its topic's id. */
export type OwnedPartition = string

export class ConsumerClient {
  readonly memberId: string
  readonly instance: string | null
  topics: readonly string[] | null
  regex: string | null
  epoch = 0
  /** What it consumes now. */
  owned = new Set<OwnedPartition>()
  /** What it was told to own. */
  target = new Set<OwnedPartition>()
  readonly #under: GroupShardUnderTest
  readonly #options: ConsumerClientOptions
  /** What the coordinator is not known to know yet. */
  #unsaid = { all: true, owned: true }
  #isWaiting = false

  constructor(under: GroupShardUnderTest, options: ConsumerClientOptions) {
    this.#under = under
    this.#options = options
    this.memberId = options.memberId
    this.instance = options.instance ?? null
    this.topics = options.topics ?? null
    this.regex = options.regex ?? null
  }

  subscribe(topics: readonly string[]): void {
    this.topics = topics
    this.#unsaid.all = true
  }

  /**
   * One heartbeat, and what the member does about the answer. `loses`: the answer is lost. Resolves with the name of the error, at once while
   * another is on its way.
   */
  async heartbeat({ loses = false, revokes = true } = {}): Promise<string> {
    if (this.#isWaiting) return 'waiting'
    const request = this.#request()
    this.#unsaid = { all: false, owned: false }
    this.#isWaiting = true
    const answer = await this.send(request)
    this.#isWaiting = false
    const error = loses ? 'lost' : (errorName(answer.errorCode) ?? String(answer.errorCode))
    if (error === 'FENCED_MEMBER_EPOCH' || error === 'UNKNOWN_MEMBER_ID') this.beginAnew()
    if (error !== 'NONE') {
      this.#unsaid = { all: true, owned: true }
      return error
    }
    this.epoch = answer.memberEpoch
    if (answer.assignment) this.target = new Set(partitionsOf(answer.assignment.topicPartitions))
    if (revokes) this.follow()
    return error
  }

  /** What it was told to own is free for it, and what is not among that is to be given up. */
  follow(): void {
    if (this.owned.size === this.target.size && [...this.owned].every((one) => this.target.has(one))) return
    this.owned = new Set(this.target)
    this.#unsaid.owned = true
  }

  /** As a process that has been fenced, or has just started. */
  beginAnew(): void {
    this.epoch = 0
    this.owned = new Set()
    this.target = new Set()
    this.#unsaid = { all: true, owned: true }
  }

  /** −1 for good, −2 as a static member that will be back. */
  async leave(epoch: -1 | -2 = -1): Promise<HeartbeatAnswer> {
    this.beginAnew()
    return this.send({ ...this.#request(), memberEpoch: epoch, rebalanceTimeoutMs: -1 })
  }

  async send(request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    const { engine = null } = this.#options
    try {
      return await this.#under.write(({ consumer }) => consumer.heartbeat(request, this.#under.client(1), engine))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return {
        throttleTimeMs: 0,
        errorCode: error.code,
        errorMessage: error.message,
        memberEpoch: 0,
        heartbeatIntervalMs: 0,
      }
    }
  }

  #request(): HeartbeatRequest {
    const { group = 'group', assignor = null, rebalanceTimeoutMs = 60_000 } = this.#options
    const { all, owned } = this.#unsaid
    const saysAll = all || this.epoch === 0
    return {
      groupId: group,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instance,
      rackId: null,
      rebalanceTimeoutMs: saysAll ? rebalanceTimeoutMs : -1,
      subscribedTopicNames: saysAll ? (this.topics ?? (this.regex === null ? [] : null)) : null,
      subscribedTopicRegex: saysAll ? this.regex : null,
      serverAssignor: saysAll ? assignor : null,
      topicPartitions: saysAll || owned ? reported(this.owned) : null,
    }
  }
}

export function partitionsOf(
  topicPartitions: readonly { readonly topicId: string; readonly partitions: readonly number[] }[],
): OwnedPartition[] {
  return topicPartitions.flatMap(({ topicId, partitions }) => partitions.map((partition) => `${topicId}-${partition}`))
}

function reported(owned: Iterable<OwnedPartition>): { topicId: string; partitions: number[] }[] {
  const byTopic = new Map<string, number[]>()
  for (const one of owned) {
    const topicId = one.slice(0, 22)
    byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), Number(one.slice(23))])
  }
  return Array.from(byTopic, ([topicId, partitions]) => ({ topicId, partitions }))
}

/** A topic whose id comes of its name and `generation`. */
export function testTopic(name: string, partitions: number, generation = 0): TopicImage {
  const id = Buffer.from(`${name}-${generation}`.padEnd(16, '.').slice(0, 16)).toString('base64url')
  return { name, id, partitions: Array.from({ length: partitions }, () => onBroker1) }
}

const onBroker1: PartitionImage = {
  leader: 1,
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas: [1],
  isr: [1],
  addingReplicas: [],
  removingReplicas: [],
  leaderRecovering: false,
}
