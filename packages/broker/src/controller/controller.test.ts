import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNode, deleteNode, EmbeddedTree, setNode } from '@millrace/coordination'
import { CrashingStore } from '@millrace/coordination/testing'
import { ErrorCode, errorName, KafkaError, ZERO_UUID } from '@millrace/protocol'
import {
  newTopic,
  newTree,
  NOW,
  openController,
  registration,
  runtime,
  startController,
} from './testing/controller-under-test.ts'
import type { ControllerUnderTest } from './testing/controller-under-test.ts'
import type { NewPartitions, NewTopic } from './create-topics.ts'
import { decode, encode } from './znodes.ts'

const { clock } = runtime

async function refusal(under: ControllerUnderTest, topic: NewTopic): Promise<string> {
  const [created] = await under.controller.createTopics([topic], NOW)
  assert.ok(created !== undefined)
  return `${errorName(created.errorCode)}: ${created.errorMessage}`
}

async function partitionsRefusal(under: ControllerUnderTest, request: NewPartitions): Promise<string> {
  const [extended] = await under.controller.createPartitions([request], NOW)
  assert.ok(extended !== undefined)
  return `${errorName(extended.errorCode)}: ${extended.errorMessage}`
}

test('a created topic is in the metadata, and in the tree in the layout of Kafka', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const { controller, metadata } = under
  const [created] = await controller.createTopics(
    [newTopic('orders', { numPartitions: 3, replicationFactor: 1, configs: [{ name: 'retention.ms', value: '5' }] })],
    NOW,
  )
  const topic = metadata.image.topics.get('orders')
  assert.ok(topic !== undefined && created !== undefined)
  assert.deepEqual(created, {
    name: 'orders',
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    topicId: topic.id,
    numPartitions: 3,
    replicationFactor: 1,
    configs: new Map([['retention.ms', '5']]),
  })
  assert.equal(topic.partitions.length, 3)
  for (const partition of topic.partitions)
    assert.deepEqual(partition, {
      leader: 1,
      leaderEpoch: 0,
      partitionEpoch: 0,
      replicas: [1],
      isr: [1],
      addingReplicas: [],
      removingReplicas: [],
      leaderRecovering: false,
    })
  assert.deepEqual(metadata.image.configs('topics', 'orders'), new Map([['retention.ms', '5']]))

  const { session } = under.tree
  const read = async (path: string): Promise<unknown> => decode(path, (await session.get(path)).data)
  assert.deepEqual(await read('/brokers/topics/orders'), {
    version: 3,
    topic_id: topic.id,
    partitions: { 0: [1], 1: [1], 2: [1] },
    adding_replicas: {},
    removing_replicas: {},
  })
  assert.deepEqual(await read('/brokers/topics/orders/partitions/2/state'), {
    version: 1,
    leader: 1,
    leader_epoch: 0,
    controller_epoch: 1,
    isr: [1],
  })
  assert.deepEqual(await read('/config/topics/orders'), { version: 1, config: { 'retention.ms': '5' } })
  assert.deepEqual(await read('/cluster/id'), { version: '1', id: controller.clusterId })
  assert.equal(((await read('/controller')) as { brokerid: number }).brokerid, 1)
  assert.equal(Buffer.from((await session.get('/controller_epoch')).data).toString(), '1')
  const broker = metadata.image.brokers.get(1)
  assert.equal((await session.get('/brokers/ids/1')).stat.czxid, broker?.epoch)
})

