/** The handlers that answer from the metadata and the controller, called as the pipeline does, on a cluster of up to three brokers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import { ErrorCode, errorName, ZERO_UUID } from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import type { Logger } from '@millrace/runtime'
import { BrokerConfig } from '../config/broker-config.ts'
import type { PropertyInput } from '../config/properties.ts'
import type { Controller } from '../controller/controller.ts'
import { newTopic, newTree, NOW, runtime, startController } from '../controller/testing/controller-under-test.ts'
import { SUPPORTED_FEATURES } from '../metadata/features.ts'
import type { BrokerImage, EndpointImage, PartitionImage, TopicImage } from '../metadata/image.ts'
import { MetadataCache } from '../metadata/metadata-cache.ts'
import type { RequestContext } from '../server/request-context.ts'
import { createPartitions } from './create-partitions.ts'
import { createTopics } from './create-topics.ts'
import { deleteTopics } from './delete-topics.ts'
import { describeCluster } from './describe-cluster.ts'
import { describeTopicPartitions } from './describe-topic-partitions.ts'
import { metadata } from './metadata.ts'

interface World {
  readonly metadata: MetadataCache
  readonly controller?: Controller
  readonly configs?: Readonly<Record<string, PropertyInput>>
  readonly logger?: Logger
}

/** What the handlers look at of a context. Clients reach a broker where it says, on the listener PLAINTEXT. */
function contextOf(world: World, version: number): RequestContext {
  const broker = {
    metadata: world.metadata,
    controller: world.controller,
    config: BrokerConfig.of({ 'log.dirs': '/none', ...world.configs }),
    clusterId: world.metadata.image.clusterId,
    clock: runtime.clock,
    logger: world.logger ?? silentLogger,
  }
  return {
    version,
    broker,
    endpointOf: (one: BrokerImage) => one.endpoints.get('PLAINTEXT') ?? null,
  } as unknown as RequestContext
}

const PLAINTEXT: readonly [string, EndpointImage] = [
  'PLAINTEXT',
  { host: 'h', port: 9092, securityProtocol: 'PLAINTEXT' },
]
const OTHER: readonly [string, EndpointImage] = ['OTHER', { host: 'h', port: 9093, securityProtocol: 'PLAINTEXT' }]

function broker(id: number, endpoints = [PLAINTEXT], fenced = false): BrokerImage {
  return {
    id,
    epoch: 1n,
    rack: id === 2 ? 'r' : null,
    endpoints: new Map(endpoints),
    fenced,
    features: SUPPORTED_FEATURES,
  }
}

function partition(leader: number, replicas: number[], isr = replicas): PartitionImage {
  const rest = { addingReplicas: [], removingReplicas: [], leaderRecovering: false }
  return { leader, leaderEpoch: 3, partitionEpoch: 4, replicas, isr, ...rest }
}

function topic(name: string, ...partitions: PartitionImage[]): TopicImage {
  return { name, id: `id-of-${name}`.padEnd(22, '-'), partitions }
}

function cacheWith(brokers: readonly BrokerImage[], topics: readonly TopicImage[], controllerId = 1): MetadataCache {
  const cache = new MetadataCache(runtime.clock)
  cache.apply({
    clusterId: 'cluster',
    controllerId,
    brokers: new Map(brokers.map((one) => [one.id, one])),
    topics: new Map(topics.map((one) => [one.name, one])),
  })
  return cache
}

const byName = (...names: (string | null)[]) => names.map((name) => ({ name, topicId: ZERO_UUID }))

async function askMetadata(
  world: World,
  version: number,
  request: Partial<Parameters<typeof metadata.handle>[0]> = {},
) {
  const answer = await metadata.handle(
    {
      topics: null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
      ...request,
    },
    contextOf(world, version),
  )
  assert.ok(answer !== null)
  return answer
}

const codes = (topics: readonly { readonly name?: string | null; readonly errorCode: number }[]): [unknown, string][] =>
  topics
    .map(({ name, errorCode }): [unknown, string] => [name, errorName(errorCode)])
    .toSorted((a, b) => (String(a) < String(b) ? -1 : 1))

