import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { ClassicClient } from '../testing/classic-client.ts'
import {
  answerOf,
  assignments,
  groupOf,
  joined,
  joinOf,
  leaderAmong,
  stable,
  textOf,
} from '../testing/started-classic-group.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'

test('assignments are told when they are committed, also to those who ask before the leader', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  const follower = clients.find((client) => client !== leader)!
  under.holdsCommits = true
  const first = follower.sync()
  const second = leader.sync({ assignments: assignments(clients) })
  await under.time.advance(0)
  assert.deepEqual([first.answer, second.answer], [undefined, undefined])
  assert.equal(groupOf(under).state, 'CompletingRebalance')
  under.commit()
  await under.time.advance(0)
  assert.deepEqual([textOf(first), textOf(second)], [follower.memberId, leader.memberId])
  assert.deepEqual([groupOf(under).state, answerOf(first).protocolName], ['Stable', 'range'])
})

test('who asks for its assignment later is told what is in the log', async () => {
  const { under, clients } = await stable()
  const again = clients.map((client) => client.sync({ protocolType: 'consumer', protocolName: 'range' }))
  await under.time.advance(0)
  assert.deepEqual(
    again.map(textOf),
    clients.map(({ memberId }) => memberId),
  )
})

test('a member that the leader forgot is assigned nothing', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  const syncs = clients.map((client) => client.sync({ assignments: client === leader ? assignments([leader]) : [] }))
  await under.time.advance(0)
  assert.deepEqual(
    syncs.map(textOf),
    clients.map((client) => (client === leader ? leader.memberId : '')),
  )
  assert.deepEqual(under.warnings, ['a leader has left members without an assignment'])
})

test('assignments that cannot be written are refused, and the group rebalances', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  const follower = clients.find((client) => client !== leader)!
  under.refusal = new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const syncs = [follower.sync(), leader.sync({ assignments: assignments(clients) })]
  await under.time.advance(0)
  assert.deepEqual(
    syncs.map(({ error }) => error),
    ['COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_NOT_AVAILABLE'],
  )
  assert.equal(groupOf(under).state, 'PreparingRebalance')
  under.refusal = null
  const again = clients.map((client) => client.join())
  await under.time.advance(0)
  assert.deepEqual(
    again.map((join) => joinOf(join).generationId),
    [2, 2],
  )
})

test('a rebalance that begins before assignments are committed voids them', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  under.holdsCommits = true
  const sync = leader.sync({ assignments: assignments(clients) })
  new ClassicClient(under, { version: 3 }).join()
  await under.time.advance(0)
  assert.equal(sync.error, undefined, 'answers wait for what they could have seen')
  under.commit()
  await under.time.advance(0)
  assert.equal(sync.error, 'REBALANCE_IN_PROGRESS')
  assert.equal(groupOf(under).state, 'PreparingRebalance')
})

test('SyncGroup is refused for another generation, protocol or member, and during a rebalance', async () => {
  const { under, clients } = await stable()
  const [client] = clients as [ClassicClient]
  const refused = [
    client.sync({ generationId: 7 }),
    client.sync({ protocolType: 'connect' }),
    client.sync({ protocolName: 'sticky' }),
    client.sync({ memberId: 'stranger' }),
    client.sync({ groupInstanceId: 'instance' }),
    client.sync({ groupId: 'none' }),
  ]
  new ClassicClient(under, { version: 3 }).join()
  refused.push(client.sync())
  await under.time.advance(0)
  assert.deepEqual(
    refused.map(({ error }) => error),
    [
      'ILLEGAL_GENERATION',
      'INCONSISTENT_GROUP_PROTOCOL',
      'INCONSISTENT_GROUP_PROTOCOL',
      'UNKNOWN_MEMBER_ID',
      'UNKNOWN_MEMBER_ID',
      'UNKNOWN_MEMBER_ID',
      'REBALANCE_IN_PROGRESS',
    ],
  )
})

test('a member that does not ask for its assignment within the rebalance timeout is removed', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  const silent = clients.find((client) => client !== leader)!
  leader.sync({ assignments: assignments(clients) })
  for (let seconds = 0; seconds < 30; seconds += 5) {
    assert.equal(silent.heartbeat().error, undefined)
    leader.heartbeat()
    await under.time.advance(5000)
  }
  const last = [leader.heartbeat(), silent.heartbeat()]
  await under.time.advance(0)
  assert.deepEqual(
    last.map(({ error }) => error),
    ['REBALANCE_IN_PROGRESS', 'UNKNOWN_MEMBER_ID'],
  )
})

test('assignments that are lost with the coordinator were told to nobody', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  under.holdsCommits = true
  const leader = leaderAmong(under, clients)
  const syncs = clients.map((client) => client.sync({ assignments: client === leader ? assignments(clients) : [] }))
  await under.time.advance(0)
  under.moveAway()
  await under.time.advance(0)
  assert.deepEqual(
    syncs.map(({ error }) => error),
    ['NOT_COORDINATOR', 'NOT_COORDINATOR'],
  )
  assert.equal(groupOf(under).state, 'Empty')
})
