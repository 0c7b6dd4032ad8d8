import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClassicClient, protocol } from '../testing/classic-client.ts'
import { groupOf, initialDelayMs, joined, joinOf, leaderAmong, stable } from '../testing/started-classic-group.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'

const newMemberMs = 5 * 60 * 1000

test('a member without an id is given one, and joins with it', async () => {
  const under = new GroupShardUnderTest()
  const client = new ClassicClient(under)
  const first = client.join()
  await under.time.advance(0)
  assert.equal(first.error, 'MEMBER_ID_REQUIRED')
  assert.match(client.memberId, /^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(groupOf(under).stateName, 'Empty')
  const second = client.join()
  await under.time.advance(initialDelayMs)
  assert.deepEqual(joinOf(second), {
    errorCode: 0,
    generationId: 1,
    protocolType: 'consumer',
    protocolName: 'range',
    leader: client.memberId,
    skipAssignment: false,
    memberId: client.memberId,
    members: [{ memberId: client.memberId, groupInstanceId: null, metadata: Buffer.from('range') }],
  })
})

test('a member of an older protocol joins without an id', async () => {
  const under = new GroupShardUnderTest()
  const join = new ClassicClient(under, { version: 3 }).join()
  await under.time.advance(initialDelayMs)
  assert.equal(join.error, 'NONE')
})

test('a member that never comes with its id is forgotten after its session timeout', async () => {
  const under = new GroupShardUnderTest()
  const client = new ClassicClient(under)
  client.join()
  await under.time.advance(9000)
  assert.equal(groupOf(under).pendingJoins.size, 1)
  await under.time.advance(1000)
  assert.equal(groupOf(under).pendingJoins.size, 0)
  const late = client.join()
  await under.time.advance(0)
  assert.equal(late.error, 'UNKNOWN_MEMBER_ID')
})

test('a rebalance waits for who has been given an id', async () => {
  const { under, clients } = await stable()
  const newcomer = new ClassicClient(under)
  newcomer.join()
  await under.time.advance(0)
  const again = clients.map((client) => client.join({ protocols: [protocol('range', 'changed')] }))
  await under.time.advance(0)
  assert.equal(again[0]!.answer, undefined)
  const join = newcomer.join()
  await under.time.advance(0)
  assert.deepEqual(
    [...again, join].map(({ error }) => error),
    ['NONE', 'NONE', 'NONE'],
  )
})

test('a group that nobody knows cannot be joined with an id', async () => {
  const under = new GroupShardUnderTest()
  const client = new ClassicClient(under)
  client.memberId = 'made-up'
  const join = client.join()
  await under.time.advance(0)
  assert.deepEqual([join.error, joinOf(join).memberId], ['UNKNOWN_MEMBER_ID', 'made-up'])
  assert.equal(under.shard.groups.size, 0)
})

test('the first generation waits longer for each newcomer, up to the rebalance timeout of the first', async () => {
  const under = new GroupShardUnderTest()
  const joins = [new ClassicClient(under, { version: 3 }).join({ rebalanceTimeoutMs: 7000 })]
  for (let step = 0; step < 2; step++) {
    await under.time.advance(2900)
    joins.push(new ClassicClient(under, { version: 3 }).join())
    await under.time.advance(100)
  }
  await under.time.advance(990)
  assert.deepEqual(
    joins.map(({ error }) => error),
    [undefined, undefined, undefined],
  )
  await under.time.advance(10)
  assert.deepEqual(
    joins.map(({ error }) => error),
    ['NONE', 'NONE', 'NONE'],
  )
  assert.equal(groupOf(under).generation, 1)
})

test('a first generation waits a moment for who has just been given an id, and not for long', async () => {
  const configs = { 'group.initial.rebalance.delay.ms': 0 }
  const under = new GroupShardUnderTest({ configs })
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  for (const client of clients) client.join()
  await under.time.advance(0)
  const first = clients[0]!.join()
  await under.time.advance(50)
  assert.equal(first.answer, undefined)
  const second = clients[1]!.join()
  await under.time.advance(0)
  assert.deepEqual([joinOf(first).generationId, joinOf(second).generationId], [1, 1])

  const other = new GroupShardUnderTest({ configs })
  const [quick, lost] = [new ClassicClient(other), new ClassicClient(other)]
  quick.join()
  lost.join()
  await other.time.advance(0)
  const alone = quick.join()
  await other.time.advance(99)
  assert.equal(alone.answer, undefined)
  await other.time.advance(1)
  assert.equal(joinOf(alone).generationId, 1)
})

test('the protocol that most members prefer is chosen, among those that all support', async () => {
  const under = new GroupShardUnderTest()
  const preferences = [
    ['sticky', 'range', 'roundrobin'],
    ['roundrobin', 'range'],
    ['range', 'roundrobin'],
    ['roundrobin', 'range'],
  ]
  const joins = preferences.map((names) =>
    new ClassicClient(under, { version: 3 }).join({ protocols: names.map((name) => protocol(name)) }),
  )
  await under.time.advance(3 * initialDelayMs)
  // Two votes each; the first member's vote was for range.
  assert.deepEqual(
    joins.map((join) => joinOf(join).protocolName),
    ['range', 'range', 'range', 'range'],
  )
})

test('a member may name a protocol twice', async () => {
  const under = new GroupShardUnderTest()
  const twice = [protocol('range'), protocol('range', 'again')]
  const joins = [twice, [protocol('range')], twice].map((protocols) =>
    new ClassicClient(under, { version: 3 }).join({ protocols }),
  )
  await under.time.advance(3 * initialDelayMs)
  assert.deepEqual(
    joins.map((join) => joinOf(join).protocolName),
    ['range', 'range', 'range'],
  )
})

test('who has another protocol type, or no protocol in common, cannot join', async () => {
  const { under } = await stable()
  const others = [
    { protocolType: 'connect' },
    { protocols: [protocol('sticky')] },
    { protocolType: '' },
    { protocols: [] },
  ]
  const refused = others.map((other) => new ClassicClient(under).join(other))
  await under.time.advance(0)
  assert.deepEqual(
    refused.map(({ error }) => error),
    others.map(() => 'INCONSISTENT_GROUP_PROTOCOL'),
  )
  assert.equal(groupOf(under).state, 'Stable')
})

test('the leader alone is told who the members are', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under), new ClassicClient(under)]
  const joins = await joined(under, clients)
  const leader = leaderAmong(under, clients)
  for (const [index, client] of clients.entries()) {
    const { members, leader: leaderId } = joinOf(joins[index]!)
    assert.equal(leaderId, leader.memberId)
    assert.equal(members.length, client === leader ? 3 : 0)
  }
})

