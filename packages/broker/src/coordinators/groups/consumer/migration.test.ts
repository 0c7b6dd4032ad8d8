import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  ErrorCode,
  KafkaError,
  Reader,
  Writer,
} from '@millrace/protocol'
import type { JoinAnswer, SyncAnswer } from '../classic/classic-answers.ts'
import type { ClassicGroup } from '../classic/classic-group.ts'
import { ClassicClient, type Sent } from '../testing/classic-client.ts'
import { ClassicConsumer as CooperativeConsumer } from '../testing/classic-consumer.ts'
import { ConsumerClient, testTopic } from '../testing/consumer-client.ts'
import { GroupShardUnderTest, type GroupShardUnderTestOptions } from '../testing/group-shard-under-test.ts'
import type { ConsumerGroup } from './consumer-group.ts'

class World {
  readonly under: GroupShardUnderTest

  constructor(configs: GroupShardUnderTestOptions['configs'] = {}) {
    const defaults = { 'group.consumer.assignment.interval.ms': 0, 'group.initial.rebalance.delay.ms': 0 }
    this.under = new GroupShardUnderTest({ configs: { ...defaults, ...configs } })
    this.under.changeMetadata({ topics: new Map([['t', testTopic('t', 4)]]) })
  }

  consumer(memberId: string, instance: string | null = null): ConsumerClient {
    return new ConsumerClient(this.under, { memberId, instance, topics: ['t'] })
  }

  get type(): string | undefined {
    return this.under.shard.groups.get('group')?.type
  }

  get group(): ConsumerGroup {
    return this.under.shard.groups.get('group') as ConsumerGroup
  }

  get classic(): ClassicGroup {
    return this.under.shard.groups.get('group') as ClassicGroup
  }

  /** A classic group with one member that has all partitions. */
  async classicGroup(instance?: string): Promise<ClassicConsumer> {
    const member = new ClassicConsumer(this.under, instance)
    await member.join()
    await member.assignAll()
    return member
  }
}

/** A member of the classic protocol that consumes, eagerly. */
class ClassicConsumer {
  readonly client: ClassicClient
  owned: number[] = []
  userData: Uint8Array | null = null
  readonly #under: GroupShardUnderTest

  constructor(under: GroupShardUnderTest, instance?: string) {
    this.#under = under
    this.client = new ClassicClient(under, instance === undefined ? {} : { instance })
  }

  async join(): Promise<string | undefined> {
    this.owned = []
    const request = { protocols: [{ name: 'range', metadata: subscriptionOf(['t'], this.owned) }] }
    let joining = await this.#answered(this.client.join(request))
    if (joining.error === 'MEMBER_ID_REQUIRED') joining = await this.#answered(this.client.join(request))
    return joining.error
  }

  async sync(): Promise<string | undefined> {
    const syncing = await this.#answered(this.client.sync())
    if (syncing.error === 'NONE') this.#take(syncing)
    return syncing.error
  }

  /** As the leader, and only member, of a classic group. */
  async assignAll(): Promise<void> {
    const assignment = assignmentOf([0, 1, 2, 3], this.userData)
    this.#take(
      await this.#answered(this.client.sync({ assignments: [{ memberId: this.client.memberId, assignment }] })),
    )
  }

  /** Heartbeats, and joins again when it is told to. */
  async goOn(): Promise<string | undefined> {
    const { error } = await this.#answered(this.client.heartbeat())
    if (error !== 'REBALANCE_IN_PROGRESS') return error
    const joined = await this.join()
    return joined === 'NONE' ? this.sync() : joined
  }

  async #answered<A extends Sent<JoinAnswer> | Sent<SyncAnswer> | { readonly error: string | undefined }>(
    sent: A,
  ): Promise<A> {
    await this.#under.time.advance(0)
    return sent
  }

  #take({ answer }: Sent<SyncAnswer>): void {
    const { assignment } = answer as SyncAnswer
    if (assignment.length === 0) return
    const reader = new Reader(assignment)
    const { assignedPartitions } = ConsumerProtocolAssignment.decode(reader, reader.int16())
    this.owned = assignedPartitions.flatMap(({ partitions }) => partitions)
  }
}

