/** The handlers of committed offsets, over the wire: what each version is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import {
  attributes,
  DeleteGroups,
  encodeRequestFrame,
  ErrorCode,
  Fetch,
  FindCoordinator,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  ZERO_UUID,
  type RequestInput,
} from '@millrace/protocol'
import { MemoryDisk, nodeRuntime } from '@millrace/runtime'
import { type RawClient, TestBroker } from '../testing/index.ts'

const unknownId = 'abcdefghijklmnopqrstuA'

interface Started extends AsyncDisposable {
  readonly broker: TestBroker
  readonly client: RawClient
  /** Of topic `t`, which has two partitions. */
  readonly topicId: string
}

async function started(): Promise<Started> {
  const broker = await TestBroker.start({ configs: { 'offsets.topic.num.partitions': 2 } })
  const topicId = await broker.createTopic('t', { partitions: 2 })
  const client = await broker.connect()
  await client.ask(FindCoordinator, 0, { key: 'group' })
  for (;;) {
    const { errorCode } = await client.ask(OffsetFetch, 5, { groupId: 'group', topics: [] })
    if (errorCode === ErrorCode.NONE) break
  }
  return {
    broker,
    client,
    topicId,
    [Symbol.asyncDispose]: async () => {
      client.close()
      await broker[Symbol.asyncDispose]()
    },
  }
}

type CommitTopic = RequestInput<typeof OffsetCommit>['topics'][number]

/** `topic-partition code` of each partition, in the order of the answer. */
async function commit(
  client: RawClient,
  version: number,
  topics: readonly (Omit<CommitTopic, 'partitions'> & { readonly partitions: readonly number[] })[],
  request: Partial<RequestInput<typeof OffsetCommit>> = {},
): Promise<string[]> {
  const answer = await client.ask(OffsetCommit, version, {
    groupId: 'group',
    memberId: '',
    ...request,
    topics: topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((partitionIndex) => ({
        partitionIndex,
        committedOffset: BigInt(10 + partitionIndex),
        committedMetadata: 'm',
      })),
    })),
  })
  return answer.topics.flatMap(({ name, topicId, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }) => `${name || topicId}-${partitionIndex} ${errorCode}`),
  )
}

test('OffsetCommit takes what exists and refuses the rest, each topic told once', async () => {
  await using all = await started()
  const { client, topicId } = all
  const { NONE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID } = ErrorCode
  for (let version = 0; version <= 9; version++)
    assert.deepEqual(
      await commit(client, version, [
        { name: 't', partitions: [0, 7, 1] },
        { name: 'none', partitions: [0] },
      ]),
      [`t-7 ${UNKNOWN_TOPIC_OR_PARTITION}`, `t-0 ${NONE}`, `t-1 ${NONE}`, `none-0 ${UNKNOWN_TOPIC_OR_PARTITION}`],
    )
  const byId = [
    { topicId, partitions: [0] },
    { topicId: unknownId, partitions: [0] },
    { topicId: ZERO_UUID, partitions: [1] },
  ]
  assert.deepEqual(await commit(client, 10, byId), [
    `${unknownId}-0 ${UNKNOWN_TOPIC_ID}`,
    `${ZERO_UUID}-1 ${UNKNOWN_TOPIC_ID}`,
    `${topicId}-0 ${NONE}`,
  ])
})

test('a commit that the group refuses is refused for each partition', async () => {
  await using all = await started()
  const { client } = all
  const topics = [{ name: 't', partitions: [0, 1] }]
  const strange = { groupId: 'none', generationIdOrMemberEpoch: 3, memberId: 'm' }
  assert.deepEqual(await commit(client, 8, topics, strange), [
    `t-0 ${ErrorCode.ILLEGAL_GENERATION}`,
    `t-1 ${ErrorCode.ILLEGAL_GENERATION}`,
  ])
  assert.deepEqual(await commit(client, 9, topics, strange), [
    `t-0 ${ErrorCode.GROUP_ID_NOT_FOUND}`,
    `t-1 ${ErrorCode.GROUP_ID_NOT_FOUND}`,
  ])
})

