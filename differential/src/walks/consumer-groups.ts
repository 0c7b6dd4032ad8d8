/** Members of consumer groups that join, beat, give up and take partitions, commit and leave; mostly as they should. */
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  DeleteGroups,
  LeaveGroup,
  OffsetCommit,
  OffsetFetch,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { Dice } from '../dice.ts'
import { commitRequest, fetchRequest } from '../scenarios/offsets.ts'
import type { Topic, World } from '../world.ts'
import { draw, type Walk, type Walker } from './walk.ts'

type Owned = NonNullable<RequestInput<typeof ConsumerGroupHeartbeat>['topicPartitions']>

interface Membership {
  readonly memberId: string
  epoch: number
  /** As it was told last. */
  owned: Owned
}

interface Actor {
  readonly name: string
  readonly instanceId: string | null
  readonly memberships: Map<string, Membership>
  /** Each process has an id of its own. */
  process: number
}

export class ConsumerGroupsWalker implements Walker {
  readonly #world: World
  readonly #groups: readonly string[]
  readonly #topics: readonly Topic[]
  readonly #actors: readonly Actor[]

  constructor(world: World, topics: readonly Topic[]) {
    this.#world = world
    this.#topics = topics
    this.#groups = ['g0', 'g1'].map((name) => world.name(name))
    this.#actors = [null, null, null, 'i0', 'i1'].map((instanceId, index) => ({
      name: `m${index}`,
      instanceId,
      memberships: new Map(),
      process: 0,
    }))
  }

  async step(dice: Dice): Promise<void> {
    const actor = dice.pick(this.#actors)
    const groupId = dice.pick(this.#groups)
    await draw(dice, [
      [4, () => this.#join(dice, actor, groupId)],
      [14, () => this.#beat(dice, actor, groupId)],
      [2, () => this.#subscribe(dice, actor, groupId)],
      [2, () => this.#leave(dice, actor, groupId)],
      [1, () => this.#remove(dice, groupId)],
      [3, () => this.#commit(dice, actor, groupId)],
      [1, () => this.#fetch(dice, actor, groupId)],
      [1, () => this.#deleteGroups(dice)],
    ])()
    if (dice.once(2)) await this.#describe(dice)
  }

  /** The same process again, or one that follows it. */
  async #join(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const known = actor.memberships.get(groupId)
    // Kafka refuses a static member that joins again under its own id; see the README of consumer groups.
    const isSame = known !== undefined && actor.instanceId === null && dice.once(2)
    if (!isSame) actor.process++
    const memberId = isSame ? known.memberId : `${actor.name}.${actor.process}`
    const answer = await this.#send(dice, {
      groupId,
      memberId,
      memberEpoch: 0,
      instanceId: actor.instanceId,
      rackId: dice.pick([null, 'rack']),
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: this.#someTopics(dice),
      // The uniform assignor goes by the order of a hash map.
      serverAssignor: 'range',
      topicPartitions: [],
    })
    if (answer.errorCode === 0) actor.memberships.set(groupId, { memberId, epoch: 0, owned: [] })
    this.#heed(actor, groupId, answer)
  }

  async #beat(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const membership = actor.memberships.get(groupId)
    const { memberId = 'nobody', epoch = 1, owned = [] } = membership ?? {}
    const isFull = dice.once(6)
    const answer = await this.#send(dice, {
      groupId,
      memberId: dice.mostly(memberId, [this.#otherMember(dice, groupId)], 20),
      memberEpoch: dice.mostly(epoch, [epoch + 1, Math.max(1, epoch - 1), 1], 10),
      instanceId: this.#instance(dice, actor),
      rebalanceTimeoutMs: isFull ? 60_000 : -1,
      topicPartitions: dice.pick([owned, owned, owned.slice(1), null, []]),
    })
    this.#heed(actor, groupId, answer)
  }

  async #subscribe(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const membership = actor.memberships.get(groupId)
    if (membership === undefined) return
    const answer = await this.#send(dice, {
      groupId,
      memberId: membership.memberId,
      memberEpoch: membership.epoch,
      instanceId: actor.instanceId,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: this.#someTopics(dice),
      topicPartitions: dice.pick([membership.owned, []]),
    })
    this.#heed(actor, groupId, answer)
  }

  async #leave(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const memberId = actor.memberships.get(groupId)?.memberId ?? 'nobody'
    const memberEpoch = actor.instanceId === null ? dice.mostly(-1, [-2]) : dice.pick([-1, -2, -2])
    const instanceId = this.#instance(dice, actor)
    const answer = await this.#send(dice, { groupId, memberId, memberEpoch, instanceId })
    if (answer.errorCode === 0) actor.memberships.delete(groupId)
  }

  /** By an administrator. */
  async #remove(dice: Dice, groupId: string): Promise<void> {
    const client = await this.#world.client('looker')
    const one = { memberId: this.#otherMember(dice, groupId), groupInstanceId: dice.pick([null, 'i0', 'i1']) }
    // Several that are there are taken out in the order of a hash map.
    const members = dice.once(2) ? [one] : [one, { memberId: 'nobody', groupInstanceId: null }]
    await client.ask(LeaveGroup, dice.pick(this.#world.versions(LeaveGroup, 3)), { groupId, members })
  }

  async #commit(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId = 'nobody', epoch = -1 } = actor.memberships.get(groupId) ?? {}
    const client = await this.#world.client(actor.name)
    const committer = {
      groupId,
      generationIdOrMemberEpoch: dice.mostly(epoch, [epoch + 1, epoch - 1, epoch - 2, -1], 2),
      memberId: dice.mostly(memberId, [this.#otherMember(dice, groupId), '']),
      groupInstanceId: actor.instanceId,
    }
    const version = dice.pick(this.#world.versions(OffsetCommit, 7))
    const offsets = { 0: BigInt(dice.roll(9)), 1: 3n }
    await client.ask(OffsetCommit, version, commitRequest(committer, dice.pick(this.#topics), offsets))
  }

  async #fetch(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId = 'nobody', epoch = 1 } = actor.memberships.get(groupId) ?? {}
    const client = await this.#world.client('looker')
    const some = this.#topics.map(({ name, id }) => ({ name, topicId: id, partitionIndexes: [0, 1] }))
    const member = { memberId, memberEpoch: dice.mostly(epoch, [epoch + 1, epoch - 1], 3) }
    await client.ask(OffsetFetch, dice.pick(this.#world.versions(OffsetFetch, 9)), fetchRequest(groupId, some, member))
  }

  async #deleteGroups(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    await client.ask(DeleteGroups, 2, { groupsNames: [dice.pick(this.#groups)] })
  }

  async #describe(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    const version = dice.pick(this.#world.versions(ConsumerGroupDescribe))
    await client.ask(ConsumerGroupDescribe, version, { groupIds: this.#groups, includeAuthorizedOperations: false })
  }

  async #send(
    dice: Dice,
    request: RequestInput<typeof ConsumerGroupHeartbeat>,
  ): Promise<Response<typeof ConsumerGroupHeartbeat>> {
    const client = await this.#world.client('members')
    return client.ask(ConsumerGroupHeartbeat, dice.pick(this.#world.versions(ConsumerGroupHeartbeat)), request)
  }

  #heed(actor: Actor, groupId: string, answer: Response<typeof ConsumerGroupHeartbeat>): void {
    const membership = actor.memberships.get(groupId)
    if (membership === undefined || answer.memberId !== membership.memberId) return
    if (answer.errorCode === 25 || answer.errorCode === 110) actor.memberships.delete(groupId)
    if (answer.errorCode !== 0) return
    membership.epoch = answer.memberEpoch
    if (answer.assignment !== null) membership.owned = answer.assignment.topicPartitions
  }

  /** Of somebody else in the group, or of nobody. */
  #otherMember(dice: Dice, groupId: string): string {
    return dice.pick([...this.#actors.map(({ memberships }) => memberships.get(groupId)?.memberId ?? 'x'), 'nobody'])
  }

  #instance(dice: Dice, actor: Actor): string | null {
    return dice.mostly(actor.instanceId, [null, 'i0', 'i9'], 15)
  }

  #someTopics(dice: Dice): string[] {
    return dice.pick([[0], [0, 1], [1]]).map((index) => this.#topics[index]!.name)
  }
}

export const consumerGroupsWalk: Walk = {
  name: 'consumer groups',
  async start(world) {
    return new ConsumerGroupsWalker(world, [await world.sharedTopic('a'), await world.sharedTopic('b')])
  },
}