function subscriptionOf(topics: string[], owned: number[]): Uint8Array {
  const writer = new Writer()
  writer.int16(1)
  ConsumerProtocolSubscription.encode(writer, { topics, ownedPartitions: [{ topic: 't', partitions: owned }] }, 1)
  return Buffer.concat(writer.finish())
}

function assignmentOf(partitions: number[], userData: Uint8Array | null): Uint8Array {
  const writer = new Writer()
  writer.int16(1)
  ConsumerProtocolAssignment.encode(writer, { assignedPartitions: [{ topic: 't', partitions }], userData }, 1)
  return Buffer.concat(writer.finish())
}

test('a classic group becomes a consumer group with its first member of that protocol, and its members go on', async () => {
  const world = new World()
  const classic = await world.classicGroup()
  assert.equal(classic.owned.length, 4)
  const { generation } = world.classic
  const consumer = world.consumer('c')
  assert.equal(await consumer.heartbeat(), 'NONE')
  assert.equal(world.type, 'consumer')
  assert.equal(world.group.epoch, generation + 1)
  assert.equal(consumer.owned.size, 0)
  assert.equal(await classic.goOn(), 'NONE')
  assert.equal(classic.owned.length, 2)
  await consumer.heartbeat()
  assert.equal(consumer.owned.size, 2)
  assert.equal(world.group.state, 'Stable')
  assert.equal(await classic.goOn(), 'NONE')
  assert.deepEqual(
    world.under.shard.consumer.describe('group').members.map(({ memberType }) => memberType),
    [0, 1],
  )
})

test('a consumer group becomes a classic one when only members of that protocol are left', async () => {
  const world = new World()
  const classic = await world.classicGroup()
  const consumer = world.consumer('c')
  await consumer.heartbeat()
  await classic.goOn()
  await consumer.heartbeat()
  await consumer.leave()
  assert.equal(world.type, 'classic')
  assert.equal(world.classic.state, 'PreparingRebalance')
  assert.equal(await classic.join(), 'NONE')
  await classic.assignAll()
  assert.equal(world.classic.state, 'Stable')
  assert.equal(classic.owned.length, 4)
  const reloaded = world.under.reloaded().groups.get('group') as ClassicGroup
  assert.equal(reloaded.type, 'classic')
  assert.equal(reloaded.generation, world.classic.generation)
})

test('a group that became classic rebalances also when its coordinator moves before its members have joined', async () => {
  const world = new World()
  const leaving = world.consumer('m')
  await leaving.heartbeat()
  const staying = new CooperativeConsumer(world.under, { topics: ['t'], cooperative: true })
  const act = async () => {
    staying.act()
    await world.under.time.advance(0)
  }
  await act()
  await act()
  await leaving.leave()
  assert.equal(world.type, 'classic')
  world.under.moveAway({ 'group.initial.rebalance.delay.ms': 0 })
  await world.under.time.advance(0)
  await act()
  await act()
  assert.equal(staying.owned.size, 4)
})

test('a static member of the consumer protocol may be followed by one of the classic protocol, without a rebalance', async () => {
  const world = new World()
  const consumer = world.consumer('c', 'i')
  await consumer.heartbeat()
  const classic = new ClassicConsumer(world.under, 'i')
  assert.equal(await classic.join(), 'NONE')
  assert.equal(world.type, 'classic')
  assert.equal(world.classic.state, 'Stable')
  assert.equal(await classic.sync(), 'NONE')
  assert.deepEqual(classic.owned, [0, 1, 2, 3])
  assert.equal(await consumer.heartbeat(), 'GROUP_ID_NOT_FOUND')
})

test('members that wait in a rebalance of the classic group have to join again', async () => {
  const world = new World()
  const classic = await world.classicGroup()
  const second = new ClassicClient(world.under)
  const request = { protocols: [{ name: 'range', metadata: subscriptionOf(['t'], []) }] }
  second.join(request)
  await world.under.time.advance(0)
  const waiting = second.join(request)
  await world.under.time.advance(0)
  assert.equal(world.classic.state, 'PreparingRebalance')
  assert.equal(waiting.error, undefined)
  await world.consumer('c').heartbeat()
  await world.under.time.advance(0)
  assert.equal(waiting.error, 'REBALANCE_IN_PROGRESS')
  assert.equal(await classic.goOn(), 'NONE')
  assert.equal(world.group.memberCount, 3)
})