test('Metadata names usable brokers at the address of the client, the controller and the cluster', async () => {
  const brokers = [broker(1), broker(2), broker(3, [OTHER]), broker(4, [PLAINTEXT], true)]
  const world = { metadata: cacheWith(brokers, []) }
  const answer = await askMetadata(world, 12)
  assert.deepEqual(answer.brokers, [
    { nodeId: 1, host: 'h', port: 9092, rack: null },
    { nodeId: 2, host: 'h', port: 9092, rack: 'r' },
  ])
  assert.deepEqual([answer.controllerId, answer.clusterId, answer.errorCode], [1, 'cluster', 0])
  assert.equal((await askMetadata({ metadata: cacheWith(brokers, [], 3) }, 12)).controllerId, -1)
})

test('Metadata: null asks for all topics and an empty list for none, but for all in version 0', async () => {
  const world = { metadata: cacheWith([broker(1)], [topic('a', partition(1, [1])), topic('b', partition(1, [1]))]) }
  assert.equal((await askMetadata(world, 1)).topics.length, 2)
  assert.equal((await askMetadata(world, 1, { topics: [] })).topics.length, 0)
  assert.equal((await askMetadata(world, 0, { topics: [] })).topics.length, 2)
})

test('Metadata by name: each once, missing and impossible ones with their error, internal ones marked', async () => {
  const world = {
    metadata: cacheWith([broker(1)], [topic('a', partition(1, [1])), topic('__consumer_offsets', partition(1, [1]))]),
  }
  const { topics } = await askMetadata(world, 12, { topics: byName('a', 'a', 'absent', 'b c', '__consumer_offsets') })
  assert.deepEqual(codes(topics), [
    ['__consumer_offsets', 'NONE'],
    ['a', 'NONE'],
    ['absent', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['b c', 'INVALID_TOPIC_EXCEPTION'],
  ])
  assert.deepEqual(
    topics.filter(({ isInternal }) => isInternal).map(({ name }) => name),
    ['__consumer_offsets'],
  )
})

test('Metadata by id: ids alone count when there is one, an unknown one has an error and no name', async () => {
  const a = topic('a', partition(1, [1]))
  const world = { metadata: cacheWith([broker(1)], [a, topic('b', partition(1, [1]))]) }
  const asked = [{ name: null, topicId: a.id }, { name: null, topicId: 'unknown---------------' }, ...byName('b')]
  const { topics } = await askMetadata(world, 12, { topics: asked })
  assert.deepEqual(
    topics.map(({ name, topicId, errorCode }) => [name, topicId, errorName(errorCode)]),
    [
      ['a', a.id, 'NONE'],
      [null, 'unknown---------------', 'UNKNOWN_TOPIC_ID'],
    ],
  )
})

test('Metadata before version 12 refuses ids and topics without a name', async () => {
  const world = { metadata: cacheWith([broker(1)], []) }
  for (const topics of [byName(null, 'a'), [{ name: 'a', topicId: 'x'.repeat(22) }]]) {
    const answer = await askMetadata(world, 11, { topics })
    assert.ok(answer.topics.every(({ errorCode, name }) => errorCode === ErrorCode.INVALID_REQUEST && name !== null))
    assert.equal(answer.topics.length, topics.length)
    assert.equal(answer.errorCode, ErrorCode.INVALID_REQUEST)
  }
})

test('Metadata: a leader that is gone, and one that lacks the listener', async () => {
  const brokers = [broker(1), broker(3, [OTHER])]
  const world = {
    metadata: cacheWith(brokers, [
      topic('t', partition(-1, [1]), partition(2, [2, 1]), partition(3, [3, 1]), partition(1, [1])),
    ]),
  }
  const describe = async (version: number): Promise<unknown> =>
    (await askMetadata(world, version)).topics[0]?.partitions.map(({ errorCode, leaderId }) => [
      errorName(errorCode),
      leaderId,
    ])
  const gone = ['LEADER_NOT_AVAILABLE', -1]
  assert.deepEqual(await describe(6), [gone, gone, ['LISTENER_NOT_FOUND', -1], ['NONE', 1]])
  assert.deepEqual(await describe(5), [gone, gone, gone, ['NONE', 1]])
})

test('Metadata: version 0 leaves out replicas that cannot be reached, later versions name all and the offline ones', async () => {
  const brokers = [broker(1), broker(2), broker(3, [OTHER]), broker(4, [PLAINTEXT], true)]
  const world = {
    metadata: cacheWith(brokers, [topic('t', partition(1, [1, 2, 3, 4, 5], [1, 2, 3]), partition(1, [1, 2]))]),
  }
  const old = (await askMetadata(world, 0)).topics[0]?.partitions
  assert.deepEqual(
    old?.map(({ errorCode, replicaNodes, isrNodes }) => [errorName(errorCode), replicaNodes, isrNodes]),
    [
      ['REPLICA_NOT_AVAILABLE', [1, 2], [1, 2]],
      ['NONE', [1, 2], [1, 2]],
    ],
  )
  const now = (await askMetadata(world, 9)).topics[0]?.partitions
  assert.deepEqual(
    now?.map(({ errorCode, replicaNodes, isrNodes, offlineReplicas, leaderEpoch }) => [
      errorName(errorCode),
      replicaNodes,
      isrNodes,
      offlineReplicas,
      leaderEpoch,
    ]),
    [
      ['NONE', [1, 2, 3, 4, 5], [1, 2, 3], [3, 4, 5], 3],
      ['NONE', [1, 2], [1, 2], [], 3],
    ],
  )
})

test('Metadata says which operations are authorized only when asked', async () => {
  const world = { metadata: cacheWith([broker(1)], [topic('t', partition(1, [1]))]) }
  const silent = await askMetadata(world, 10)
  assert.deepEqual(
    [silent.clusterAuthorizedOperations, silent.topics[0]?.topicAuthorizedOperations],
    [-2147483648, -2147483648],
  )
  const asked = await askMetadata(world, 10, {
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true,
  })
  assert.deepEqual([asked.clusterAuthorizedOperations, asked.topics[0]?.topicAuthorizedOperations], [0x1fa0, 0x0df8])
})

test('Metadata creates missing topics when request and broker allow, and answers with them', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const world: World = under
  const ask = (request: object, configs = {}) => askMetadata({ ...world, configs }, 9, { ...request })
  assert.deepEqual(codes((await ask({ topics: byName('a') })).topics), [['a', 'UNKNOWN_TOPIC_OR_PARTITION']])
  const off = await ask({ topics: byName('a'), allowAutoTopicCreation: true }, { 'auto.create.topics.enable': 'false' })
  assert.deepEqual(codes(off.topics), [['a', 'UNKNOWN_TOPIC_OR_PARTITION']])
  assert.equal((await ask({ topics: null, allowAutoTopicCreation: true })).topics.length, 0)
  const on = await ask({ topics: byName('a', 'b c'), allowAutoTopicCreation: true })
  assert.deepEqual(codes(on.topics), [
    ['a', 'NONE'],
    ['b c', 'INVALID_TOPIC_EXCEPTION'],
  ])
  assert.equal(on.topics.find(({ name }) => name === 'a')?.partitions.length, 2)
  // Two clients at once: the second waits for what the first has begun.
  const both = await Promise.all([1, 2].map(() => ask({ topics: byName('new'), allowAutoTopicCreation: true })))
  for (const { topics } of both) assert.deepEqual(codes(topics), [['new', 'NONE']])
})