test('names: what a topic may not be called', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  await under.controller.createTopics([newTopic('a.b')], NOW)
  const invalid = /^INVALID_TOPIC_EXCEPTION: Topic name is invalid: /
  for (const name of ['', '.', '..', 'a b', 'ä', 'a/b', 'x'.repeat(250)])
    assert.match(await refusal(under, newTopic(name)), invalid, JSON.stringify(name))
  assert.equal(await refusal(under, newTopic('x'.repeat(249))), 'NONE: null')
  assert.equal(await refusal(under, newTopic('a.b')), "TOPIC_ALREADY_EXISTS: Topic 'a.b' already exists.")
  assert.equal(
    await refusal(under, newTopic('a_b')),
    "INVALID_TOPIC_EXCEPTION: Topic 'a_b' collides with existing topic: a.b",
  )
  assert.match(await refusal(under, newTopic('__cluster_metadata')), /^INVALID_REQUEST: .* prohibited/)
  await under.controller.deleteTopics([{ name: 'a.b', topicId: ZERO_UUID }], NOW)
  assert.equal(await refusal(under, newTopic('a_b')), 'NONE: null')
})

test('counts: -1 is the default, other non-positive values are refused, so are more replicas than brokers', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  await under.controller.createTopics([newTopic('defaults')], NOW)
  assert.equal(under.metadata.image.topics.get('defaults')?.partitions.length, 2)
  for (const numPartitions of [0, -2])
    assert.match(await refusal(under, newTopic('t', { numPartitions })), /^INVALID_PARTITIONS: /)
  for (const replicationFactor of [0, -2])
    assert.match(
      await refusal(under, newTopic('t', { replicationFactor })),
      /^INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0/,
    )
  assert.equal(
    await refusal(under, newTopic('t', { replicationFactor: 2 })),
    'INVALID_REPLICATION_FACTOR: Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered.',
  )
})

test('a request for too many partitions is refused as a whole', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const results = await under.controller.createTopics(
    [newTopic('a', { numPartitions: 1 }), newTopic('b', { numPartitions: 10_000 })],
    NOW,
  )
  assert.deepEqual(
    results.map(({ errorCode }) => errorCode),
    [ErrorCode.POLICY_VIOLATION, ErrorCode.POLICY_VIOLATION],
  )
  assert.equal(under.metadata.image.topics.size, 0)
  await under.controller.createTopics([newTopic('a', { numPartitions: 1 })], NOW)
  assert.match(
    await partitionsRefusal(under, { name: 'a', count: 2_000_000_000, assignments: null }),
    /^POLICY_VIOLATION: /,
  )
})

test('assignments: every rule of a manual assignment', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  await using _second = await startController(tree, { nodeId: 2 })
  await under.metadata.waitFor(({ brokers }) => brokers.size === 2, 5000)
  const assigned = (...lists: number[][]): NewTopic =>
    newTopic('t', { assignments: lists.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })) })
  const wrong = 'INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes'
  assert.equal(await refusal(under, assigned([])), `${wrong} an empty replica list.`)
  assert.equal(await refusal(under, assigned([3])), `${wrong} broker 3, but no such broker is registered.`)
  assert.equal(await refusal(under, assigned([1, 1])), `${wrong} the broker 1 more than once.`)
  assert.match(
    await refusal(under, assigned([1, 2], [1])),
    /a partition with 1 replica\(s\), but .* have 2 replica\(s\)/,
  )
  assert.match(await refusal(under, { ...assigned([1]), numPartitions: 1 }), /^INVALID_REQUEST: .*numPartitions/)
  assert.match(
    await refusal(under, { ...assigned([1]), replicationFactor: 1 }),
    /^INVALID_REQUEST: .*replication factor/,
  )
  const twice = newTopic('t', {
    assignments: [
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 0, brokerIds: [1] },
    ],
  })
  assert.equal(
    await refusal(under, twice),
    'INVALID_REPLICA_ASSIGNMENT: Found multiple manual partition assignments for partition 0',
  )
  const gap = newTopic('t', { assignments: [{ partitionIndex: 1, brokerIds: [1] }] })
  assert.match(await refusal(under, gap), /^INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based/)
  assert.equal(await refusal(under, assigned([2, 1], [1, 2])), 'NONE: null')
  const partitions = under.metadata.image.topics.get('t')?.partitions ?? []
  assert.deepEqual(
    partitions.map(({ leader, replicas, isr }) => ({ leader, replicas, isr })),
    [
      { leader: 2, replicas: [2, 1], isr: [2, 1] },
      { leader: 1, replicas: [1, 2], isr: [1, 2] },
    ],
  )
})

