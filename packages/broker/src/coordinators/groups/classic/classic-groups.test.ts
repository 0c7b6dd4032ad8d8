import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { ClassicClient, protocol } from '../testing/classic-client.ts'
import { answerOf, groupOf, initialDelayMs, joinOf, stable } from '../testing/started-classic-group.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'

test('heartbeats keep a session, and tell of a rebalance', async () => {
  const { under, clients } = await stable()
  for (let seconds = 0; seconds < 60; seconds += 5) {
    const beats = clients.map((client) => client.heartbeat())
    await under.time.advance(5000)
    assert.deepEqual(
      beats.map(({ error }) => error),
      ['NONE', 'NONE'],
    )
  }
  const [client] = clients as [ClassicClient]
  const wrong = [client.heartbeat(7)]
  const stranger = new ClassicClient(under)
  stranger.memberId = 'stranger'
  wrong.push(stranger.heartbeat(), new ClassicClient(under, { group: 'none' }).heartbeat())
  await under.time.advance(0)
  assert.deepEqual(
    wrong.map(({ error }) => error),
    ['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID'],
  )
})

test('a member that is not heard of is removed after its session timeout', async () => {
  const { under, clients } = await stable()
  const [silent, other] = clients as [ClassicClient, ClassicClient]
  await under.time.advance(5000)
  other.heartbeat()
  await under.time.advance(5000)
  assert.deepEqual([...groupOf(under).members.keys()], [other.memberId])
  const beats = [silent.heartbeat(), other.heartbeat()]
  const join = other.join()
  await under.time.advance(0)
  assert.deepEqual(
    beats.map(({ error }) => error),
    ['UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS'],
  )
  assert.deepEqual([joinOf(join).generationId, joinOf(join).leader], [2, other.memberId])
})

test('members leave, and the last one leaves an empty group', async () => {
  const { under, clients } = await stable()
  const [first, second] = clients as [ClassicClient, ClassicClient]
  const left = first.leave()
  await under.time.advance(0)
  assert.deepEqual(answerOf(left).members, [{ memberId: first.memberId, groupInstanceId: null, errorCode: 0 }])
  assert.equal(groupOf(under).state, 'PreparingRebalance')
  second.leave()
  await under.time.advance(0)
  const { state, generation, leaderId, protocol: chosen } = groupOf(under)
  assert.deepEqual(
    { state, generation, leaderId, chosen },
    { state: 'Empty', generation: 2, leaderId: null, chosen: null },
  )
  const again = [first.leave(), new ClassicClient(under, { group: 'none' }).leave('m')]
  await under.time.advance(0)
  assert.equal(answerOf(again[0]!).members?.[0]?.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.equal(again[1]!.error, 'UNKNOWN_MEMBER_ID')
})

test('the last member of a first rebalance leaves before it ends', async () => {
  const under = new GroupShardUnderTest()
  const client = new ClassicClient(under, { version: 3 })
  const join = client.join()
  await under.time.advance(100)
  client.memberId = [...groupOf(under).members.keys()][0]!
  client.leave()
  await under.time.advance(initialDelayMs)
  assert.equal(join.error, 'UNKNOWN_MEMBER_ID')
  assert.equal(groupOf(under).state, 'Empty')
})

test('a reload finds the last generation, and waits a session for its members', async () => {
  const { under, clients } = await stable()
  const before = groupOf(under)
  await under.time.advance(5000)
  under.moveAway()
  const group = groupOf(under)
  assert.notEqual(group, before)
  assert.deepEqual([group.state, group.generation, group.leaderId], ['Stable', 1, before.leaderId])
  await under.time.advance(9000)
  const beats = clients.map((client) => client.heartbeat())
  const syncs = clients.map((client) => client.sync())
  await under.time.advance(9000)
  assert.deepEqual(
    [...beats, ...syncs].map(({ error }) => error),
    ['NONE', 'NONE', 'NONE', 'NONE'],
  )
  await under.time.advance(1000)
  assert.equal(groupOf(under).state, 'Empty')
})

test('a group that is loaded with more members than it may have gives the first ones to come the places', async () => {
  const { under } = await stable()
  under.moveAway({ 'group.max.size': 1 })
  assert.equal(groupOf(under).state, 'PreparingRebalance')
})

test('who waits when the coordinator moves is told so', async () => {
  const { under, clients } = await stable()
  const join = clients[0]!.join({ protocols: [protocol('range', 'x')] })
  await under.time.advance(0)
  under.moveAway()
  await under.time.advance(0)
  assert.equal(join.error, 'NOT_COORDINATOR')
})