test('what a cooperative member owns is not given away when its assignment could not be written', async () => {
  const { under } = new World()
  const member = new CooperativeConsumer(under, { topics: ['t'], cooperative: true })
  const act = async () => {
    member.act()
    await under.time.advance(0)
  }
  await act()
  await act()
  assert.equal(member.owned.size, 4)
  const other = new CooperativeConsumer(under, { topics: ['t'], cooperative: true })
  for (const one of [other, other]) {
    one.act()
    await under.time.advance(0)
  }
  under.refusal = new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  await act()
  await act()
  under.refusal = null
  assert.equal(member.owned.size, 4, 'it goes on with what it had')

  const consumer = new ConsumerClient(under, { memberId: 'm', topics: ['t'] })
  await consumer.heartbeat()
  assert.equal(under.shard.groups.get('group')?.type, 'consumer')
  assert.deepEqual([...consumer.owned], [])
})

test('a group stays what it is when the policy, its size or its assignor says so', async () => {
  for (const policy of ['disabled', 'downgrade']) {
    const world = new World({ 'group.consumer.migration.policy': policy })
    await world.classicGroup()
    assert.equal(await world.consumer('c').heartbeat(), 'GROUP_ID_NOT_FOUND')
  }
  const large = new World({ 'group.consumer.max.size': 1, 'group.max.size': 1 })
  const classic = await large.classicGroup()
  assert.equal(await large.consumer('c').heartbeat(), 'GROUP_MAX_SIZE_REACHED')
  assert.equal(large.type, 'classic')
  classic.userData = Buffer.from('sticky')
  await classic.assignAll()
  const custom = new World()
  const member = new ClassicConsumer(custom.under)
  member.userData = Buffer.from('mine')
  await member.join()
  await member.assignAll()
  assert.equal(await custom.consumer('c').heartbeat(), 'GROUP_ID_NOT_FOUND')
  const staying = new World({ 'group.consumer.migration.policy': 'upgrade' })
  const left = await staying.classicGroup()
  const consumer = staying.consumer('c')
  await consumer.heartbeat()
  await left.goOn()
  await consumer.leave()
  assert.equal(staying.type, 'consumer')
  assert.equal(await left.goOn(), 'NONE')
  assert.equal(left.owned.length, 4)
})

test('an empty group of either protocol gives way to members of the other', async () => {
  const world = new World({ 'group.consumer.migration.policy': 'disabled' })
  const consumer = world.consumer('c')
  await consumer.heartbeat()
  const refused = new ClassicConsumer(world.under)
  assert.equal(await refused.join(), 'INCONSISTENT_GROUP_PROTOCOL')
  await consumer.leave()
  const classic = await world.classicGroup()
  assert.equal(world.type, 'classic')
  assert.equal(classic.owned.length, 4)
  classic.client.leave()
  await world.under.time.advance(0)
  assert.equal(await consumer.heartbeat(), 'NONE')
  assert.equal(world.type, 'consumer')
  assert.equal(world.under.reloaded().groups.get('group')!.type, 'consumer')
})

test('members of the classic protocol that do not join or sync when they have to are taken out', async () => {
  const world = new World()
  const classic = await world.classicGroup()
  const consumer = world.consumer('c')
  await consumer.heartbeat()
  const heartbeat = async (): Promise<void> => {
    classic.client.heartbeat()
    await consumer.heartbeat()
    await world.under.time.advance(5000)
  }
  for (let beat = 0; beat < 5; beat++) await heartbeat()
  assert.equal(world.group.memberCount, 2)
  for (let beat = 0; beat < 2; beat++) await heartbeat()
  assert.equal(world.group.memberCount, 1)
  await consumer.heartbeat()
  assert.equal(consumer.owned.size, 4)
})
