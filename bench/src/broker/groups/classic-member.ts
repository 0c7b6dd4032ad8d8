// A member of a classic group that behaves as Kafka's consumer does, eagerly: it gives up its partitions when it has to join again.
import { type AssignedTopic, assignment, readAssignment, subscription } from '../../wire/consumer-protocol.ts'
import { Connection } from '../../wire/connection.ts'
import { heartbeat, joinGroup, type JoinResponse, leaveGroup, syncGroup } from '../../wire/group-requests.ts'
import type { GroupMember, Membership, OpenMember } from './group-member.ts'
import { isRetriable, retryDelay } from './coordinator-errors.ts'
import { Pause } from './pause.ts'
import type { TopicGrid } from './topic-grid.ts'

/** Kafka's consumer's defaults. */
const sessionTimeoutMs = 45_000
const rebalanceTimeoutMs = 300_000
const heartbeatIntervalMs = 3000

const unknownMemberId = 25
const illegalGeneration = 22
const rebalanceInProgress = 27
const memberIdRequired = 79

export const openClassicMember: OpenMember = async (endpoint, membership) =>
  new ClassicMember(await Connection.open(endpoint), membership)

class ClassicMember implements GroupMember {
  readonly #connection: Connection
  readonly #in: Membership
  readonly #pause = new Pause()
  #memberId = ''
  #generation = -1
  #leaving = false

  constructor(connection: Connection, membership: Membership) {
    this.#connection = connection
    this.#in = membership
  }

  async run(): Promise<void> {
    while (!this.#leaving) {
      const joined = await this.#join()
      if (joined !== null && (await this.#sync(joined))) await this.#stay()
    }
    const errorCode = await leaveGroup(this.#connection, this.#identity())
    if (errorCode !== 0) throw new Error(`LeaveGroup: error ${errorCode}`)
    this.#in.ownership.release(this.#memberId)
  }

  leave(): void {
    this.#leaving = true
    this.#pause.end()
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]()
  }

  #identity() {
    return { group: this.#in.group, memberId: this.#memberId, generation: this.#generation }
  }

  /** null: to be tried again. */
  async #join(): Promise<JoinResponse | null> {
    if (this.#memberId !== '') this.#in.ownership.release(this.#memberId)
    const joined = await joinGroup(this.#connection, {
      group: this.#in.group,
      memberId: this.#memberId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocol: 'range',
      metadata: subscription(this.#in.grid.topics),
    })
    if (joined.errorCode === 0) {
      this.#memberId = joined.memberId
      this.#generation = joined.generation
      return joined
    }
    if (joined.errorCode === memberIdRequired) this.#memberId = joined.memberId
    else if (joined.errorCode === unknownMemberId) this.#memberId = ''
    else if (isRetriable(joined.errorCode)) await retryDelay()
    else if (joined.errorCode !== rebalanceInProgress) throw new Error(`JoinGroup: error ${joined.errorCode}`)
    return null
  }

  /** Whether there is an assignment now. */
  async #sync({ leader, members }: JoinResponse): Promise<boolean> {
    const assignments = leader === this.#memberId ? assign(members, this.#in.grid) : new Map<string, Buffer>()
    const { errorCode, assignment: mine } = await syncGroup(this.#connection, this.#identity(), assignments)
    if (errorCode === 0) {
      const partitions = readAssignment(mine).flatMap(({ topic, partitions: indexes }) =>
        indexes.map((index) => `${topic}/${index}`),
      )
      this.#in.ownership.hold(this.#memberId, this.#generation, new Set(partitions))
      return true
    }
    this.#startOver('SyncGroup', errorCode)
    return false
  }

  /** Heartbeats until the group rebalances or this member is to leave. */
  async #stay(): Promise<void> {
    for (;;) {
      await this.#pause.for(this.#in.pace.intervalMs(heartbeatIntervalMs))
      if (this.#leaving) return
      const errorCode = await heartbeat(this.#connection, this.#identity())
      if (errorCode === 0) continue
      this.#startOver('Heartbeat', errorCode)
      return
    }
  }

  #startOver(request: string, errorCode: number): void {
    if (errorCode === unknownMemberId) {
      this.#in.ownership.release(this.#memberId)
      this.#memberId = ''
    } else if (errorCode !== rebalanceInProgress && errorCode !== illegalGeneration)
      throw new Error(`${request}: error ${errorCode}`)
  }
}

/** Round robin over all partitions, in the order of the member ids. */
function assign(members: readonly string[], grid: TopicGrid): Map<string, Buffer> {
  const sorted = members.toSorted()
  const shares = new Map(sorted.map((member) => [member, [] as AssignedTopic[]]))
  grid.topics.forEach((topic, topicIndex) => {
    const start = topicIndex * grid.partitionsPerTopic
    sorted.forEach((member, position) => {
      const partitions: number[] = []
      const first = (((position - start) % sorted.length) + sorted.length) % sorted.length
      for (let index = first; index < grid.partitionsPerTopic; index += sorted.length) partitions.push(index)
      if (partitions.length > 0) shares.get(member)!.push({ topic, partitions })
    })
  })
  return new Map([...shares].map(([member, share]) => [member, assignment(share)]))
}
