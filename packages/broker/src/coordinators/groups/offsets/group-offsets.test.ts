import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName, KafkaError, LegacyOffsetCommitRecord, ZERO_UUID } from '@millrace/protocol'
import { ClassicClient, subscription } from '../testing/classic-client.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { commit, fetchCommitted, type TestCommit } from '../testing/offset-client.ts'

const minuteMs = 60_000
const idOne = 'AAAAAAAAAAAAAAAAAAAAAQ'
const idTwo = 'AAAAAAAAAAAAAAAAAAAAAg'

/** The name of the error code, whether the commit was refused as a whole or for the partition. */
async function outcome(under: GroupShardUnderTest, options: TestCommit): Promise<string> {
  try {
    return errorName(await commit(under, options))
  } catch (error) {
    assert.ok(error instanceof KafkaError)
    return errorName(error.code)
  }
}

/** A consumer that is alone in its group and has its assignment. */
async function soleConsumer(under: GroupShardUnderTest, topics: readonly string[] = ['topic']): Promise<ClassicClient> {
  const client = new ClassicClient(under, { version: 3 })
  client.join({ protocols: [{ name: 'range', metadata: subscription(...topics) }] })
  await under.time.advance(3000)
  client.sync({ assignments: [{ memberId: client.memberId, assignment: new Uint8Array(1) }] })
  await under.time.advance(0)
  return client
}

const offsetsOf = (under: Pick<GroupShardUnderTest, 'shard'>, group = 'group') =>
  Object.fromEntries([...fetchCommitted(under, { group })].map(([key, { offset }]) => [key, Number(offset)]))

test('what is committed is fetched, and nothing where nothing is', async () => {
  const under = new GroupShardUnderTest()
  await commit(under, { partition: 1, offset: 5n, leaderEpoch: 7, metadata: 'näher' })
  await commit(under, { topic: 'other', offset: 6n, metadata: null })
  const nothing = { offset: -1n, leaderEpoch: -1, metadata: '', errorCode: 0 }
  const five = { offset: 5n, leaderEpoch: 7, metadata: 'näher', errorCode: 0 }
  const wanted = { topic: 'topic', partitions: [0, 1] }
  assert.deepEqual(
    [...fetchCommitted(under, { wanted })],
    [
      ['topic-0', nothing],
      ['topic-1', five],
    ],
  )
  assert.deepEqual(
    [...fetchCommitted(under)],
    [
      ['topic-1', five],
      ['other-0', { ...nothing, offset: 6n }],
    ],
  )
  assert.deepEqual(
    [...fetchCommitted(under, { group: 'none', wanted })],
    [
      ['topic-0', nothing],
      ['topic-1', nothing],
    ],
  )
  assert.deepEqual(offsetsOf(under, 'none'), {})
})

test('a commit without a member makes a simple group', async () => {
  const under = new GroupShardUnderTest()
  assert.equal(await outcome(under, {}), 'NONE')
  const group = under.shard.groups.find('group')
  assert.deepEqual([group.type, group.stateName, group.protocolType], ['classic', 'Empty', ''])
})

test('a commit for a generation of a group that does not exist', async () => {
  const under = new GroupShardUnderTest()
  assert.equal(await outcome(under, { generation: 1, memberId: 'm', version: 9 }), 'GROUP_ID_NOT_FOUND')
  assert.equal(await outcome(under, { generation: 1, memberId: 'm', version: 8 }), 'ILLEGAL_GENERATION')
  assert.equal(await outcome(under, { generation: 1, memberId: 'm', producerId: 1n, version: 5 }), 'ILLEGAL_GENERATION')
  assert.equal(await outcome(under, { producerId: 1n }), 'NONE')
})

