import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  ApiVersions,
  DescribeCluster,
  ErrorCode,
  FindCoordinator,
  KafkaError,
  Metadata,
  type ResponseInput,
} from '@millrace/protocol'
import { clientOptions } from '../config/client-options.ts'
import { ClientContexts } from '../client-context.ts'
import { answers, ScriptedBroker, type Script } from '../testing/scripted-broker.ts'
import { realWorld } from '../world.ts'
import type { Cluster } from './cluster.ts'

async function clusterOf(context: TestContext, scripts: readonly Script[], options: Record<string, unknown> = {}) {
  const broker = await ScriptedBroker.start(scripts)
  context.after(() => broker[Symbol.asyncDispose]())
  const { cluster } = new ClientContexts({ brokers: broker.address }, realWorld()).open(clientOptions, options, 'test')
  context.after(() => cluster[Symbol.asyncDispose]())
  return { broker, cluster }
}

const ask = { includeClusterAuthorizedOperations: false }
const describe = (cluster: Cluster) => cluster.send('any', DescribeCluster, ask)
const described: ResponseInput<typeof DescribeCluster> = {
  throttleTimeMs: 0,
  errorCode: 0,
  errorMessage: null,
  clusterId: 'c',
  controllerId: 1,
  brokers: [],
}

test('a connection that swallowed a request is not used again', async (context) => {
  let asked = 0
  const { broker, cluster } = await clusterOf(context, [
    answers(DescribeCluster, () => (++asked === 1 ? null : described)),
  ])
  const swallowed = cluster.send('any', DescribeCluster, ask, { timeoutMs: 50 })
  await assert.rejects(swallowed, { code: ErrorCode.REQUEST_TIMED_OUT, retriable: true })
  assert.equal((await describe(cluster)).clusterId, 'c')
  assert.equal(broker.accepted, 2)
})

test('requests to one broker share a connection; a lane of its own has another', async (context) => {
  const { broker, cluster } = await clusterOf(context, [answers(DescribeCluster, () => described)])
  await cluster.metadata.refresh()
  await Promise.all([describe(cluster), describe(cluster), cluster.send({ node: 1 }, DescribeCluster, ask)])
  assert.equal(broker.accepted, 1)
  await cluster.send({ node: 1, lane: 'fetch' }, DescribeCluster, ask)
  assert.equal(broker.accepted, 2)
})

test('a connection that is not used is closed, and opened again when needed', async (context) => {
  const { broker, cluster } = await clusterOf(context, [answers(DescribeCluster, () => described)], {
    connectionsMaxIdleMs: 40,
  })
  await describe(cluster)
  await broker.allClosed()
  await describe(cluster)
  assert.equal(broker.accepted, 2)
})

test('a connection is idle also when its broker is considered again and again, and another one is chosen', async (context) => {
  const brokers = [await ScriptedBroker.start([]), await ScriptedBroker.start([])]
  for (const broker of brokers) context.after(() => broker[Symbol.asyncDispose]())
  const both = answers(Metadata, () => ({
    brokers: brokers.map(({ port }, index) => ({ nodeId: index + 1, host: '127.0.0.1', port })),
    controllerId: 1,
    topics: [],
  }))
  const { cluster } = await clusterOf(context, [both], { connectionsMaxIdleMs: 40 })
  await cluster.metadata.refresh()
  for (const node of [1, 2]) await cluster.send({ node }, ApiVersions, {})
  let isClosed = false
  void brokers[1]!.allClosed().then(() => (isClosed = true))
  while (!isClosed) await cluster.send('any', ApiVersions, {})
})

test('a broker that asks for silence is left alone for so long', async (context) => {
  const times: number[] = []
  const { cluster } = await clusterOf(context, [
    answers(DescribeCluster, () => {
      times.push(performance.now())
      return { ...described, throttleTimeMs: times.length === 1 ? 120 : 0 }
    }),
  ])
  await describe(cluster)
  await describe(cluster)
  assert.ok(times[1]! - times[0]! >= 115, `came after ${times[1]! - times[0]!} ms`)
})