test('configs: unknown ones and null values are refused', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const withConfig = (name: string, value: string | null): NewTopic => newTopic('t', { configs: [{ name, value }] })
  assert.equal(
    await refusal(under, withConfig('retention.ms', null)),
    'INVALID_CONFIG: Null value not supported for topic configs: retention.ms',
  )
  assert.equal(
    await refusal(under, withConfig('unknown.x', '1')),
    'INVALID_CONFIG: Unknown topic config name: unknown.x',
  )
})

test('a name given more than once in a request is refused once, the others are created', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const results = await under.controller.createTopics([newTopic('a'), newTopic('b'), newTopic('a'), newTopic('a')], NOW)
  assert.deepEqual(
    results.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]),
    [
      ['b', ErrorCode.NONE, null],
      ['a', ErrorCode.INVALID_REQUEST, 'Duplicate topic name.'],
    ],
  )
})

test('validating only changes nothing', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const { controller, metadata } = under
  const only = { validateOnly: true, timeoutMs: 1000 }
  const [created] = await controller.createTopics([newTopic('a', { numPartitions: 5 })], only)
  assert.deepEqual([created?.errorCode, created?.numPartitions, created?.topicId], [0, 5, ZERO_UUID])
  assert.equal(metadata.image.topics.size, 0)
  await controller.createTopics([newTopic('a')], NOW)
  const { version } = metadata.image
  assert.equal((await controller.createPartitions([{ name: 'a', count: 9, assignments: null }], only))[0]?.errorCode, 0)
  await controller.alterConfigs({ type: 'topics', name: 'a' }, () => new Map([['x', 'y']]), { validateOnly: true })
  assert.equal(metadata.image.version, version)
})

test('partitions: every rule of adding them', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  await under.controller.createTopics([newTopic('t')], NOW)
  const add = (count: number, assignments: number[][] | null = null): NewPartitions => ({
    name: 't',
    count,
    assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
  })
  assert.match(await partitionsRefusal(under, { ...add(3), name: 'absent' }), /^UNKNOWN_TOPIC_OR_PARTITION: /)
  assert.equal(await partitionsRefusal(under, add(2)), 'INVALID_PARTITIONS: Topic already has 2 partition(s).')
  assert.equal(
    await partitionsRefusal(under, add(1)),
    'INVALID_PARTITIONS: The topic t currently has 2 partition(s); 1 would not be an increase.',
  )
  assert.match(
    await partitionsRefusal(under, add(4, [[1]])),
    /^INVALID_REPLICA_ASSIGNMENT: Attempted to add 2 additional partition\(s\), but 1 assignment/,
  )
  assert.match(await partitionsRefusal(under, add(3, [[7]])), /^INVALID_REPLICA_ASSIGNMENT: .*broker 7/)
  assert.equal(await partitionsRefusal(under, add(5, [[1], [1], [1]])), 'NONE: null')
  assert.equal(under.metadata.image.topics.get('t')?.partitions.length, 5)
  const twice = await under.controller.createPartitions([add(6), add(7)], NOW)
  assert.deepEqual(
    twice.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
    [[ErrorCode.INVALID_REQUEST, 'Duplicate topic name.']],
  )
})