test('members commit for their generation, until the next one begins', async () => {
  const under = new GroupShardUnderTest()
  const { memberId } = await soleConsumer(under)
  const mine = { memberId, generation: 1 }
  assert.equal(await outcome(under, mine), 'NONE')
  assert.equal(await outcome(under, { ...mine, generation: 2 }), 'ILLEGAL_GENERATION')
  assert.equal(await outcome(under, { ...mine, generation: -1 }), 'ILLEGAL_GENERATION')
  assert.equal(await outcome(under, { ...mine, memberId: 'stranger' }), 'UNKNOWN_MEMBER_ID')
  assert.equal(await outcome(under, { ...mine, instance: 'stranger' }), 'UNKNOWN_MEMBER_ID')
  assert.equal(await outcome(under, {}), 'UNKNOWN_MEMBER_ID')
  assert.equal(await outcome(under, { producerId: 1n }), 'NONE', 'old producers do not say who consumes')
  assert.equal(await outcome(under, { ...mine, generation: 2, producerId: 1n }), 'ILLEGAL_GENERATION')
  const newcomer = new ClassicClient(under, { version: 3 })
  newcomer.join({ protocols: [{ name: 'range', metadata: subscription('topic') }] })
  assert.equal(await outcome(under, mine), 'NONE', 'what it gives up')
  const again = new ClassicClient(under)
  again.memberId = memberId
  again.join({ protocols: [{ name: 'range', metadata: subscription('topic') }] })
  await under.time.advance(0)
  assert.equal(await outcome(under, { ...mine, generation: 2 }), 'REBALANCE_IN_PROGRESS')
  assert.equal(await outcome(under, { ...mine, generation: 2, producerId: 1n }), 'NONE')
})

test('a commit is as good as a heartbeat', async () => {
  const under = new GroupShardUnderTest()
  const { memberId } = await soleConsumer(under)
  for (let seconds = 0; seconds < 30; seconds += 5) {
    await under.time.advance(5000)
    assert.equal(await outcome(under, { memberId, generation: 1 }), 'NONE')
  }
  await under.time.advance(10_000)
  assert.equal(await outcome(under, { memberId, generation: 1 }), 'UNKNOWN_MEMBER_ID')
})

test('metadata have a length', async () => {
  const under = new GroupShardUnderTest({ configs: { 'offset.metadata.max.bytes': 3 } })
  assert.equal(await outcome(under, { metadata: 'abcd' }), 'OFFSET_METADATA_TOO_LARGE')
  assert.equal(under.logLength, 0)
  assert.equal(await outcome(under, { metadata: 'abc' }), 'NONE')
  assert.equal(await outcome(under, { metadata: 'abcd', producerId: 1n }), 'OFFSET_METADATA_TOO_LARGE')
})

test('a commit that is refused by the log leaves what was', async () => {
  const under = new GroupShardUnderTest()
  await commit(under, { offset: 1n })
  under.refusal = new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await outcome(under, { offset: 2n }), 'COORDINATOR_NOT_AVAILABLE')
  assert.equal(await outcome(under, { group: 'new' }), 'COORDINATOR_NOT_AVAILABLE')
  assert.deepEqual(offsetsOf(under), { 'topic-0': 1 })
  assert.equal(under.shard.groups.get('new'), undefined)
})

test('offsets of a topic that was made again are none of the new one', async () => {
  const under = new GroupShardUnderTest()
  await commit(under, { topicId: idOne, offset: 4n })
  const offsetFor = (topicId: string) =>
    fetchCommitted(under, { wanted: { topic: 'topic', topicId, partitions: [0] } }).get('topic-0')!.offset
  assert.deepEqual([offsetFor(idOne), offsetFor(idTwo), offsetFor(ZERO_UUID)], [4n, -1n, 4n])
  await commit(under, { offset: 5n })
  assert.deepEqual([offsetFor(idOne), offsetFor(idTwo)], [5n, 5n], 'committed by name')
})

