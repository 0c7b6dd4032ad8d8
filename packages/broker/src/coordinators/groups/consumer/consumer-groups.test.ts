import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName, KafkaError } from '@millrace/protocol'
import { ConsumerClient, testTopic, type ConsumerClientOptions } from '../testing/consumer-client.ts'
import { GroupShardUnderTest, type GroupShardUnderTestOptions } from '../testing/group-shard-under-test.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { checkHeartbeatRequest, type HeartbeatRequest } from './heartbeat-request.ts'
import { consumerAssignors } from '../assignors/consumer-assignors.ts'

/** Every target assignment at once, unless a test is about waiting for it. */
const atOnce = { 'group.consumer.assignment.interval.ms': 0 }

class World {
  readonly under: GroupShardUnderTest

  constructor(configs: GroupShardUnderTestOptions['configs'] = {}) {
    this.under = new GroupShardUnderTest({ configs: { ...atOnce, ...configs } })
    this.topic('t', 4)
  }

  topic(name: string, partitions: number, generation = 0): void {
    this.under.changeMetadata({ topics: new Map([[name, testTopic(name, partitions, generation)]]) })
  }

  client(memberId: string, options: Partial<ConsumerClientOptions> = {}): ConsumerClient {
    return new ConsumerClient(this.under, { memberId, topics: ['t'], ...options })
  }

  get group(): ConsumerGroup {
    return this.under.shard.groups.get('group') as ConsumerGroup
  }

  async settle(...clients: ConsumerClient[]): Promise<void> {
    for (let round = 0; round < 4; round++) for (const client of clients) await client.heartbeat()
  }
}

function numbers(owned: Iterable<string>): number[] {
  return Array.from(owned, (one) => Number(one.slice(23))).toSorted((one, other) => one - other)
}

async function codeOf(answer: Promise<{ readonly errorCode: number }>): Promise<string | undefined> {
  return errorName((await answer).errorCode)
}

test('the first member gets all partitions with its first heartbeat', async () => {
  const world = new World()
  const a = world.client('a')
  assert.equal(await a.heartbeat(), 'NONE')
  assert.equal(a.epoch, 2)
  assert.deepEqual(numbers(a.owned), [0, 1, 2, 3])
  assert.equal(world.group.state, 'Stable')
})

test('a partition goes to its next owner when the one before has said that it is given up', async () => {
  const world = new World()
  const [a, b] = [world.client('a'), world.client('b')]
  await a.heartbeat()
  await b.heartbeat()
  assert.equal(b.epoch, 3)
  assert.deepEqual(numbers(b.owned), [])
  assert.equal(world.group.state, 'Reconciling')
  await a.heartbeat({ revokes: false })
  assert.equal(a.epoch, 2, 'it stays at its epoch until it has given up')
  await b.heartbeat()
  assert.deepEqual(numbers(b.owned), [])
  a.follow()
  assert.equal(a.owned.size, 2)
  await a.heartbeat()
  assert.equal(a.epoch, 3)
  await b.heartbeat()
  assert.equal(b.owned.size, 2)
  assert.equal(world.group.state, 'Stable')
})

test('a member with another epoch is fenced, unless the answer with its epoch was lost', async () => {
  const world = new World()
  const [a, b] = [world.client('a'), world.client('b')]
  await a.heartbeat()
  a.epoch = 7
  assert.equal(await a.heartbeat(), 'FENCED_MEMBER_EPOCH')
  assert.equal(await a.heartbeat(), 'NONE')
  await world.settle(a, b)
  await b.leave()
  const before = a.epoch
  assert.equal(await a.heartbeat({ loses: true }), 'lost')
  assert.equal(world.group.member('a').epoch, before + 1)
  assert.equal(await a.heartbeat(), 'NONE')
  assert.equal(a.epoch, before + 1)
  assert.equal(a.owned.size, 4)
  a.epoch = before - 1
  assert.equal(await a.heartbeat(), 'FENCED_MEMBER_EPOCH')
})

test('members that are not heard of, or do not give up their partitions, are taken out', async () => {
  const world = new World()
  const [a, b] = [world.client('a', { rebalanceTimeoutMs: 20_000 }), world.client('b')]
  await a.heartbeat()
  await b.heartbeat()
  await a.heartbeat({ revokes: false })
  for (let second = 0; second < 19; second++) {
    await world.under.time.advance(1000)
    await a.heartbeat({ revokes: false })
  }
  assert.ok(world.group.members.has('a'))
  await world.under.time.advance(2000)
  assert.ok(!world.group.members.has('a'), 'its rebalance timeout is over')
  await b.heartbeat()
  assert.equal(b.owned.size, 4)
  await world.under.time.advance(44_900)
  assert.ok(world.group.members.has('b'))
  await world.under.time.advance(200)
  assert.ok(world.group.isEmpty, 'its session is over')
  assert.equal(await b.heartbeat(), 'UNKNOWN_MEMBER_ID')
})

