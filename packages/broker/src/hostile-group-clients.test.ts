/** What one client can ask of the coordinators: more than it has sent or the broker holds must not come of it, nor a standstill for others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ApiVersions,
  ConsumerGroupHeartbeat,
  DescribeGroups,
  DescribeProducers,
  DescribeTransactions,
  encodeRequestFrame,
  ErrorCode,
  FindCoordinator,
  InitProducerId,
  JoinGroup,
  LeaveGroup,
  ListOffsets,
  OffsetCommit,
  OffsetFetch,
  ShareGroupHeartbeat,
  type RequestInput,
  WriteTxnMarkers,
} from '@millrace/protocol'
import { TestBroker, type RawClient } from './testing/index.ts'

const oneCoordinator = {
  'offsets.topic.num.partitions': 1,
  'offsets.topic.replication.factor': 1,
  'transaction.state.log.num.partitions': 1,
  'transaction.state.log.replication.factor': 1,
}

async function findCoordinator(client: RawClient, keyType: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { coordinators } = await client.ask(FindCoordinator, 4, { keyType, coordinatorKeys: ['g'] })
    if (coordinators[0]!.errorCode === ErrorCode.NONE) return
  }
  throw new Error('there is no coordinator')
}

function commit(partitions: RequestInput<typeof OffsetCommit>['topics'][number]['partitions'], groupId = 'g') {
  return {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    topics: [{ name: 't', partitions }],
  }
}

const partitionZero = { partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: '' }

/** Asks until the coordinator is loaded. */
async function commitOne(client: RawClient, committedMetadata: string): Promise<void> {
  for (;;) {
    const { topics } = await client.ask(OffsetCommit, 9, commit([{ ...partitionZero, committedMetadata }]))
    const { errorCode } = topics[0]!.partitions[0]!
    if (errorCode === ErrorCode.NONE) return
    assert.ok([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS].includes(errorCode as never))
  }
}

test('who names a group, a partition, a producer or a transaction again and again is told once', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  await broker.createTopic('t')
  const client = await broker.connect()
  await findCoordinator(client, 0)
  const metadata = 'm'.repeat(4000)
  await commitOne(client, metadata)

  const groups = Array.from({ length: 20_000 }, () => 'g')
  assert.equal((await client.ask(DescribeGroups, 5, { groups })).groups.length, 1)

  const all = await client.ask(OffsetFetch, 8, { groups: groups.map((groupId) => ({ groupId, topics: null })) })
  assert.equal(all.groups.length, 1)
  const partitionIndexes = Array.from({ length: 10_000 }, () => 0)
  const topics = [
    { name: 't', partitionIndexes },
    { name: 't', partitionIndexes: [0, 1] },
  ]
  const named = await client.ask(OffsetFetch, 8, { groups: [{ groupId: 'g', topics }] })
  assert.deepEqual(
    named.groups[0]!.topics.map(({ partitions }) => partitions.map((one) => [one.partitionIndex, one.metadata])),
    [[[0, metadata]], [[1, '']]],
  )

  const producers = await client.ask(DescribeProducers, 0, {
    topics: [...topics, { name: 'u', partitionIndexes: [0] }],
  })
  assert.deepEqual(
    producers.topics.map(({ name, partitions }) => [name, partitions.map(({ partitionIndex }) => partitionIndex)]),
    [
      ['t', [0, 1]],
      ['u', [0]],
    ],
  )
  await findCoordinator(client, 1)
  const { transactionStates } = await client.ask(DescribeTransactions, 0, { transactionalIds: groups })
  assert.equal(transactionStates.length, 1)
  client.close()
})

test('a commit of more than fits into a batch is refused, and changes nothing', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  await broker.createTopic('t')
  const client = await broker.connect()
  await findCoordinator(client, 0)
  await commitOne(client, 'before')
  const many = Array.from({ length: 50_000 }, () => ({ ...partitionZero, committedMetadata: 'after' }))
  const { topics } = await client.ask(OffsetCommit, 9, commit(many))
  assert.ok(topics[0]!.partitions.every(({ errorCode }) => errorCode === ErrorCode.UNKNOWN_SERVER_ERROR))
  const { groups } = await client.ask(OffsetFetch, 8, { groups: [{ groupId: 'g', topics: null }] })
  assert.equal(groups[0]!.topics[0]!.partitions[0]!.metadata, 'before')
  client.close()
})

test('hundreds of thousands of partitions that do not exist are answered', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  await broker.createTopic('t')
  const client = await broker.connect()
  const missing = Array.from({ length: 200_000 }, (_, at) => ({ ...partitionZero, partitionIndex: at + 1 }))
  const request = commit(missing)
  const { topics } = await client.ask(OffsetCommit, 9, { ...request, topics: [...request.topics, ...request.topics] })
  assert.equal(topics[0]!.partitions.length, 400_000)
  client.close()
})

const tooLong = 'x'.repeat(20_000)