test('offsets of a transaction count when it is committed', async () => {
  const under = new GroupShardUnderTest()
  await commit(under, { offset: 1n })
  await commit(under, { offset: 2n, producerId: 7n })
  await commit(under, { partition: 1, offset: 3n, producerId: 8n })
  assert.deepEqual(offsetsOf(under), { 'topic-0': 1 })
  const stable = fetchCommitted(under, { wanted: { topic: 'topic', partitions: [0, 1, 2] }, requireStable: true })
  assert.deepEqual(
    [...stable.values()].map(({ offset, errorCode }) => [Number(offset), errorName(errorCode)]),
    [
      [-1, 'UNSTABLE_OFFSET_COMMIT'],
      [-1, 'UNSTABLE_OFFSET_COMMIT'],
      [-1, 'NONE'],
    ],
  )
  assert.deepEqual(
    [...fetchCommitted(under, { requireStable: true })].map(([key, { errorCode }]) => [key, errorName(errorCode)]),
    [['topic-0', 'UNSTABLE_OFFSET_COMMIT']],
  )
  under.endTransaction({ producerId: 7n, producerEpoch: 0 }, 'COMMIT')
  under.endTransaction({ producerId: 8n, producerEpoch: 0 }, 'ABORT')
  assert.deepEqual(offsetsOf(under), { 'topic-0': 2 })
})

test('of a transaction and a plain commit the one whose record is later counts', async () => {
  const under = new GroupShardUnderTest()
  await commit(under, { offset: 10n, producerId: 7n })
  await commit(under, { offset: 11n })
  under.endTransaction({ producerId: 7n, producerEpoch: 0 }, 'COMMIT')
  assert.deepEqual(offsetsOf(under), { 'topic-0': 11 })
})

test('offsets are deleted unless somebody is subscribed to their topic', async () => {
  const under = new GroupShardUnderTest()
  const { memberId } = await soleConsumer(under, ['topic'])
  await commit(under, { memberId, generation: 1 })
  await commit(under, { topic: 'other', memberId, generation: 1 })
  await commit(under, { topic: 'other', partition: 1, producerId: 7n })
  const partitions = [0, 1, 2].map((partitionIndex) => ({ partitionIndex }))
  const topics = ['topic', 'other'].map((name) => ({ name, partitions }))
  const deleted = await under.write(({ offsets }) => offsets.delete({ groupId: 'group', topics }))
  assert.deepEqual(
    deleted.map(({ name, partitions: answered }) => [
      name,
      new Set(answered.map(({ errorCode }) => errorName(errorCode))),
    ]),
    [
      ['topic', new Set(['GROUP_SUBSCRIBED_TO_TOPIC'])],
      ['other', new Set(['NONE'])],
    ],
  )
  under.endTransaction({ producerId: 7n, producerEpoch: 0 }, 'COMMIT')
  assert.deepEqual(offsetsOf(under), { 'topic-0': 1 })
})

test('offsets of a group that does not exist, or is no group of consumers, are not deleted', async () => {
  const under = new GroupShardUnderTest()
  const ask = () => under.write(({ offsets }) => offsets.delete({ groupId: 'group', topics: [] }))
  await assert.rejects(ask, { code: ErrorCode.GROUP_ID_NOT_FOUND })
  const worker = new ClassicClient(under, { version: 3 })
  worker.join({ protocolType: 'connect' })
  await under.time.advance(3000)
  await assert.rejects(ask, { code: ErrorCode.NON_EMPTY_GROUP })
})

test('offsets without members expire by their commit, those of an empty group when it has been empty for so long', async () => {
  const under = new GroupShardUnderTest({
    configs: { 'offsets.retention.minutes': 10, 'offsets.retention.check.interval.ms': minuteMs },
  })
  await commit(under, { group: 'simple', partition: 0 })
  const client = await soleConsumer(under)
  await commit(under, { memberId: client.memberId, generation: 1 })
  for (let minutes = 0; minutes < 5; minutes++) {
    for (let beats = 0; beats < 12; beats++) {
      client.heartbeat()
      await under.time.advance(5000)
    }
  }
  await commit(under, { group: 'simple', partition: 1 })
  client.leave()
  await under.time.advance(5 * minuteMs + 1)
  assert.deepEqual([offsetsOf(under, 'simple'), offsetsOf(under)], [{ 'topic-1': 1 }, { 'topic-0': 1 }])
  await under.time.advance(6 * minuteMs)
  assert.deepEqual([offsetsOf(under, 'simple'), offsetsOf(under)], [{}, {}])
  assert.equal(under.shard.groups.size, 0)
  assert.equal(under.reloaded().groups.size, 0)
})