test('Metadata: a topic that cannot be created is just missing, with a line in the log', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const lines: string[] = []
  const logger: Logger = { ...silentLogger, warn: (message) => lines.push(message) }
  const configs = { 'offsets.topic.replication.factor': 3 }
  const { topics } = await askMetadata({ ...under, logger, configs }, 9, {
    topics: byName('__consumer_offsets'),
    allowAutoTopicCreation: true,
  })
  assert.deepEqual(codes(topics), [['__consumer_offsets', 'UNKNOWN_TOPIC_OR_PARTITION']])
  assert.match(lines.join(), /__consumer_offsets could not be created automatically: .*replication factor of 3/)
})

test('a broker that is not the controller says so to every topic, and creates nothing automatically', async () => {
  await using tree = await newTree()
  await using _first = await startController(tree, { nodeId: 1 })
  await using second = await startController(tree, { nodeId: 2 })
  const context = contextOf(second, 5)
  const created = await createTopics.handle({ topics: [newTopic('a') as never], ...NOW }, context)
  assert.deepEqual(codes(created?.topics ?? []), [['a', 'NOT_CONTROLLER']])
  const extended = await createPartitions.handle(
    { topics: [{ name: 'a', count: 2, assignments: null }], ...NOW },
    context,
  )
  assert.deepEqual(codes(extended?.results ?? []), [['a', 'NOT_CONTROLLER']])
  const deleted = await deleteTopics.handle({ topics: [], topicNames: ['a'], timeoutMs: 1000 }, context)
  assert.deepEqual(codes(deleted?.responses ?? []), [['a', 'NOT_CONTROLLER']])
  const { topics } = await askMetadata(second, 9, { topics: byName('a'), allowAutoTopicCreation: true })
  assert.deepEqual(codes(topics), [['a', 'UNKNOWN_TOPIC_OR_PARTITION']])
})

