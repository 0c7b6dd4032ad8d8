import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { ClassicClient, protocol, testGroup, type Sent } from '../testing/classic-client.ts'
import { GroupShardUnderTest, type GroupShardUnderTestOptions } from '../testing/group-shard-under-test.ts'
import type { JoinAnswer, SyncAnswer } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'

const delayMs = 3000
const newMemberMs = 5 * 60 * 1000

function groupOf(under: GroupShardUnderTest): ClassicGroup {
  return under.shard.groups.findOfType<ClassicGroup>(testGroup, 'classic')
}

function answerOf<A>(sending: Sent<A>): A {
  assert.ok(sending.answer !== undefined, 'it still waits')
  return sending.answer as A
}

const joinOf = (sending: Sent<JoinAnswer>): JoinAnswer => answerOf(sending)
const textOf = (sending: Sent<SyncAnswer>): string => Buffer.from(answerOf(sending).assignment).toString()

/** Every member of a new group, in a generation; nobody has asked for its assignment. */
async function joined(under: GroupShardUnderTest, clients: readonly ClassicClient[]): Promise<Sent<JoinAnswer>[]> {
  for (const client of clients) client.join()
  await under.time.advance(0)
  const joins = clients.map((client) => client.join())
  await under.time.advance(joins.length * delayMs)
  return joins
}

function leaderAmong(under: GroupShardUnderTest, clients: readonly ClassicClient[]): ClassicClient {
  return clients.find(({ memberId }) => groupOf(under).isLeader(memberId))!
}

/** Each is assigned its own member id. */
function assignments(clients: readonly ClassicClient[]) {
  return clients.map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) }))
}

async function stable(
  options: GroupShardUnderTestOptions = {},
  makeClients = (under: GroupShardUnderTest) => [new ClassicClient(under), new ClassicClient(under)],
): Promise<{ under: GroupShardUnderTest; clients: ClassicClient[] }> {
  const under = new GroupShardUnderTest(options)
  const clients = makeClients(under)
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  const syncs = clients.map((client) => client.sync({ assignments: client === leader ? assignments(clients) : [] }))
  await under.time.advance(0)
  assert.deepEqual(
    syncs.map(textOf),
    clients.map(({ memberId }) => memberId),
  )
  return { under, clients }
}

test('a member without an id is given one, and joins with it', async () => {
  const under = new GroupShardUnderTest()
  const client = new ClassicClient(under)
  const first = client.join()
  await under.time.advance(0)
  assert.equal(first.error, 'MEMBER_ID_REQUIRED')
  assert.match(client.memberId, /^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(groupOf(under).stateName, 'Empty')
  const second = client.join()
  await under.time.advance(delayMs)
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
  await under.time.advance(delayMs)
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
  await under.time.advance(3 * delayMs)
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
  await under.time.advance(3 * delayMs)
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
  await under.time.advance(delayMs)
  assert.equal(join.error, 'UNKNOWN_MEMBER_ID')
  assert.equal(groupOf(under).state, 'Empty')
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