test('the sessions of loaded members begin anew', async () => {
  const world = new World()
  const a = world.client('a')
  await a.heartbeat()
  await world.under.time.advance(40_000)
  world.under.moveAway(atOnce)
  await world.under.time.advance(40_000)
  assert.ok(world.group.members.has('a'))
  await world.under.time.advance(6000)
  assert.ok(world.group.isEmpty)
})

test('a static member keeps its partitions for the process that follows it, and only for one at a time', async () => {
  const world = new World()
  const first = world.client('first', { instance: 'i' })
  const other = world.client('other')
  await world.settle(first, other)
  const owned = [...first.owned]
  const second = world.client('second', { instance: 'i' })
  assert.equal(await second.heartbeat(), 'UNRELEASED_INSTANCE_ID')
  const { memberEpoch } = await first.leave(-2)
  assert.equal(memberEpoch, -2)
  const { epoch } = world.group
  assert.equal(await second.heartbeat(), 'NONE')
  assert.deepEqual([...second.owned], owned)
  assert.equal(world.group.epoch, epoch, 'nothing changes for the others')
  first.epoch = second.epoch
  assert.equal(await first.heartbeat(), 'FENCED_INSTANCE_ID')
  assert.equal(await codeOf(second.leave(-1)), 'NONE')
  assert.equal(world.group.memberCount, 1)
})

test('new partitions, deleted and recreated topics reach the members', async () => {
  const world = new World()
  const a = world.client('a', { topics: ['t', 'u'] })
  await a.heartbeat()
  world.topic('t', 6)
  await a.heartbeat()
  assert.equal(a.owned.size, 6)
  world.topic('u', 2)
  await a.heartbeat()
  assert.equal(a.owned.size, 8)
  world.topic('t', 1, 1)
  await world.settle(a)
  assert.equal(a.owned.size, 3)
  world.under.changeMetadata({ topics: new Map([['u', null]]) })
  await world.settle(a)
  assert.equal(a.owned.size, 1)
})

test('members that come within an interval are assigned together at its end', async () => {
  const world = new World({ 'group.consumer.assignment.interval.ms': 1000 })
  const clients = ['a', 'b', 'c', 'd'].map((id) => world.client(id))
  for (const client of clients) await client.heartbeat()
  assert.equal(world.group.target.epoch, 2)
  assert.equal(world.group.state, 'Assigning')
  await world.under.time.advance(999)
  await clients[1]!.heartbeat()
  assert.equal(world.group.target.epoch, 2)
  await world.under.time.advance(1)
  await world.settle(...clients)
  assert.equal(world.group.target.epoch, 5)
  for (const { owned } of clients) assert.equal(owned.size, 1)
})

test("a group's own settings apply, within the broker's bounds", async () => {
  const world = new World()
  const configure = (name: string, value: string): void =>
    world.under.changeMetadata({ configs: new Map([['groups/group', new Map([[name, value]])]]) })
  configure('consumer.heartbeat.interval.ms', '6000')
  const a = world.client('a')
  const intervalOf = async (): Promise<number> =>
    (await world.under.write(({ consumer }) => consumer.heartbeat(request({ memberEpoch: a.epoch }), client, null)))
      .heartbeatIntervalMs
  await a.heartbeat()
  assert.equal(await intervalOf(), 6000)
  configure('consumer.heartbeat.interval.ms', '60000')
  assert.equal(await intervalOf(), 15_000)
})

test('a full group takes no new member', async () => {
  const world = new World({ 'group.consumer.max.size': 1 })
  const a = world.client('a')
  await a.heartbeat()
  assert.equal(await world.client('b').heartbeat(), 'GROUP_MAX_SIZE_REACHED')
  assert.equal(await a.heartbeat(), 'NONE')
})

test('the assignor that most members want is used', async () => {
  const world = new World()
  const clients = ['a', 'b', 'c'].map((id) => world.client(id, { assignor: id === 'a' ? 'uniform' : 'range' }))
  await world.settle(...clients)
  assert.equal(world.under.shard.consumer.describe('group').assignorName, 'range')
  assert.deepEqual(
    clients.map(({ owned }) => numbers(owned)),
    [[0, 1], [2], [3]],
  )
})

test('when nothing was written nothing has changed, and the next heartbeat does it', async () => {
  const world = new World()
  world.under.refusal = new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const a = world.client('a')
  assert.equal(await a.heartbeat(), 'COORDINATOR_NOT_AVAILABLE')
  assert.equal(world.under.shard.groups.get('group'), undefined)
  world.under.refusal = null
  assert.equal(await a.heartbeat(), 'NONE')
  assert.equal(a.owned.size, 4)
  world.under.refusal = new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  world.topic('t', 6)
  assert.equal(await a.heartbeat(), 'COORDINATOR_NOT_AVAILABLE')
  world.under.refusal = null
  await a.heartbeat()
  assert.equal(a.owned.size, 6)
})