test('CreateTopics answers with the effective configuration from version 5', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const topics = [
    newTopic('a', { configs: [{ name: 'retention.ms', value: '7' }] }),
    newTopic('b'),
    newTopic('c d'),
  ] as never[]
  const answer = await createTopics.handle({ topics, ...NOW }, contextOf(under, 7))
  const [a, b, c] = answer?.topics ?? []
  const find = (one: typeof a, name: string) => one?.configs?.find((config) => config.name === name)
  assert.deepEqual(find(a, 'retention.ms'), {
    name: 'retention.ms',
    value: '7',
    readOnly: false,
    configSource: 1,
    isSensitive: false,
  })
  assert.deepEqual(find(b, 'retention.ms'), {
    name: 'retention.ms',
    value: '604800000',
    readOnly: false,
    configSource: 5,
    isSensitive: false,
  })
  assert.deepEqual(
    [a?.numPartitions, a?.replicationFactor, a?.topicId],
    [2, 1, under.metadata.image.topics.get('a')?.id],
  )
  assert.deepEqual([c?.errorCode, c?.configs], [ErrorCode.INVALID_TOPIC_EXCEPTION, []])
  const old = await createTopics.handle({ topics: [newTopic('e') as never], ...NOW }, contextOf(under, 4))
  assert.deepEqual(old?.topics[0]?.configs, [])
})

test('DeleteTopics with deletion disabled is told so in the words of the version', async () => {
  const world = { metadata: cacheWith([broker(1)], []), configs: { 'delete.topic.enable': 'false' } }
  const ask = async (version: number): Promise<unknown> => {
    const request = { topicNames: version < 6 ? ['a'] : [], topics: version < 6 ? [] : byName('a'), timeoutMs: 1000 }
    return codes((await deleteTopics.handle(request, contextOf(world, version)))?.responses ?? [])
  }
  assert.deepEqual(await ask(2), [['a', 'INVALID_REQUEST']])
  assert.deepEqual(await ask(3), [['a', 'TOPIC_DELETION_DISABLED']])
  assert.deepEqual(await ask(6), [['a', 'TOPIC_DELETION_DISABLED']])
})

test('DescribeCluster: brokers, fenced ones when asked, and only of this kind of endpoint', async () => {
  const world = { metadata: cacheWith([broker(1), broker(2, [PLAINTEXT], true), broker(3, [OTHER])], []) }
  const ask = async (version: number, endpointType = 1, includeFencedBrokers = false) => {
    const request = { includeClusterAuthorizedOperations: version === 2, endpointType, includeFencedBrokers }
    const answer = await describeCluster.handle(request, contextOf(world, version))
    assert.ok(answer !== null)
    return answer
  }
  const plain = await ask(1)
  assert.deepEqual(
    plain.brokers.map(({ brokerId }) => brokerId),
    [1],
  )
  assert.deepEqual(
    [plain.clusterId, plain.controllerId, plain.clusterAuthorizedOperations],
    ['cluster', 1, -2147483648],
  )
  const all = await ask(2, 1, true)
  assert.deepEqual(
    all.brokers.map(({ brokerId, isFenced }) => [brokerId, isFenced]),
    [
      [1, false],
      [2, true],
    ],
  )
  assert.equal(all.clusterAuthorizedOperations, 0x1fa0)
  assert.equal((await ask(1, 2)).errorCode, ErrorCode.MISMATCHED_ENDPOINT_TYPE)
  assert.equal((await ask(1, 9)).errorCode, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)
  assert.equal((await ask(0, 2)).errorCode, ErrorCode.INVALID_REQUEST)
})

