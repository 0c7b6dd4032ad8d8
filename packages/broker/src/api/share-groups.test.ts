/** Share groups as their members and administrators see them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import {
  AlterShareGroupOffsets,
  DeleteGroups,
  DeleteShareGroupOffsets,
  DeleteTopics,
  DescribeShareGroupOffsets,
  ErrorCode,
  ListGroups,
  Produce,
  ShareGroupDescribe,
  ShareGroupHeartbeat,
  ZERO_UUID,
  type Response,
} from '@millrace/protocol'
import { MemoryDisk, nodeRuntime } from '@millrace/runtime'
import {
  acquiredIn,
  batchOf,
  type RawClient,
  ShareMember,
  TestBroker,
  type TestBrokerOptions,
  until,
} from '../testing/index.ts'

type HeartbeatAnswer = Response<typeof ShareGroupHeartbeat>

const oneOfEach = {
  'share.coordinator.state.topic.num.partitions': 1,
  'offsets.topic.num.partitions': 1,
  'group.share.assignment.interval.ms': 0,
}

async function start(options: TestBrokerOptions = {}): Promise<{ broker: TestBroker; client: RawClient }> {
  const broker = await TestBroker.start({ ...options, configs: { ...oneOfEach, ...options.configs } })
  await broker.createTopic('__consumer_offsets')
  const client = await broker.connect()
  // The coordinator loads its partition first.
  for (;;) {
    const { errorCode } = await client.ask(ListGroups, 5, { statesFilter: [], typesFilter: [] })
    if (errorCode === ErrorCode.NONE) return { broker, client }
  }
}

interface Beat {
  readonly group?: string
  readonly epoch?: number
  readonly topics?: string[] | null
}

function beat(
  client: RawClient,
  memberId: string,
  { group = 'g', epoch = 0, topics = ['t'] }: Beat = {},
): Promise<HeartbeatAnswer> {
  return client.ask(ShareGroupHeartbeat, 1, {
    groupId: group,
    memberId,
    memberEpoch: epoch,
    subscribedTopicNames: topics,
  })
}

const assigned = ({ assignment }: HeartbeatAnswer): (readonly number[])[] | null =>
  assignment === null ? null : assignment.topicPartitions.map(({ partitions }) => partitions)

async function produce(client: RawClient, values: readonly string[]): Promise<void> {
  const { responses } = await client.ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records: batchOf(values) }] }],
  })
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
}

async function offsets(client: RawClient, group = 'g'): Promise<[bigint, bigint][]> {
  const { groups } = await client.ask(DescribeShareGroupOffsets, 1, { groups: [{ groupId: group, topics: null }] })
  assert.equal(groups[0]!.errorCode, ErrorCode.NONE)
  return groups[0]!.topics.flatMap(({ partitions }) =>
    partitions.map(({ startOffset, lag }): [bigint, bigint] => [startOffset, lag]),
  )
}

test('who joins is assigned partitions at once, and shares them with who joins later', async () => {
  const { broker, client } = await start()
  await using _ = broker
  const topicId = await broker.createTopic('t', { partitions: 2 })
  const one = await beat(client, 'one')
  assert.deepEqual([one.errorCode, one.memberEpoch, one.heartbeatIntervalMs], [ErrorCode.NONE, 2, 5000])
  assert.deepEqual(one.assignment?.topicPartitions, [{ topicId, partitions: [0, 1] }])
  const two = await beat(client, 'two')
  assert.equal(two.memberEpoch, 3)
  const again = await beat(client, 'one', { epoch: 2, topics: null })
  assert.deepEqual(
    [...assigned(two)!, ...assigned(again)!].flat().toSorted((left, right) => left - right),
    [0, 1],
  )
  assert.equal(assigned(await beat(client, 'one', { epoch: 3, topics: null })), null)

  const { groups } = await client.ask(ShareGroupDescribe, 1, {
    groupIds: ['g', 'none'],
    includeAuthorizedOperations: false,
  })
  assert.deepEqual(
    groups.map(({ errorCode, groupState, groupEpoch, assignmentEpoch, assignorName, members }) => ({
      errorCode,
      groupState,
      groupEpoch,
      assignmentEpoch,
      assignorName,
      members: members.map(({ memberId, subscribedTopicNames }) => [memberId, subscribedTopicNames.join()]),
    })),
    [
      {
        errorCode: ErrorCode.NONE,
        groupState: 'Stable',
        groupEpoch: 3,
        assignmentEpoch: 3,
        assignorName: 'simple',
        members: [
          ['one', 't'],
          ['two', 't'],
        ],
      },
      {
        errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
        groupState: '',
        groupEpoch: 0,
        assignmentEpoch: 0,
        assignorName: '',
        members: [],
      },
    ],
  )
  const listed = await client.ask(ListGroups, 5, { statesFilter: [], typesFilter: ['share'] })
  assert.deepEqual(listed.groups, [{ groupId: 'g', protocolType: 'share', groupState: 'Stable', groupType: 'share' }])
})

test('epochs that do not fit are fenced, and who leaves makes room', async () => {
  const { broker, client } = await start({ configs: { 'group.share.max.size': 1 } })
  await using _ = broker
  await broker.createTopic('t')
  const wrong = async (member: string, options: Beat): Promise<number> =>
    (await beat(client, member, options)).errorCode
  assert.equal(await wrong('one', { topics: [] }), ErrorCode.INVALID_REQUEST)
  assert.equal(await wrong('', {}), ErrorCode.INVALID_REQUEST)
  assert.equal(await wrong('x'.repeat(37), {}), ErrorCode.INVALID_REQUEST)
  assert.equal(await wrong('one', { epoch: -2 }), ErrorCode.INVALID_REQUEST)
  assert.equal(await wrong('one', { group: '' }), ErrorCode.INVALID_REQUEST)
  assert.equal(await wrong('one', { epoch: 1 }), ErrorCode.GROUP_ID_NOT_FOUND)
  assert.equal((await beat(client, 'one')).memberEpoch, 2)
  assert.equal(await wrong('one', { epoch: 3 }), ErrorCode.FENCED_MEMBER_EPOCH)
  assert.equal(await wrong('one', { epoch: 1 }), ErrorCode.FENCED_MEMBER_EPOCH)
  assert.equal(await wrong('two', {}), ErrorCode.GROUP_MAX_SIZE_REACHED)
  const left = await beat(client, 'one', { epoch: -1, topics: null })
  assert.deepEqual([left.errorCode, left.memberEpoch], [ErrorCode.NONE, -1])
  assert.equal(await wrong('one', { epoch: 2, topics: null }), ErrorCode.UNKNOWN_MEMBER_ID)
  assert.equal((await beat(client, 'two')).errorCode, ErrorCode.NONE)
})

test('members read what they are assigned; the lag counts what is not done with', async () => {
  const { broker, client } = await start()
  await using _ = broker
  const topicId = await broker.createTopic('t')
  await beat(client, 'one')
  const member = new ShareMember(await broker.connect(), { groupId: 'g', memberId: 'one', topicId })
  await member.fetch()
  assert.deepEqual(await offsets(client), [[-1n, -1n]])
  await produce(client, ['a', 'b', 'c'])
  assert.deepEqual(acquiredIn(await member.fetch({ maxWaitMs: 20_000 })), ['0:0-2×1'])
  assert.deepEqual(await member.acknowledge(['0-2:1,2,1']), [ErrorCode.NONE, ErrorCode.NONE])
  // The last one is done with, too.
  assert.deepEqual(await offsets(client), [[0n, 1n]])
})

test('offsets are altered and deleted while nobody is in the group, and go with it', async () => {
  const { broker, client } = await start()
  await using _ = broker
  const topicId = await broker.createTopic('t', { partitions: 2 })
  await produce(client, ['a', 'b', 'c'])
  const alter = async (group: string, partitions: [number, bigint][], topicName = 't') => {
    const { errorCode, responses } = await client.ask(AlterShareGroupOffsets, 0, {
      groupId: group,
      topics: [
        { topicName, partitions: partitions.map(([partitionIndex, startOffset]) => ({ partitionIndex, startOffset })) },
      ],
    })
    return [errorCode, ...responses.flatMap((topic) => topic.partitions.map((one) => one.errorCode))]
  }
  const { NONE, NON_EMPTY_GROUP, UNKNOWN_TOPIC_OR_PARTITION, GROUP_ID_NOT_FOUND } = ErrorCode
  assert.deepEqual(
    await alter('g', [
      [0, 1n],
      [7, 0n],
    ]),
    [NONE, NONE, UNKNOWN_TOPIC_OR_PARTITION],
  )
  assert.deepEqual(await alter('g', [[0, 1n]], 'none'), [NONE, UNKNOWN_TOPIC_OR_PARTITION])
  assert.deepEqual(await offsets(client), [[1n, 2n]])
  await beat(client, 'one')
  assert.deepEqual(await alter('g', [[0, 0n]]), [NON_EMPTY_GROUP])
  const member = new ShareMember(await broker.connect(), { groupId: 'g', memberId: 'one', topicId })
  assert.deepEqual(acquiredIn(await member.fetch({ maxWaitMs: 20_000 })), ['0:1-2×1'])

  const remove = async (group: string, topicName: string) => {
    const { errorCode, responses } = await client.ask(DeleteShareGroupOffsets, 0, {
      groupId: group,
      topics: [{ topicName }],
    })
    return [errorCode, ...responses.map((topic) => topic.errorCode)]
  }
  const removeGroup = async (group: string) =>
    (await client.ask(DeleteGroups, 2, { groupsNames: [group] })).results[0]!.errorCode
  assert.deepEqual(await remove('g', 't'), [NON_EMPTY_GROUP])
  assert.deepEqual(await remove('none', 't'), [GROUP_ID_NOT_FOUND])
  assert.equal(await removeGroup('g'), NON_EMPTY_GROUP)
  member.close()
  await beat(client, 'one', { epoch: -1, topics: null })
  assert.deepEqual(await remove('g', 'none'), [NONE, UNKNOWN_TOPIC_OR_PARTITION])
  assert.deepEqual(await remove('g', 't'), [NONE, NONE])
  assert.deepEqual(await remove('g', 't'), [NONE, UNKNOWN_TOPIC_OR_PARTITION])
  assert.deepEqual(await offsets(client), [])
  assert.deepEqual(await alter('g', [[0, 2n]]), [NONE, NONE])
  assert.equal(await removeGroup('g'), NONE)
  assert.equal(await removeGroup('g'), GROUP_ID_NOT_FOUND)
  assert.deepEqual(await offsets(client), [])
})

test('a group forgets topics that are deleted, and finds those that are created', async () => {
  const { broker, client } = await start()
  await using _ = broker
  await broker.createTopic('t')
  let epoch = (await beat(client, 'one')).memberEpoch
  assert.deepEqual(await offsets(client), [[-1n, -1n]])
  const { responses } = await client.ask(DeleteTopics, 6, {
    topics: [{ name: 't', topicId: ZERO_UUID }],
    timeoutMs: 5000,
  })
  assert.equal(responses[0]!.errorCode, ErrorCode.NONE)
  await until(async () => (await offsets(client)).length === 0)
  const topicId = await broker.createTopic('t', { partitions: 2 })
  let told: HeartbeatAnswer['assignment'] = null
  await until(async () => {
    const answer = await beat(client, 'one', { epoch, topics: null })
    assert.equal(answer.errorCode, ErrorCode.NONE)
    epoch = answer.memberEpoch
    told = answer.assignment ?? told
    return told?.topicPartitions[0]?.topicId === topicId
  })
  assert.deepEqual(told, { topicPartitions: [{ topicId, partitions: [0, 1] }] })
})

test('with the feature off, share groups cannot be asked about', async () => {
  const { broker, client } = await start({ featureLevels: { 'share.version': 0 } })
  await using _ = broker
  const { UNSUPPORTED_VERSION } = ErrorCode
  assert.equal((await beat(client, 'one')).errorCode, UNSUPPORTED_VERSION)
  const groups = [{ groupId: 'g', topics: null }]
  assert.equal((await client.ask(DescribeShareGroupOffsets, 1, { groups })).groups[0]!.errorCode, UNSUPPORTED_VERSION)
  assert.equal(
    (await client.ask(ShareGroupDescribe, 1, { groupIds: ['g'], includeAuthorizedOperations: false })).groups[0]!
      .errorCode,
    UNSUPPORTED_VERSION,
  )
  const change = { groupId: 'g', topics: [] }
  assert.equal((await client.ask(AlterShareGroupOffsets, 0, change)).errorCode, UNSUPPORTED_VERSION)
  assert.equal((await client.ask(DeleteShareGroupOffsets, 0, change)).errorCode, UNSUPPORTED_VERSION)
})

test('members, epochs and offsets outlive the broker', async () => {
  const real = nodeRuntime()
  const runtime = { ...real, disk: new MemoryDisk({ now: () => real.clock.now() }) }
  await using tree = await EmbeddedTree.open({ clock: runtime.clock })
  let topicId: string
  {
    const { broker, client } = await start({ runtime, tree })
    await using _ = broker
    topicId = await broker.createTopic('t')
    assert.equal((await beat(client, 'one')).memberEpoch, 2)
    const member = new ShareMember(await broker.connect(), { groupId: 'g', memberId: 'one', topicId })
    await member.fetch()
    await produce(client, ['a', 'b', 'c', 'd'])
    assert.deepEqual(acquiredIn(await member.fetch({ maxWaitMs: 20_000 })), ['0:0-3×1'])
    assert.deepEqual(await member.acknowledge(['0-1:1,2']), [ErrorCode.NONE, ErrorCode.NONE])
  }
  const broker = await TestBroker.start({ runtime, tree, configs: oneOfEach })
  await using _ = broker
  const client = await broker.connect()
  await until(async () => {
    const { errorCode, memberEpoch } = await beat(client, 'one', { epoch: 2, topics: null })
    return errorCode === ErrorCode.NONE && memberEpoch === 2
  })
  await until(async () => (await offsets(client))[0]?.[0] === 0n)
  const member = new ShareMember(await broker.connect(), { groupId: 'g', memberId: 'one', topicId })
  // What was released has been delivered once; of what was never acknowledged nothing is known.
  assert.deepEqual(acquiredIn(await member.fetch({ maxWaitMs: 20_000 })), ['0:1-1×2', '0:2-3×1'])
})