test('a heartbeat that changes nothing writes nothing', async () => {
  const world = new World()
  const a = world.client('a')
  await world.settle(a)
  const { logLength } = world.under
  await a.heartbeat()
  assert.equal(world.under.logLength, logLength)
})

test('members commit with the epoch at which a partition became theirs, or a later one (KIP-1251)', async () => {
  const world = new World()
  const [a, b] = [world.client('a'), world.client('b')]
  await world.settle(a)
  const joinedAt = a.epoch
  await b.heartbeat()
  await a.heartbeat()
  await a.heartbeat()
  assert.equal(a.epoch, joinedAt + 1)
  const committing = (memberId: string, generationOrEpoch: number, apiVersion = 10) => {
    const committer = { memberId, generationOrEpoch, groupInstanceId: null, isTransactional: false, apiVersion }
    return world.group.checkOffsetCommit(committer)
  }
  const { id } = testTopic('t', 4)
  const [kept] = numbers(a.owned)
  const lost = [0, 1, 2, 3].find((partition) => !numbers(a.owned).includes(partition))!
  assert.equal(committing('a', a.epoch), null)
  const check = committing('a', joinedAt)!
  check('t', id, kept!)
  throwsCode(() => check('t', id, lost), 'STALE_MEMBER_EPOCH')
  throwsCode(() => committing('a', joinedAt - 1)!('t', id, kept!), 'STALE_MEMBER_EPOCH')
  throwsCode(() => committing('a', a.epoch + 1), 'STALE_MEMBER_EPOCH')
  throwsCode(() => committing('nobody', a.epoch), 'UNKNOWN_MEMBER_ID')
  throwsCode(() => committing('a', a.epoch, 8), 'UNSUPPORTED_VERSION')
  throwsCode(() => world.group.checkOffsetFetch('a', joinedAt), 'STALE_MEMBER_EPOCH')
  world.group.checkOffsetFetch('a', a.epoch)
  world.group.checkOffsetFetch(null, -1)
})

test('a group is deleted when it is empty', async () => {
  const world = new World()
  const a = world.client('a')
  await a.heartbeat()
  throwsCode(() => world.group.checkDelete(), 'NON_EMPTY_GROUP')
  await a.leave()
  world.group.checkDelete()
  const records = world.group.tombstones()
  await world.under.write(() => ({ records, response: undefined }))
  assert.equal(world.under.shard.groups.get('group'), undefined)
  assert.equal(world.under.reloaded().groups.get('group'), undefined)
})

test('requests that make no sense are refused', () => {
  const assignors = consumerAssignors(['uniform', 'range'])
  const check =
    (change: Partial<HeartbeatRequest>, version = 1) =>
    () =>
      checkHeartbeatRequest(request(change), version, assignors)
  check({})()
  throwsCode(check({ memberId: '' }), 'INVALID_REQUEST')
  check({ memberId: '' }, 0)()
  throwsCode(check({ memberId: ' ', memberEpoch: 3 }, 0), 'INVALID_REQUEST')
  throwsCode(check({ groupId: '' }), 'INVALID_REQUEST')
  throwsCode(check({ instanceId: '' }), 'INVALID_REQUEST')
  throwsCode(check({ rackId: '' }), 'INVALID_REQUEST')
  throwsCode(check({ memberEpoch: -3 }), 'INVALID_REQUEST')
  throwsCode(check({ memberEpoch: -2 }), 'INVALID_REQUEST')
  check({ memberEpoch: -2, instanceId: 'i' })()
  throwsCode(check({ rebalanceTimeoutMs: -1 }), 'INVALID_REQUEST')
  throwsCode(check({ topicPartitions: null }), 'INVALID_REQUEST')
  throwsCode(check({ topicPartitions: [{ topicId: testTopic('t', 1).id, partitions: [0] }] }), 'INVALID_REQUEST')
  throwsCode(check({ subscribedTopicNames: null }), 'INVALID_REQUEST')
  check({ subscribedTopicNames: null, subscribedTopicRegex: '' })()
  throwsCode(check({ serverAssignor: 'mine' }), 'UNSUPPORTED_ASSIGNOR')
})

const client = { clientId: 'client', clientHost: '/127.0.0.1', apiVersion: 1 }

function request(change: Partial<HeartbeatRequest>): HeartbeatRequest {
  return {
    groupId: 'group',
    memberId: 'a',
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: ['t'],
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: [],
    ...change,
  }
}

function throwsCode(run: () => unknown, name: string): void {
  assert.throws(run, (error) => error instanceof KafkaError && errorName(error.code) === name)
}