test('topics are deleted by name and by id, and their names are free at once', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const { controller, metadata } = under
  await controller.createTopics([newTopic('a', { configs: [{ name: 'x', value: '1' }] }), newTopic('b')], NOW)
  const ids = new Map([...metadata.image.topics.values()].map(({ name, id }) => [name, id]))
  const deleted = await controller.deleteTopics(
    [
      { name: 'a', topicId: ZERO_UUID },
      { name: null, topicId: ids.get('b') ?? '' },
    ],
    NOW,
  )
  assert.deepEqual(deleted, [
    { name: 'a', topicId: ids.get('a'), errorCode: 0, errorMessage: null },
    { name: 'b', topicId: ids.get('b'), errorCode: 0, errorMessage: null },
  ])
  assert.equal(metadata.image.topics.size, 0)
  assert.equal(metadata.image.configs('topics', 'a').size, 0)
  assert.deepEqual(await under.tree.session.children('/brokers/topics'), [])
  assert.deepEqual(await under.tree.session.children('/config/topics'), [])
  const [again] = await controller.createTopics([newTopic('a')], NOW)
  assert.equal(again?.errorCode, 0)
  assert.notEqual(again?.topicId, ids.get('a'))
})

test('deletion: every wrong way to name a topic', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const { controller, metadata } = under
  await controller.createTopics([newTopic('a'), newTopic('b')], NOW)
  const [a, b] = ['a', 'b'].map((name) => metadata.image.topics.get(name)?.id ?? '')
  const unknown = 'unknownunknownunknow'
  const answers = await controller.deleteTopics(
    [
      { name: null, topicId: ZERO_UUID },
      { name: 'a', topicId: a ?? '' },
      { name: 'absent', topicId: ZERO_UUID },
      { name: null, topicId: unknown },
      { name: 'twice', topicId: ZERO_UUID },
      { name: 'twice', topicId: ZERO_UUID },
      { name: 'b', topicId: ZERO_UUID },
      { name: null, topicId: b ?? '' },
    ],
    NOW,
  )
  assert.deepEqual(
    answers.map(({ name, topicId, errorCode }) => [name, topicId, errorName(errorCode)]),
    [
      [null, ZERO_UUID, 'INVALID_REQUEST'],
      ['a', a, 'INVALID_REQUEST'],
      ['absent', ZERO_UUID, 'UNKNOWN_TOPIC_OR_PARTITION'],
      [null, unknown, 'UNKNOWN_TOPIC_ID'],
      ['twice', ZERO_UUID, 'INVALID_REQUEST'],
      ['b', ZERO_UUID, 'INVALID_REQUEST'],
      [null, b, 'INVALID_REQUEST'],
    ],
  )
  assert.equal(metadata.image.topics.size, 2)
})

test('a configuration is replaced in one step, removed when empty, and belongs to something that exists', async () => {
  await using tree = await newTree()
  await using under = await startController(tree)
  const { controller, metadata } = under
  await controller.createTopics([newTopic('t')], NOW)
  const entity = { type: 'topics', name: 't' } as const
  const add = (name: string): Promise<void> =>
    controller.alterConfigs(entity, (current) => new Map([...current, [name, '1']]), { validateOnly: false })
  await Promise.all([add('a'), add('b'), add('c')])
  assert.deepEqual([...metadata.image.configs('topics', 't').keys()], ['a', 'b', 'c'])
  await controller.alterConfigs(entity, () => new Map(), { validateOnly: false })
  assert.equal(metadata.image.configs('topics', 't').size, 0)
  assert.equal(await under.tree.session.exists('/config/topics/t'), null)
  await controller.alterConfigs({ type: 'brokers', name: '' }, () => new Map([['k', 'v']]), { validateOnly: false })
  assert.notEqual(await under.tree.session.exists('/config/brokers/<default>'), null)
  await controller.alterConfigs({ type: 'groups', name: 'a/b c' }, () => new Map([['k', 'v']]), { validateOnly: false })
  assert.notEqual(await under.tree.session.exists('/config/groups/a%2Fb%20c'), null)
  const alter = (type: 'topics' | 'brokers', name: string): Promise<void> =>
    controller.alterConfigs({ type, name }, (current) => current, { validateOnly: false })
  await assert.rejects(alter('topics', 'absent'), { code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION })
  await assert.rejects(alter('brokers', '9'), { code: ErrorCode.BROKER_ID_NOT_REGISTERED })
  const refuse = (): never => {
    throw new KafkaError(ErrorCode.INVALID_CONFIG, 'no')
  }
  await assert.rejects(controller.alterConfigs(entity, refuse, { validateOnly: false }), {
    code: ErrorCode.INVALID_CONFIG,
  })
})