test('a coordinator that moved is looked for again, and one that is not there is retriable', async (context) => {
  let finds = 0
  const { broker, cluster } = await clusterOf(context, [
    answers(FindCoordinator, ({ coordinatorKeys }) => ({
      throttleTimeMs: 0,
      coordinators: [
        {
          key: coordinatorKeys[0]!,
          nodeId: 1,
          host: '127.0.0.1',
          port: broker.port,
          errorCode: ++finds === 1 ? ErrorCode.COORDINATOR_NOT_AVAILABLE : 0,
          errorMessage: null,
        },
      ],
    })),
    answers(DescribeCluster, () => described),
  ])
  await assert.rejects(cluster.coordinator('group', 'g'), { retriable: true })
  await cluster.send({ coordinatorOf: 'g', kind: 'group' }, DescribeCluster, ask)
  await cluster.send({ coordinatorOf: 'g', kind: 'group' }, DescribeCluster, ask)
  assert.equal(finds, 2)
  cluster.coordinatorLost('group', 'g')
  await cluster.send({ coordinatorOf: 'g', kind: 'group' }, DescribeCluster, ask)
  assert.equal(finds, 3)
})

test('a cluster is known by its own brokers, however long ago they were asked, when those of the beginning are gone', async (context) => {
  const member = await ScriptedBroker.start([])
  context.after(() => member[Symbol.asyncDispose]())
  const toMember = { brokers: [{ nodeId: 1, host: '127.0.0.1', port: member.port }], controllerId: 1, topics: [] }
  const { broker, cluster } = await clusterOf(context, [answers(Metadata, () => toMember)], {
    metadataRecoveryRebootstrapTriggerMs: 0,
  })
  await cluster.metadata.refresh()
  await broker[Symbol.asyncDispose]()
  // The clock of this process has to show another time.
  const nowMs = performance.now()
  while (performance.now() === nowMs);
  assert.equal((await cluster.metadata.refresh()).brokers.get(1)!.port, member.port)
})

test('REBOOTSTRAP_REQUIRED sends the client back to where it began', async (context) => {
  let isStale = false
  const { broker, cluster } = await clusterOf(context, [
    answers(Metadata, () => ({
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
      topics: [],
      errorCode: isStale ? ErrorCode.REBOOTSTRAP_REQUIRED : 0,
    })),
  ])
  await cluster.metadata.refresh()
  isStale = true
  await assert.rejects(cluster.metadata.refresh(), (error: KafkaError) => error.retriable)
  isStale = false
  await cluster.metadata.refresh()
})

for (const [what, security, message] of [
  ['a name of a file instead of a key', { ssl: { key: 'client.key' } }, /ssl\.key: expected a PEM text/],
  ['no password', { sasl: { mechanism: 'PLAIN', username: 'u', password: '' } }, /sasl\.password: expected a text/],
] as const)
  test(`with ${what} nothing is tried again, as it would not help`, async (context) => {
    const broker = await ScriptedBroker.start([])
    context.after(() => broker[Symbol.asyncDispose]())
    const contexts = new ClientContexts({ brokers: broker.address, ...security }, realWorld())
    const { cluster } = contexts.open(clientOptions, {}, 'test')
    context.after(() => cluster[Symbol.asyncDispose]())
    await assert.rejects(cluster.metadata.topic('t'), (error: KafkaError) => {
      assert.match(error.message, message)
      return !error.retriable
    })
  })

test('a broker that knows no brokers changes nothing of what is known, and is asked again', async (context) => {
  let knowsBrokers = true
  const { broker, cluster } = await clusterOf(context, [
    answers(Metadata, () => ({
      brokers: knowsBrokers ? [{ nodeId: 1, host: '127.0.0.1', port: broker.port }] : [],
      controllerId: knowsBrokers ? 1 : -1,
      topics: [],
    })),
  ])
  await cluster.metadata.refresh()
  knowsBrokers = false
  await assert.rejects(cluster.metadata.refresh(), /knows no brokers yet/)
  assert.equal(cluster.metadata.image.brokers.size, 1)
  knowsBrokers = true
  await cluster.metadata.refresh()
})

for (const [newest, leaderEpoch] of [
  [8, -1],
  [9, 7],
] as const)
  test(`leader epochs in Metadata version ${newest} are ${leaderEpoch < 0 ? 'not believed' : 'believed'}`, async (context) => {
    const partition = { errorCode: 0, partitionIndex: 0, leaderId: 1, leaderEpoch: 7, replicaNodes: [1], isrNodes: [1] }
    const { broker, cluster } = await clusterOf(context, [
      answers(
        Metadata,
        () => ({
          brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
          controllerId: 1,
          topics: [{ errorCode: 0, name: 't', partitions: [{ ...partition, offlineReplicas: [] }] }],
        }),
        newest,
      ),
    ])
    const { partitions } = await cluster.metadata.topic('t')
    assert.deepEqual([partitions[0]!.leaderId, partitions[0]!.leaderEpoch], [1, leaderEpoch])
  })
