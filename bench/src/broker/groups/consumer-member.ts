// A member of a KIP-848 group that behaves as Kafka's consumer does: it tells at once what it has given up or taken, and otherwise
// speaks as often as the coordinator says.
import { randomUUID } from 'node:crypto'
import { Connection } from '../../wire/connection.ts'
import {
  consumerGroupHeartbeat,
  type ConsumerHeartbeatResponse,
  type TopicPartitions,
} from '../../wire/group-requests.ts'
import { isRetriable, retryDelay } from './coordinator-errors.ts'
import type { GroupMember, Membership, OpenMember } from './group-member.ts'
import { Pause } from './pause.ts'

/** Kafka's consumer's `max.poll.interval.ms`. */
const rebalanceTimeoutMs = 300_000
const joinEpoch = 0
const leaveEpoch = -1

export const openConsumerMember: OpenMember = async (endpoint, membership) =>
  new ConsumerMember(await Connection.open(endpoint), membership)

class ConsumerMember implements GroupMember {
  readonly #connection: Connection
  readonly #in: Membership
  readonly #pause = new Pause()
  readonly #memberId = randomUUID()
  #epoch = joinEpoch
  #leaving = false

  constructor(connection: Connection, membership: Membership) {
    this.#connection = connection
    this.#in = membership
  }

  async run(): Promise<void> {
    let { assignment, intervalMs } = await this.#beat({ rebalanceTimeoutMs, topics: this.#in.grid.topics, owned: [] })
    let waitMs = this.#in.pace.firstIntervalMs(intervalMs)
    while (!this.#leaving) {
      if (assignment === null) {
        await this.#pause.for(waitMs)
        waitMs = this.#in.pace.intervalMs(intervalMs)
        if (!this.#leaving) ({ assignment, intervalMs } = await this.#beat({}))
      } else {
        const owned = assignment
        ;({ assignment, intervalMs } = await this.#beat({ owned }))
        // What was told and answered is owned; what comes with the answer is news.
        this.#in.ownership.hold(this.#memberId, 0, partitionsOf(owned))
      }
    }
    this.#epoch = leaveEpoch
    await this.#beat({})
    this.#in.ownership.release(this.#memberId)
  }

  leave(): void {
    this.#leaving = true
    this.#pause.end()
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]()
  }

  /** What is left out is as in the request before. */
  async #beat(changed: {
    readonly rebalanceTimeoutMs?: number
    readonly topics?: readonly string[]
    readonly owned?: readonly TopicPartitions[]
  }): Promise<ConsumerHeartbeatResponse> {
    for (;;) {
      const response = await consumerGroupHeartbeat(this.#connection, {
        group: this.#in.group,
        memberId: this.#memberId,
        epoch: this.#epoch,
        rebalanceTimeoutMs: changed.rebalanceTimeoutMs ?? -1,
        topics: changed.topics ?? null,
        owned: changed.owned ?? null,
      })
      if (response.errorCode === 0) {
        this.#epoch = response.epoch
        return response
      }
      if (!isRetriable(response.errorCode))
        throw new Error(`ConsumerGroupHeartbeat: error ${response.errorCode}: ${response.errorMessage}`)
      await retryDelay()
    }
  }
}

const partitionsOf = (owned: readonly TopicPartitions[]): Set<string> =>
  new Set(owned.flatMap(({ topicId, partitions }) => partitions.map((index) => `${topicId}/${index}`)))