test('everything is there after a restart, with a new term for each partition that the broker leads', async () => {
  const store = new CrashingStore()
  let clusterId: string
  let before
  {
    await using tree = await EmbeddedTree.open({ clock, store })
    await using under = await startController(tree)
    clusterId = under.controller.clusterId
    await under.controller.createTopics([newTopic('t', { configs: [{ name: 'x', value: '1' }] })], NOW)
    await under.controller.alterConfigs({ type: 'groups', name: 'g/1' }, () => new Map([['k', 'v']]), {
      validateOnly: false,
    })
    before = under.metadata.image
  }
  await using tree = await EmbeddedTree.open({ clock, store })
  await using under = await openController(tree)
  assert.equal(under.controller.clusterId, clusterId)
  assert.equal(under.metadata.image.partition('t', 0)?.leader, -1, 'before it registers a broker leads nothing')
  await under.controller.register(registration(1))
  const { image } = under.metadata
  const topic = image.topics.get('t')
  assert.equal(topic?.id, before.topics.get('t')?.id)
  for (const partition of topic?.partitions ?? []) {
    assert.deepEqual(
      {
        leader: partition.leader,
        leaderEpoch: partition.leaderEpoch,
        partitionEpoch: partition.partitionEpoch,
        isr: partition.isr,
      },
      { leader: 1, leaderEpoch: 1, partitionEpoch: 1, isr: [1] },
    )
  }
  assert.deepEqual(image.configs('topics', 't'), new Map([['x', '1']]))
  assert.deepEqual(image.configs('groups', 'g/1'), new Map([['k', 'v']]))
  assert.ok((image.brokers.get(1)?.epoch ?? 0n) > (before.brokers.get(1)?.epoch ?? 0n))
})

test('a new cluster takes the id it is wished', async () => {
  await using tree = await newTree()
  await using under = await startController(tree, { wishedClusterId: 'abcdefghijklmnopqrstuv' })
  assert.equal(under.controller.clusterId, 'abcdefghijklmnopqrstuv')
  assert.equal(under.metadata.image.clusterId, 'abcdefghijklmnopqrstuv')
})

test('what a controller has left half done is completed by the next', async () => {
  await using tree = await newTree()
  {
    await using under = await startController(tree)
    await under.controller.createTopics([newTopic('whole'), newTopic('dying'), newTopic('old')], NOW)
    const { session } = under.tree
    await session.multi([
      // Assigned, but the states of its partitions are missing, of the second even the node above it.
      createNode(
        '/brokers/topics/begun',
        encode({ version: 3, topic_id: 'begunbegunbegunbegunbe', partitions: { 0: [1], 1: [1] } }),
      ),
      createNode('/brokers/topics/begun/partitions'),
      createNode('/brokers/topics/begun/partitions/0'),
      // Marked as deleted, and partly gone.
      createNode('/admin/delete_topics/dying'),
      createNode('/config/topics/dying', encode({ version: 1, config: { a: 'b' } })),
      deleteNode('/brokers/topics/dying/partitions/0/state'),
      // Marked, and gone altogether.
      createNode('/admin/delete_topics/gone'),
      // A configuration of nothing, and an empty one.
      createNode('/config/topics/absent', encode({ version: 1, config: { a: 'b' } })),
      createNode('/config/topics/whole', encode({ version: 1, config: {} })),
      // Written before there were topic ids.
      setNode('/brokers/topics/old', encode({ version: 1, partitions: { 0: [1], 1: [1] } })),
    ])
  }
  await using under = await startController(tree)
  const { image } = under.metadata
  assert.deepEqual([...image.topics.keys()].toSorted(), ['begun', 'old', 'whole'])
  assert.deepEqual(
    image.topics.get('begun')?.partitions.map(({ leader, leaderEpoch, isr }) => [leader, leaderEpoch, isr]),
    [
      [1, 0, [1]],
      [1, 0, [1]],
    ],
  )
  const { session } = under.tree
  assert.deepEqual(await session.children('/admin/delete_topics'), [])
  assert.deepEqual(await session.children('/config/topics'), [])
  assert.equal(decode('old', (await session.get('/brokers/topics/old')).data).topic_id, image.topics.get('old')?.id)
  // And the metadata can be worked with.
  await under.controller.alterConfigs({ type: 'topics', name: 'whole' }, () => new Map([['a', 'b']]), {
    validateOnly: false,
  })
  const [again] = await under.controller.createTopics(
    [newTopic('dying', { configs: [{ name: 'a', value: 'b' }] })],
    NOW,
  )
  assert.equal(again?.errorCode, 0)
})