type Cursor = { topicName: string; partitionIndex: number } | null

async function askPartitions(world: World, names: readonly string[], limit: number, cursor: Cursor = null) {
  const request = { topics: names.map((name) => ({ name })), responsePartitionLimit: limit, cursor }
  const answer = await describeTopicPartitions.handle(request, contextOf(world, 0))
  assert.ok(answer !== null)
  return {
    topics: answer.topics.map(({ name, errorCode, partitions }) => [
      name,
      errorName(errorCode),
      partitions.map(({ partitionIndex }) => partitionIndex).join(),
    ]),
    next: answer.nextCursor ?? null,
  }
}

test('DescribeTopicPartitions pages through all topics in the order of their names', async () => {
  const names = Array.from({ length: 30 }, (_, n) => `t${n}`)
  const topics = names.map((name, n) => topic(name, ...Array.from({ length: 1 + (n % 4) }, () => partition(1, [1]))))
  const world = { metadata: cacheWith([broker(1)], topics) }
  for (const limit of [1, 2, 3, 7, 100]) {
    const seen: string[] = []
    let cursor: Cursor = null
    do {
      const answer = await askPartitions(world, [], limit, cursor)
      const page = answer.topics.flatMap(([name, , list]) => (list ?? '').split(',').map((index) => `${name}-${index}`))
      assert.ok(page.length <= limit)
      seen.push(...page)
      cursor = answer.next
    } while (cursor !== null)
    const expected = topics
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ name, partitions }) => partitions.map((_, index) => `${name}-${index}`))
    assert.deepEqual(seen, expected, `limit ${limit}`)
  }
})

test('DescribeTopicPartitions: named topics, the missing ones with an error, and the limit of the broker', async () => {
  const many = topic('many', ...Array.from({ length: 5 }, () => partition(1, [1])))
  const world = {
    metadata: cacheWith([broker(1)], [many, topic('z', partition(1, [1]))]),
    configs: { 'max.request.partition.size.limit': '4' },
  }
  assert.deepEqual(await askPartitions(world, ['z', 'absent', 'b c', 'many', 'z'], 2000), {
    topics: [
      ['absent', 'UNKNOWN_TOPIC_OR_PARTITION', ''],
      ['b c', 'INVALID_TOPIC_EXCEPTION', ''],
      ['many', 'NONE', '0,1,2,3'],
    ],
    next: { topicName: 'many', partitionIndex: 4 },
  })
  assert.deepEqual(await askPartitions(world, ['z', 'many'], 2000, { topicName: 'many', partitionIndex: 4 }), {
    topics: [
      ['many', 'NONE', '4'],
      ['z', 'NONE', '0'],
    ],
    next: null,
  })
  assert.deepEqual((await askPartitions(world, ['z'], -5)).topics, [['z', 'NONE', '0']])
})

test('DescribeTopicPartitions refuses a cursor at a topic not asked for, and at a negative partition', async () => {
  const world = { metadata: cacheWith([broker(1)], [topic('a', partition(1, [1]))]) }
  assert.deepEqual((await askPartitions(world, ['a'], 10, { topicName: 'b', partitionIndex: 0 })).topics, [
    ['a', 'INVALID_REQUEST', ''],
  ])
  assert.deepEqual((await askPartitions(world, ['a'], 10, { topicName: 'a', partitionIndex: -1 })).topics, [
    ['a', 'INVALID_REQUEST', ''],
  ])
  // Its topic was deleted since: the page begins with the next one.
  assert.deepEqual((await askPartitions(world, [], 10, { topicName: 'Z', partitionIndex: 3 })).topics, [
    ['a', 'NONE', '0'],
  ])
})

test('a request with very many names leaves others their turns', async () => {
  await using tree = await EmbeddedTree.open({ clock: runtime.clock })
  await using under = await startController(tree)
  const topicNames = Array.from({ length: 30_000 }, (_, n) => `absent-${n}`)
  let turns = 0
  const others = setInterval(() => turns++, 1)
  const answer = await deleteTopics.handle({ topicNames, topics: [], timeoutMs: 30_000 }, contextOf(under, 5))
  clearInterval(others)
  assert.equal(answer?.responses.length, topicNames.length)
  assert.ok(turns >= 3, `${turns} turns`)
})