test('a new member that waits too long is removed, and told so', async () => {
  const { under, clients } = await stable()
  const newcomer = new ClassicClient(under, { version: 3 })
  const join = newcomer.join()
  for (let passedMs = 0; passedMs < newMemberMs; passedMs += 5000) {
    // One that heartbeats and never joins, as long as its rebalance timeout lets it.
    clients[0]!.heartbeat()
    await under.time.advance(5000)
    if (join.answer !== undefined) break
  }
  assert.equal(join.error, 'NONE', 'after the rebalance timeout')
  assert.deepEqual([...groupOf(under).members.keys()], [newcomer.memberId])
})

test('who does not join again within the rebalance timeout is removed', async () => {
  const { under, clients } = await stable()
  const [slow, quick] = clients as [ClassicClient, ClassicClient]
  const join = quick.join({ protocols: [protocol('range', 'changed')] })
  for (let seconds = 0; seconds < 30; seconds += 5) {
    assert.equal(join.answer, undefined)
    slow.heartbeat()
    await under.time.advance(5000)
  }
  assert.equal(joinOf(join).generationId, 2)
  const beat = slow.heartbeat(1)
  await under.time.advance(0)
  assert.equal(beat.error, 'UNKNOWN_MEMBER_ID')
})

test('a follower that joins again unchanged is told its generation; a leader begins a rebalance', async () => {
  const { under, clients } = await stable()
  const leader = leaderAmong(under, clients)
  const follower = clients.find((client) => client !== leader)!
  const same = follower.join()
  await under.time.advance(0)
  assert.deepEqual([joinOf(same).generationId, groupOf(under).state], [1, 'Stable'])
  const anew = leader.join()
  await under.time.advance(0)
  assert.deepEqual([anew.answer, groupOf(under).state], [undefined, 'PreparingRebalance'])
  const called = follower.heartbeat()
  const rest = follower.join()
  await under.time.advance(0)
  assert.equal(called.error, 'REBALANCE_IN_PROGRESS')
  assert.deepEqual([joinOf(anew).generationId, joinOf(rest).generationId], [2, 2])
})

test('a member that missed the answer to its JoinGroup is told again', async () => {
  const under = new GroupShardUnderTest()
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  const joins = await joined(under, clients)
  const again = clients.map((client) => client.join())
  await under.time.advance(0)
  assert.deepEqual(
    again.map((join) => joinOf(join)),
    joins.map((join) => joinOf(join)),
  )
})

test('a second request of a member that waits sends the first one away', async () => {
  const { under, clients } = await stable()
  const first = clients[0]!.join({ protocols: [protocol('range', 'changed')] })
  const second = clients[0]!.join({ protocols: [protocol('range', 'again')] })
  await under.time.advance(0)
  assert.deepEqual([first.error, second.error], ['REBALANCE_IN_PROGRESS', undefined])
  assert.equal(groupOf(under).awaitingJoins, 1)
})

test('no more members than group.max.size', async () => {
  const { under, clients } = await stable({ configs: { 'group.max.size': 2 } })
  const newcomer = new ClassicClient(under)
  const turnedAway = newcomer.join()
  await under.time.advance(0)
  assert.deepEqual([turnedAway.error, joinOf(turnedAway).memberId], ['GROUP_MAX_SIZE_REACHED', ''])
  // While members join, the first ones to come get the places.
  const quick = [
    clients[0]!.join({ protocols: [protocol('range', 'x')] }),
    new ClassicClient(under, { version: 3 }).join(),
  ]
  await under.time.advance(0)
  const late = clients[1]!.join()
  await under.time.advance(0)
  assert.deepEqual(
    [...quick, late].map(({ error }) => error),
    [undefined, undefined, 'GROUP_MAX_SIZE_REACHED'],
  )
})

test('ids are given out without end, but only the last ten thousand of a group are remembered', async () => {
  const under = new GroupShardUnderTest()
  const first = new ClassicClient(under)
  first.join()
  await under.time.advance(0)
  for (let count = 0; count < 10_000; count++) new ClassicClient(under).join()
  await under.time.advance(0)
  assert.equal(groupOf(under).pendingJoins.size, 10_000)
  const late = first.join()
  await under.time.advance(0)
  assert.equal(late.error, 'UNKNOWN_MEMBER_ID')
})
