/** Members of classic groups that join, sync, beat, commit and leave; mostly as they should. */
import {
  DeleteGroups,
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  SyncGroup,
  type Response,
} from '@millrace/protocol'
import type { Dice } from '../dice.ts'
import type { Pending } from '../duet.ts'
import { subscription } from '../scenarios/classic-groups.ts'
import { commitRequest, fetchRequest } from '../scenarios/offsets.ts'
import type { Topic, World } from '../world.ts'
import { draw, type Walk, type Walker } from './walk.ts'

interface Membership {
  memberId: string
  generationId: number
  protocolName: string | null
  /** As the leader of the generation knows them. */
  members: readonly string[]
}

interface Actor {
  readonly name: string
  readonly instanceId: string | null
  readonly memberships: Map<string, Membership>
  /** The connection is a new one after each request that was given up. */
  connection: number
  joining: { groupId: string; pending: Pending<typeof JoinGroup> } | null
  syncing: Pending<typeof SyncGroup> | null
}

const stranger: Membership = { memberId: '', generationId: -1, protocolName: null, members: [] }
/** Always in this order: where votes are equal, Kafka takes what its hash map gives first. */
const protocolNames = [['range'], ['range', 'sticky'], ['range', 'sticky'], ['sticky']]
const states = ['Stable', 'Empty', 'PreparingRebalance', 'CompletingRebalance', 'Dead', 'Assigning']

export class ClassicGroupsWalker implements Walker {
  readonly #world: World
  readonly #groups: readonly string[]
  readonly #topics: readonly Topic[]
  readonly #actors: readonly Actor[]