test('commits that are sent without waiting are answered in order, and the last one counts', async () => {
  await using all = await started()
  const { client } = all
  const offsets = Array.from({ length: 50 }, (_, index) => BigInt(index))
  for (const [correlationId, committedOffset] of offsets.entries()) {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const request = { groupId: 'group', memberId: '', topics: [{ name: 't', partitions }] }
    client.write(Buffer.concat(encodeRequestFrame(OffsetCommit, 7, correlationId, 'test', request)))
  }
  for (const correlationId of offsets.keys()) {
    const frame = await client.frame(5000)
    assert.ok(typeof frame !== 'string', `answer ${correlationId} did not come: ${String(frame)}`)
    assert.equal(frame.readInt32BE(0), correlationId)
  }
  const { topics } = await client.ask(OffsetFetch, 5, { groupId: 'group', topics: null })
  assert.equal(topics[0]!.partitions[0]!.committedOffset, offsets.at(-1))
})

test('OffsetFetch tells each version what it can take', async () => {
  await using all = await started()
  const { client, topicId } = all
  await commit(client, 9, [{ name: 't', partitions: [1] }])
  const wanted = [{ name: 't', partitionIndexes: [0, 1] }]
  for (let version = 1; version <= 7; version++) {
    const { topics, errorCode } = await client.ask(OffsetFetch, version, { groupId: 'group', topics: wanted })
    assert.deepEqual(
      topics[0]!.partitions.map(({ committedOffset, metadata, errorCode: code }) => [committedOffset, metadata, code]),
      [
        [-1n, '', ErrorCode.NONE],
        [11n, 'm', ErrorCode.NONE],
      ],
    )
    assert.equal(errorCode, ErrorCode.NONE)
  }
  for (let version = 2; version <= 7; version++) {
    const { topics } = await client.ask(OffsetFetch, version, { groupId: 'group', topics: null })
    assert.deepEqual(
      topics.map(({ name, partitions }) => [name, partitions.map(({ partitionIndex }) => partitionIndex)]),
      [['t', [1]]],
    )
  }
  const ask = {
    groups: [
      { groupId: 'group', topics: wanted },
      { groupId: 'none', topics: null },
    ],
    requireStable: true,
  }
  for (const version of [8, 9]) {
    const { groups } = await client.ask(OffsetFetch, version, ask)
    assert.deepEqual(
      groups.map(({ groupId, errorCode, topics }) => [groupId, errorCode, topics.length]),
      [
        ['group', ErrorCode.NONE, 1],
        ['none', ErrorCode.NONE, 0],
      ],
    )
  }
  const byId = [
    { topicId, partitionIndexes: [1] },
    { topicId: unknownId, partitionIndexes: [0] },
  ]
  const newest = await client.ask(OffsetFetch, 10, {
    groups: [
      { groupId: 'group', topics: byId },
      { groupId: 'group', topics: null },
    ],
  })
  assert.deepEqual(
    newest.groups.map(({ topics }) =>
      topics.map((topic) => [topic.topicId, topic.partitions[0]!.committedOffset, topic.partitions[0]!.errorCode]),
    ),
    [
      [
        [topicId, 11n, ErrorCode.NONE],
        [unknownId, -1n, ErrorCode.UNKNOWN_TOPIC_ID],
      ],
      [[topicId, 11n, ErrorCode.NONE]],
    ],
  )
})

test('OffsetFetch tells of a missing coordinator where the version has a place for it', async () => {
  await using broker = await TestBroker.start()
  const client = await broker.connect()
  const wanted = [{ name: 't', partitionIndexes: [3] }]
  const oldest = await client.ask(OffsetFetch, 1, { groupId: 'group', topics: wanted })
  assert.deepEqual(
    oldest.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
    [ErrorCode.NOT_COORDINATOR],
  )
  const older = await client.ask(OffsetFetch, 2, { groupId: 'group', topics: wanted })
  assert.deepEqual([older.errorCode, older.topics], [ErrorCode.NOT_COORDINATOR, []])
  const newer = await client.ask(OffsetFetch, 8, { groups: [{ groupId: 'group', topics: wanted }] })
  assert.equal(newer.groups[0]!.errorCode, ErrorCode.NOT_COORDINATOR)
  client.close()
})

