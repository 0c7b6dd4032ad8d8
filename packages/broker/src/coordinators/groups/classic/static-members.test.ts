import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { ClassicClient, protocol, type Sent } from '../testing/classic-client.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { groupOf, joinOf } from '../testing/started-classic-group.ts'
import type { LeaveAnswer } from './classic-answers.ts'

/** Two static members, the leader first, with assignments unless `isSynced` is false. */
async function group(
  isSynced = true,
): Promise<{ under: GroupShardUnderTest; leader: ClassicClient; follower: ClassicClient }> {
  const under = new GroupShardUnderTest()
  const leader = new ClassicClient(under, { instance: 'a' })
  const follower = new ClassicClient(under, { instance: 'b' })
  leader.join()
  await under.time.advance(0)
  follower.join()
  await under.time.advance(6000)
  assert.deepEqual([groupOf(under).generation, groupOf(under).leaderId], [1, leader.memberId])
  if (isSynced) {
    leader.sync({
      assignments: [leader, follower].map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) })),
    })
    follower.sync()
    await under.time.advance(0)
    assert.equal(groupOf(under).state, 'Stable')
  }
  return { under, leader, follower }
}

test('a static member needs no id to join, and has its instance in it', async () => {
  const { leader } = await group()
  assert.match(leader.memberId, /^a-/)
})

test('a static member that comes back takes its old place without a rebalance', async () => {
  const { under, follower } = await group()
  const old = follower.memberId
  const back = new ClassicClient(under, { instance: 'b' })
  const join = back.join()
  await under.time.advance(0)
  const { generationId, memberId, members, skipAssignment } = joinOf(join)
  assert.deepEqual([generationId, members, skipAssignment], [1, [], false])
  assert.notEqual(memberId, old)
  assert.equal(groupOf(under).state, 'Stable')
  const sync = back.sync()
  const fenced = [follower.heartbeat(), follower.sync(), follower.join()]
  const left = follower.leave()
  await under.time.advance(0)
  assert.equal(Buffer.from((sync.answer as { assignment: Uint8Array }).assignment).toString(), old)
  assert.deepEqual(
    fenced.map(({ error }) => error),
    ['FENCED_INSTANCE_ID', 'FENCED_INSTANCE_ID', 'FENCED_INSTANCE_ID'],
  )
  assert.equal(resultOf(left), ErrorCode.FENCED_INSTANCE_ID)
})

test('the new id is in the log', async () => {
  const { under } = await group()
  const back = new ClassicClient(under, { instance: 'b' })
  back.join()
  await under.time.advance(0)
  under.moveAway()
  assert.equal(groupOf(under).staticMemberId('b'), back.memberId)
  const beat = back.heartbeat()
  await under.time.advance(0)
  assert.equal(beat.error, 'NONE')
})

test('a leader that comes back is told the members and to skip the assignment, if it can be', async () => {
  const { under, leader } = await group()
  const old = leader.memberId
  const back = new ClassicClient(under, { instance: 'a' })
  const join = joinOf(await answered(under, back.join()))
  assert.deepEqual([join.leader, join.skipAssignment, join.members.length], [back.memberId, true, 2])
  const older = new ClassicClient(under, { instance: 'a', version: 8 })
  const olderJoin = joinOf(await answered(under, older.join()))
  assert.deepEqual([olderJoin.leader, olderJoin.skipAssignment, olderJoin.members], [back.memberId, false, []])
  assert.notEqual(back.memberId, old)
  assert.equal(groupOf(under).leaderId, older.memberId)
})

test('a static member that changes what the group would choose begins a rebalance', async () => {
  const { under } = await group()
  // Both support range only, so a member of another protocol cannot come at all.
  const other = await answered(
    under,
    new ClassicClient(under, { instance: 'b' }).join({ protocols: [protocol('sticky')] }),
  )
  assert.equal(other.error, 'INCONSISTENT_GROUP_PROTOCOL')
  const both = [protocol('sticky'), protocol('range')]
  const leaderAgain = new ClassicClient(under, { instance: 'a' })
  assert.equal((await answered(under, leaderAgain.join({ protocols: both }))).error, 'NONE')
  const changed = new ClassicClient(under, { instance: 'b' }).join({ protocols: both })
  await under.time.advance(0)
  assert.deepEqual([changed.answer, groupOf(under).state], [undefined, 'PreparingRebalance'])
})

test('a static member that comes back while assignments are made begins a rebalance', async () => {
  const { under, leader, follower } = await group(false)
  const waiting = follower.sync()
  await under.time.advance(0)
  const back = new ClassicClient(under, { instance: 'b' }).join()
  await under.time.advance(0)
  assert.deepEqual(
    [waiting.error, back.answer, groupOf(under).state],
    ['FENCED_INSTANCE_ID', undefined, 'PreparingRebalance'],
  )
  const join = leader.join()
  await under.time.advance(0)
  assert.deepEqual([joinOf(join).generationId, joinOf(back).generationId], [2, 2])
})