  constructor(world: World, topics: readonly Topic[]) {
    this.#world = world
    this.#topics = topics
    this.#groups = ['g0', 'g1', 'g2'].map((name) => world.name(name))
    this.#actors = [null, null, null, 'i0', 'i1', 'i0'].map((instanceId, index) => ({
      name: `m${index}`,
      instanceId,
      memberships: new Map(),
      connection: 0,
      joining: null,
      syncing: null,
    }))
  }

  async step(dice: Dice): Promise<void> {
    const actor = dice.pick(this.#actors)
    const groupId = dice.pick(this.#groups)
    const isBusy = actor.joining !== null || actor.syncing !== null
    if (isBusy && dice.once(4)) this.#giveUp(actor)
    else if (!isBusy)
      await draw(dice, [
        [10, () => this.#join(dice, actor, groupId)],
        [6, () => this.#sync(dice, actor, groupId)],
        [4, () => this.#beat(dice, actor, groupId)],
        [3, () => this.#leave(dice, actor, groupId)],
        [4, () => this.#commit(dice, actor, groupId)],
        [1, () => this.#fetch(dice, groupId)],
        [1, () => this.#deleteOffsets(dice, groupId)],
        [1, () => this.#deleteGroups(dice)],
        [1, () => this.#list(dice)],
      ])()
    await this.#settle()
    if (dice.once(2)) await this.#describe(dice)
  }

  #client(actor: Actor) {
    return this.#world.client(actor.connection === 0 ? actor.name : `${actor.name}.${actor.connection}`)
  }

  #membership(actor: Actor, groupId: string): Membership {
    return actor.memberships.get(groupId) ?? stranger
  }

  /** Of somebody else in the group, or of nobody. */
  #otherMember(dice: Dice, groupId: string): string {
    const ids = this.#actors.map((one) => this.#membership(one, groupId).memberId)
    return dice.pick([...ids, '', 'nobody'])
  }

  #instance(dice: Dice, actor: Actor): string | null {
    return dice.mostly(actor.instanceId, [null, 'i0', 'i1', 'i9'], 15)
  }

  /** The connection stays open and the request goes on; the actor comes back on another one. */
  #giveUp(actor: Actor): void {
    actor.connection++
    actor.joining = null
    actor.syncing = null
  }

  async #join(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId } = this.#membership(actor, groupId)
    const instanceId = this.#instance(dice, actor)
    const version = dice.pick(this.#world.versions(JoinGroup, instanceId === null ? 0 : 5))
    const names = dice.pick(protocolNames)
    const topics = dice.pick([[0], [0, 1], [1]]).map((index) => this.#topics[index]!.name)
    const client = await this.#client(actor)
    const before = await client.ask(DescribeGroups, 5, { groups: [groupId], includeAuthorizedOperations: false })
    const pending = client.send(JoinGroup, version, {
      groupId,
      sessionTimeoutMs: dice.mostly(60_000, [50, 50_000], 20),
      rebalanceTimeoutMs: 60_000,
      memberId: dice.mostly(memberId, [this.#otherMember(dice, groupId), ''], 8),
      groupInstanceId: instanceId,
      protocolType: dice.mostly('consumer', ['connect', ''], 25),
      protocols: names.map((name) => ({ name, metadata: subscription(...topics) })),
      reason: 'walking',
    })
    actor.joining = { groupId, pending }
    await this.#world.barrier()
    // The first generation begins in the broker's own time, but begins.
    if (['Empty', 'Dead'].includes(before.groups[0]!.groupState)) await pending.answer()
    else if (!(await pending.isParked())) await pending.answer()
  }

  #joined(actor: Actor, groupId: string, answer: Response<typeof JoinGroup>): void {
    const { errorCode, memberId, generationId, protocolName, members } = answer
    if (errorCode === 79) actor.memberships.set(groupId, { ...stranger, memberId })
    if (errorCode === 25) actor.memberships.delete(groupId)
    if (errorCode !== 0) return
    actor.memberships.set(groupId, {
      memberId,
      generationId,
      protocolName,
      members: members.map((member) => member.memberId),
    })
  }

  async #sync(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId, generationId, protocolName, members } = this.#membership(actor, groupId)
    const client = await this.#client(actor)
    const groupInstanceId = this.#instance(dice, actor)
    const version = dice.pick(this.#world.versions(SyncGroup, groupInstanceId === null ? 0 : 3))
    const assigned = dice.once(5) ? members.slice(1) : members
    const pending = client.send(SyncGroup, version, {
      groupId,
      generationId: dice.mostly(generationId, [generationId + 1, generationId - 1, -1]),
      memberId: dice.mostly(memberId, [this.#otherMember(dice, groupId)]),
      groupInstanceId,
      protocolType: dice.mostly('consumer', ['connect', null], 20),
      protocolName: dice.mostly(protocolName, ['range', 'sticky', null], 20),
      assignments: assigned.map((id) => ({ memberId: id, assignment: Uint8Array.of(dice.roll(200)) })),
    })
    actor.syncing = pending
    await this.#world.barrier()
    if (!(await pending.isParked())) await pending.answer()
  }

  async #beat(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId, generationId } = this.#membership(actor, groupId)
    const client = await this.#client(actor)
    const groupInstanceId = this.#instance(dice, actor)
    await client.ask(Heartbeat, dice.pick(this.#world.versions(Heartbeat, groupInstanceId === null ? 0 : 3)), {
      groupId,
      generationId: dice.mostly(generationId, [generationId + 1, generationId - 1, -1]),
      memberId: dice.mostly(memberId, [this.#otherMember(dice, groupId)]),
      groupInstanceId,
    })
  }

  async #leave(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId } = this.#membership(actor, groupId)
    const client = await this.#client(actor)
    const self = { memberId: dice.mostly(memberId, ['']), groupInstanceId: this.#instance(dice, actor) }
    const others = dice.once(4)
      ? [{ memberId: this.#otherMember(dice, groupId), groupInstanceId: dice.pick([null, 'i0', 'i9']) }]
      : []
    const request = { groupId, memberId, members: [self, ...others] }
    await client.ask(LeaveGroup, dice.pick(this.#world.versions(LeaveGroup)), request)
    if (dice.once(2)) actor.memberships.delete(groupId)
    // Often a timer of 0 ms ends the rebalance when nobody is left but who has only asked for a member id.
    const looker = await this.#world.client('looker')
    await looker.askUntil(
      DescribeGroups,
      5,
      { groups: [groupId], includeAuthorizedOperations: false },
      ({ groups }) => groups[0]!.groupState !== 'PreparingRebalance' || groups[0]!.members.length > 0,
      200,
    )
  }

  async #commit(dice: Dice, actor: Actor, groupId: string): Promise<void> {
    const { memberId, generationId } = this.#membership(actor, groupId)
    const client = await this.#client(actor)
    const groupInstanceId = this.#instance(dice, actor)
    const version = dice.pick(this.#world.versions(OffsetCommit, groupInstanceId === null ? 0 : 7))
    const committer = {
      groupId,
      generationIdOrMemberEpoch: dice.mostly(generationId, [generationId + 1, generationId - 1, -1]),
      memberId: dice.mostly(memberId, [this.#otherMember(dice, groupId)]),
      groupInstanceId,
    }
    const offsets = { [dice.roll(2)]: BigInt(dice.roll(9)), [dice.mostly(0, [1, 7])]: 3n }
    await client.ask(OffsetCommit, version, commitRequest(committer, dice.pick(this.#topics), offsets))
  }

  async #fetch(dice: Dice, groupId: string): Promise<void> {
    const client = await this.#world.client('looker')
    const version = dice.pick(this.#world.versions(OffsetFetch, 2))
    const some = this.#topics.map(({ name, id }) => ({ name, topicId: id, partitionIndexes: [0, 1] }))
    const requireStable = dice.once(2)
    await client.ask(OffsetFetch, version, fetchRequest(groupId, dice.pick([some, null]), { requireStable }))
  }

  async #deleteOffsets(dice: Dice, groupId: string): Promise<void> {
    const client = await this.#world.client('looker')
    const topics = [{ name: dice.pick(this.#topics).name, partitions: [{ partitionIndex: dice.roll(3) }] }]
    await client.ask(OffsetDelete, 0, { groupId, topics })
  }

  async #deleteGroups(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    await client.ask(DeleteGroups, dice.roll(3), { groupsNames: [dice.pick(this.#groups)] })
  }

  async #list(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    const version = dice.pick(this.#world.versions(ListGroups))
    const statesFilter = dice.once(2) ? [] : [dice.pick(states), dice.pick(states)]
    await client.ask(ListGroups, version, {
      statesFilter,
      typesFilter: dice.mostly([], [['classic'], ['consumer']], 3),
    })
  }

  async #describe(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    const version = dice.pick(this.#world.versions(DescribeGroups))
    await client.ask(DescribeGroups, version, { groups: this.#groups, includeAuthorizedOperations: dice.once(3) })
  }

  /** Takes note of all answers to requests that had to wait. */
  async #settle(): Promise<void> {
    const waiting = this.#actors.filter(({ joining, syncing }) => joining !== null || syncing !== null)
    if (waiting.length === 0) return
    await this.#world.barrier()
    for (const actor of waiting) {
      const { joining, syncing } = actor
      if (joining !== null && (await joining.pending.settleIfAnswered())) {
        actor.joining = null
        const answer = await joining.pending.outcome()
        if (typeof answer !== 'string') this.#joined(actor, joining.groupId, answer)
      }
      if (syncing !== null && (await syncing.settleIfAnswered())) actor.syncing = null
    }
  }
}

export const classicGroupsWalk: Walk = {
  name: 'classic groups',
  async start(world) {
    return new ClassicGroupsWalker(world, [await world.sharedTopic('a'), await world.sharedTopic('b')])
  },
}