test('OffsetDelete refuses what does not exist, and deletes the rest', async () => {
  await using all = await started()
  const { client } = all
  await commit(client, 9, [{ name: 't', partitions: [0, 1] }])
  const partitions = [{ partitionIndex: 0 }, { partitionIndex: 7 }]
  const { errorCode, topics } = await client.ask(OffsetDelete, 0, {
    groupId: 'group',
    topics: [
      { name: 't', partitions },
      { name: 'none', partitions },
    ],
  })
  assert.equal(errorCode, ErrorCode.NONE)
  assert.deepEqual(
    topics.map(({ name, partitions: answered }) => [name, answered.map((one) => [one.partitionIndex, one.errorCode])]),
    [
      [
        't',
        [
          [7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
          [0, ErrorCode.NONE],
        ],
      ],
      [
        'none',
        [
          [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
          [7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
        ],
      ],
    ],
  )
  const left = await client.ask(OffsetFetch, 5, { groupId: 'group', topics: null })
  assert.deepEqual(
    left.topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex),
    [1],
  )
  for (const [groupId, code] of [
    ['', ErrorCode.INVALID_GROUP_ID],
    ['none', ErrorCode.GROUP_ID_NOT_FOUND],
  ] as const)
    assert.equal((await client.ask(OffsetDelete, 0, { groupId, topics: [] })).errorCode, code)
})

test('more offsets than fit into a batch are deleted one by one, or with their group', async () => {
  await using broker = await TestBroker.start({
    configs: { 'offsets.topic.num.partitions': 1, 'message.max.bytes': 400 },
  })
  await broker.createTopic('t', { partitions: 40 })
  const client = await broker.connect()
  await client.ask(FindCoordinator, 0, { key: 'group' })
  for (let first = 0; first < 40; first += 4) {
    const partitions = [0, 1, 2, 3].map((next) => first + next)
    const outcome = await commit(client, 9, [{ name: 't', partitions }])
    if (outcome[0] !== `t-${first} ${ErrorCode.NONE}`) first -= 4
  }
  const left = async () => {
    const { topics } = await client.ask(OffsetFetch, 5, { groupId: 'group', topics: null })
    return topics.flatMap(({ partitions }) => partitions).length
  }
  assert.equal(await left(), 40)
  const partitions = Array.from({ length: 20 }, (_, partitionIndex) => ({ partitionIndex }))
  await client.ask(OffsetDelete, 0, { groupId: 'group', topics: [{ name: 't', partitions }] })
  assert.equal(await left(), 20)
  const { results } = await client.ask(DeleteGroups, 2, { groupsNames: ['group'] })
  assert.deepEqual([results[0]!.errorCode, await left()], [ErrorCode.NONE, 0])
  client.close()
})

for (const codec of [0, 1, 2, 3, 4])
  test(`offsets are there after the broker has started again, compressed by codec ${codec}`, async () => {
    const real = nodeRuntime()
    const runtime = { ...real, disk: new MemoryDisk({ now: () => real.clock.now() }) }
    await using tree = await EmbeddedTree.open({ clock: runtime.clock })
    const configs = { 'offsets.topic.num.partitions': 1, 'offsets.topic.compression.codec': codec }
    {
      await using broker = await TestBroker.start({ runtime, tree, configs })
      await broker.createTopic('t')
      const client = await broker.connect()
      await client.ask(FindCoordinator, 0, { key: 'group' })
      for (;;) {
        const [outcome] = await commit(client, 9, [{ name: 't', partitions: [0] }])
        if (outcome === `t-0 ${ErrorCode.NONE}`) break
      }
      assert.equal(await codecOfOffsets(client), codec)
      client.close()
    }
    await using broker = await TestBroker.start({ runtime, tree, configs })
    const client = await broker.connect()
    for (;;) {
      const { errorCode, topics } = await client.ask(OffsetFetch, 5, { groupId: 'group', topics: null })
      if (errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS || errorCode === ErrorCode.NOT_COORDINATOR) continue
      assert.equal(topics[0]!.partitions[0]!.committedOffset, 10n)
      break
    }
    client.close()
  })

/** Of the first batch. */
async function codecOfOffsets(client: RawClient): Promise<number> {
  const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 10_000 }]
  const { responses } = await client.ask(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 1,
    forgottenTopicsData: [],
    topics: [{ topic: '__consumer_offsets', partitions }],
  })
  return attributes(responses[0]!.partitions[0]!.records!, 0) & 7
}

test('clients from the time of ZooKeeper commit and fetch like consumers that are no members', async () => {
  await using all = await started()
  const { client } = all
  assert.deepEqual(await commit(client, 0, [{ name: 't', partitions: [1] }]), [`t-1 ${ErrorCode.NONE}`])
  for (const [version, whereNothingIs] of [
    [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [1, ErrorCode.NONE],
  ] as const) {
    const { topics } = await client.ask(OffsetFetch, version, {
      groupId: 'group',
      topics: [{ name: 't', partitionIndexes: [0, 1] }],
    })
    assert.deepEqual(
      topics[0]!.partitions.map(({ committedOffset, metadata, errorCode }) => [committedOffset, metadata, errorCode]),
      [
        [-1n, '', whereNothingIs],
        [11n, 'm', ErrorCode.NONE],
      ],
    )
  }
})