test('a static member that comes back must ask for its assignment as the old one had to', async () => {
  const { under, leader } = await group(false)
  leader.sync({ assignments: [] })
  await under.time.advance(0)
  const back = new ClassicClient(under, { instance: 'b' })
  assert.equal((await answered(under, back.join())).error, 'NONE')
  for (let seconds = 0; seconds < 30; seconds += 5) {
    back.heartbeat()
    leader.heartbeat()
    await under.time.advance(5000)
  }
  assert.equal(groupOf(under).staticMemberId('b'), undefined)
})

test('two processes with one instance: the later one stays', async () => {
  const { under, follower } = await group()
  const waiting = follower.join({ protocols: [protocol('range', 'changed')] })
  await under.time.advance(0)
  const other = new ClassicClient(under, { instance: 'b' }).join()
  await under.time.advance(0)
  assert.deepEqual([waiting.error, other.answer], ['FENCED_INSTANCE_ID', undefined])
})

test('a new id that cannot be written leaves the old one in place', async () => {
  const { under, follower } = await group()
  under.refusal = new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const back = await answered(under, new ClassicClient(under, { instance: 'b' }).join())
  assert.equal(back.error, 'COORDINATOR_NOT_AVAILABLE')
  assert.equal(groupOf(under).staticMemberId('b'), follower.memberId)
  const beat = await answered(under, follower.heartbeat())
  assert.equal(beat.error, 'NONE')
})

test('a new id is told when it is committed', async () => {
  const { under, follower } = await group()
  under.holdsCommits = true
  const back = new ClassicClient(under, { instance: 'b' }).join()
  await under.time.advance(0)
  assert.equal(back.answer, undefined)
  under.moveAway()
  await under.time.advance(0)
  assert.equal(back.error, 'NOT_COORDINATOR')
  assert.equal(groupOf(under).staticMemberId('b'), follower.memberId)
})

test('static members that do not join keep their places until their sessions end', async () => {
  const { under, leader, follower } = await group()
  const join = leader.join()
  await under.time.advance(0)
  for (let seconds = 0; seconds < 30; seconds += 5) {
    follower.heartbeat(1)
    await under.time.advance(5000)
  }
  assert.deepEqual([joinOf(join).generationId, joinOf(join).members.length], [2, 2])
  await under.time.advance(10_000)
  assert.equal(groupOf(under).staticMemberId('b'), undefined)
})

test('a rebalance that only static members could end waits for them', async () => {
  const under = new GroupShardUnderTest()
  const fixed = new ClassicClient(under, { instance: 'a' })
  fixed.join({ sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 10_000 })
  await under.time.advance(3000)
  const passing = new ClassicClient(under, { version: 3 })
  const join = passing.join({ rebalanceTimeoutMs: 10_000, sessionTimeoutMs: 10_000 })
  await under.time.advance(0)
  passing.memberId = [...groupOf(under).members.keys()].find((id) => id !== fixed.memberId)!
  passing.leave()
  await under.time.advance(10_000)
  assert.equal(join.error, 'UNKNOWN_MEMBER_ID')
  assert.equal(groupOf(under).state, 'PreparingRebalance')
  assert.deepEqual(under.warnings, ['a rebalance cannot end, as no member has joined'])
  const back = await answered(under, fixed.join())
  assert.deepEqual([joinOf(back).generationId, joinOf(back).leader], [2, fixed.memberId])
})

test('a rebalance that waits for static members does not spin when they give hardly any time for it', async () => {
  const under = new GroupShardUnderTest()
  const timeouts = { sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 5 }
  const fixed = new ClassicClient(under, { instance: 'a' })
  fixed.join(timeouts)
  await under.time.advance(3000)
  fixed.sync({ assignments: [{ memberId: fixed.memberId, assignment: new Uint8Array(1) }] })
  await under.time.advance(0)
  const passing = new ClassicClient(under, { version: 3 })
  passing.join(timeouts)
  await under.time.advance(0)
  passing.memberId = [...groupOf(under).members.keys()].find((id) => id !== fixed.memberId)!
  passing.leave()
  await under.time.advance(10_000)
  assert.equal(groupOf(under).state, 'PreparingRebalance')
  assert.ok(under.warnings.length > 5 && under.warnings.length < 12, `${under.warnings.length} attempts`)
})

test('a static member is removed by its instance alone', async () => {
  const { under, leader } = await group()
  const left = leader.leave('', 'b')
  const unknown = leader.leave('', 'c')
  const nobody = leader.leave('', null)
  await under.time.advance(0)
  assert.deepEqual([left, unknown, nobody].map(resultOf), [
    ErrorCode.NONE,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.UNKNOWN_MEMBER_ID,
  ])
  assert.equal(groupOf(under).staticMemberId('b'), undefined)
})

/** Of a LeaveGroup of one member. */
function resultOf({ answer }: Sent<LeaveAnswer>): number | undefined {
  return (answer as LeaveAnswer).members?.[0]?.errorCode
}

async function answered<A>(under: GroupShardUnderTest, sending: Sent<A>): Promise<Sent<A>> {
  await under.time.advance(0)
  return sending
}