test('ids that are too long to be told apart quickly are refused where they would be remembered', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  await broker.createTopic('t')
  const client = await broker.connect()
  for (const keyType of [0, 1]) await findCoordinator(client, keyType)
  await commitOne(client, '')

  const committed = await client.ask(OffsetCommit, 9, commit([partitionZero], tooLong))
  assert.equal(committed.topics[0]!.partitions[0]!.errorCode, ErrorCode.INVALID_GROUP_ID)
  assert.equal((await client.ask(JoinGroup, 5, join({ groupId: tooLong }))).errorCode, ErrorCode.INVALID_GROUP_ID)
  assert.equal(
    (await client.ask(JoinGroup, 5, join({ groupInstanceId: tooLong }))).errorCode,
    ErrorCode.INVALID_REQUEST,
  )
  const identified = await client.ask(InitProducerId, 4, { transactionalId: tooLong, transactionTimeoutMs: 1000 })
  assert.equal(identified.errorCode, ErrorCode.INVALID_REQUEST)
  for (const ids of [{ groupId: tooLong }, { memberId: tooLong }, { instanceId: tooLong }]) {
    const heartbeat = { ...consumerHeartbeat, ...ids }
    assert.equal((await client.ask(ConsumerGroupHeartbeat, 1, heartbeat)).errorCode, ErrorCode.INVALID_REQUEST)
  }
  for (const ids of [{ groupId: tooLong }, { memberId: tooLong }]) {
    const heartbeat = { groupId: 's', memberId: 'm', memberEpoch: 0, subscribedTopicNames: ['t'], ...ids }
    assert.equal((await client.ask(ShareGroupHeartbeat, 1, heartbeat)).errorCode, ErrorCode.INVALID_REQUEST)
  }

  client.write(Buffer.concat(encodeRequestFrame(JoinGroup, 5, 7, tooLong, join({ groupId: 'named by its client' }))))
  const frame = await client.frame(10_000)
  assert.ok(typeof frame !== 'string' && frame.length < 5000, 'the member id holds the whole client id')
  client.close()
})

test('a member with protocols by the thousand is refused', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  const client = await broker.connect()
  await findCoordinator(client, 0)
  const protocols = Array.from({ length: 100_000 }, (_, at) => ({ name: `p${at}`, metadata: new Uint8Array(0) }))
  const large = [{ name: 'range', metadata: new Uint8Array(20_000_000) }]
  for (const many of [protocols, large]) {
    let answer = await client.ask(JoinGroup, 3, join({ protocols: many }))
    while (
      answer.errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ||
      answer.errorCode === ErrorCode.NOT_COORDINATOR
    )
      answer = await client.ask(JoinGroup, 3, join({ protocols: many }))
    assert.equal(answer.errorCode, ErrorCode.INVALID_REQUEST)
  }
  client.close()
})

const consumerHeartbeat = {
  groupId: 'k',
  memberId: 'm',
  memberEpoch: 0,
  rebalanceTimeoutMs: 1000,
  subscribedTopicNames: ['t'],
  topicPartitions: [],
}

function join(changes: Partial<RequestInput<typeof JoinGroup>>): RequestInput<typeof JoinGroup> {
  return {
    groupId: 'j',
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 60_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
    ...changes,
  }
}

test('a member that subscribes to a million names is refused', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  const client = await broker.connect()
  const subscribedTopicNames = Array.from({ length: 1_000_000 }, (_, at) => `n${at}`)
  const asConsumer = await client.ask(ConsumerGroupHeartbeat, 1, { ...consumerHeartbeat, subscribedTopicNames })
  const { groupId, memberId, memberEpoch } = consumerHeartbeat
  const heartbeat = { groupId, memberId, memberEpoch, subscribedTopicNames }
  const asShareConsumer = await client.ask(ShareGroupHeartbeat, 1, heartbeat)
  for (const { errorCode } of [asConsumer, asShareConsumer]) assert.equal(errorCode, ErrorCode.INVALID_REQUEST)
  client.close()
})

test('a partition gets one marker, however often it is named', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  await broker.createTopic('t')
  const client = await broker.connect()
  const partitionIndexes = Array.from({ length: 10_000 }, () => 0)
  const marker = { producerId: 5n, producerEpoch: 0, transactionResult: false, coordinatorEpoch: 0 }
  const { markers } = await client.ask(WriteTxnMarkers, 1, {
    markers: [{ ...marker, topics: [0, 1].map(() => ({ name: 't', partitionIndexes })) }],
  })
  assert.deepEqual(markers[0]!.topics[0]!.partitions, [{ partitionIndex: 0, errorCode: ErrorCode.NONE }])
  const { topics } = await client.ask(ListOffsets, 1, {
    replicaId: -1,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  })
  assert.equal(topics[0]!.partitions[0]!.offset, 1n)
  client.close()
})

test('a hundred thousand members that leave a group they are not in do not keep the others waiting', async () => {
  await using broker = await TestBroker.start({ configs: oneCoordinator })
  const client = await broker.connect()
  const other = await broker.connect()
  await findCoordinator(client, 0)
  await broker.createTopic('t')
  await commitOne(client, '')
  const members = Array.from({ length: 100_000 }, (_, at) => ({ memberId: `m${at}`, groupInstanceId: null }))
  const leaving = client.ask(LeaveGroup, 4, { groupId: 'g', members })
  let isDone = false
  let answered = 0
  const watch = (async () => {
    for (; !isDone; answered++) await other.ask(ApiVersions, 0, {})
  })()
  const answer = await leaving
  isDone = true
  await watch
  assert.deepEqual(
    answer.members.map(({ memberId }) => memberId),
    members.map(({ memberId }) => memberId),
  )
  assert.ok(answer.members.every(({ errorCode }) => errorCode === ErrorCode.UNKNOWN_MEMBER_ID))
  assert.ok(answered > 10, `only ${answered} requests of another client were served meanwhile`)
  for (const one of [client, other]) one.close()
})