test('of a group with consumers only offsets of topics that nobody is subscribed to expire', async () => {
  const under = new GroupShardUnderTest({
    configs: { 'offsets.retention.minutes': 1, 'offsets.retention.check.interval.ms': minuteMs },
  })
  const client = await soleConsumer(under, ['topic'])
  const mine = { memberId: client.memberId, generation: 1 }
  await commit(under, mine)
  await commit(under, { ...mine, topic: 'other' })
  await commit(under, { ...mine, topic: 'pending' })
  await commit(under, { ...mine, topic: 'pending', producerId: 7n })
  for (let beats = 0; beats < 24; beats++) {
    client.heartbeat()
    await under.time.advance(5000)
  }
  assert.deepEqual(offsetsOf(under), { 'topic-0': 1, 'pending-0': 1 })
})

test('an offset with a retention of its own expires by that', async () => {
  const under = new GroupShardUnderTest({ configs: { 'offsets.retention.check.interval.ms': minuteMs } })
  await commit(under, { retentionMs: 90_000, version: 4 })
  await under.time.advance(minuteMs + 1)
  assert.deepEqual(offsetsOf({ shard: under.reloaded() }), { 'topic-0': 1 })
  await under.time.advance(minuteMs)
  assert.deepEqual(offsetsOf(under), {})
})

test('an offset whose client says when it was committed expires by that', async () => {
  const under = new GroupShardUnderTest({
    configs: { 'offsets.retention.minutes': 10, 'offsets.retention.check.interval.ms': minuteMs },
  })
  const nineMinutesAgo = BigInt(under.clock.now() - 9 * minuteMs)
  await commit(under, { partition: 0, commitTimestamp: nineMinutesAgo, version: 1 })
  await commit(under, { partition: 1, version: 1 })
  await under.time.advance(2 * minuteMs + 1)
  assert.deepEqual(offsetsOf(under), { 'topic-1': 1 })
})

test('offsets of a deleted topic go, those of one that was made again stay', async () => {
  const under = new GroupShardUnderTest()
  const topic = (name: string, id: string) => new Map([[name, { name, id, partitions: [] }]])
  under.changeMetadata({ topics: topic('topic', idOne) })
  await commit(under, { partition: 0, topicId: idOne })
  await commit(under, { partition: 1, topicId: idTwo })
  await commit(under, { partition: 2 })
  await commit(under, { partition: 3, producerId: 7n })
  await commit(under, { topic: 'other' })
  under.changeMetadata({ topics: new Map([['topic', null]]) })
  await under.time.advance(10)
  under.endTransaction({ producerId: 7n, producerEpoch: 0 }, 'COMMIT')
  assert.deepEqual(offsetsOf(under), { 'topic-1': 1, 'other-0': 1 })
  under.changeMetadata({ topics: topic('topic', idTwo) })
  under.changeMetadata({ topics: topic('topic', idOne) })
  await under.time.advance(10)
  assert.deepEqual(offsetsOf(under), { 'other-0': 1 }, 'another topic of the name in one change')
})

test('the oldest format of offsets is read', () => {
  const under = new GroupShardUnderTest()
  under.shard.replay(
    {
      type: LegacyOffsetCommitRecord as never,
      key: { group: 'group', topic: 'topic', partition: 0 },
      value: { offset: 3n, metadata: 'm', commitTimestamp: 1n },
    },
    { offset: 0n, transaction: null },
  )
  assert.deepEqual(offsetsOf(under), { 'topic-0': 3 })
})