test('a topic of many partitions is created, found again and deleted, in several transactions', async () => {
  const store = new CrashingStore()
  {
    await using tree = await EmbeddedTree.open({ clock, store, maxBatchOperations: 1 })
    await using under = await startController(tree)
    await under.controller.createTopics([newTopic('large', { numPartitions: 1500 })], NOW)
  }
  await using tree = await EmbeddedTree.open({ clock, store, maxBatchOperations: 1 })
  await using under = await startController(tree)
  assert.equal(under.metadata.image.topics.get('large')?.partitions.length, 1500)
  const { commits } = store
  await under.controller.deleteTopics([{ name: 'large', topicId: ZERO_UUID }], NOW)
  assert.ok(store.commits > commits + 1)
  assert.deepEqual(await under.tree.session.children('/brokers/topics'), [])
  assert.deepEqual(await under.tree.session.children('/admin/delete_topics'), [])
})

test('what is not durable within the time of the request is answered with REQUEST_TIMED_OUT and goes on', async () => {
  const store = new CrashingStore()
  await using tree = await EmbeddedTree.open({ clock, store })
  await using under = await startController(tree)
  store.isAutomatic = false
  const results = await under.controller.createTopics([newTopic('a'), newTopic('b c')], {
    validateOnly: false,
    timeoutMs: 1,
  })
  assert.deepEqual(
    results.map(({ errorCode }) => errorCode),
    [ErrorCode.REQUEST_TIMED_OUT, ErrorCode.INVALID_TOPIC_EXCEPTION],
  )
  assert.equal(under.metadata.image.topics.has('a'), false)
  store.isAutomatic = true
  store.finishCommit()
  assert.notEqual(await under.metadata.waitFor(({ topics }) => topics.has('a'), 5000), null)
})

test('producer ids are given out in blocks, never twice, also across restarts', async () => {
  const store = new CrashingStore()
  const starts: bigint[] = []
  for (let run = 0; run < 2; run++) {
    await using tree = await EmbeddedTree.open({ clock, store })
    await using under = await startController(tree)
    const ranges = await Promise.all([under.controller.allocateProducerIds(1), under.controller.allocateProducerIds(2)])
    for (const { start, length } of ranges) {
      assert.equal(length, 1000)
      starts.push(start)
    }
    assert.deepEqual(decode('block', (await under.tree.session.get('/latest_producer_id_block')).data), {
      version: 1,
      broker: 2,
      block_start: String(starts.at(-1)),
      block_end: String((starts.at(-1) ?? 0n) + 999n),
    })
  }
  assert.deepEqual(starts, [0n, 1000n, 2000n, 3000n])
})

test('producer ids run out instead of turning negative', async () => {
  await using tree = await newTree()
  {
    await using under = await startController(tree)
    const last = { version: 1, broker: 1, block_start: '0', block_end: '9223372036854775000' }
    await under.tree.session.multi([setNode('/latest_producer_id_block', encode(last))])
  }
  await using under = await startController(tree)
  await assert.rejects(under.controller.allocateProducerIds(1), /used up/)
})
