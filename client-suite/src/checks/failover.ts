// Brokers of a cluster die, stop, come back; leaders and coordinators move; topics are made anew. Nothing is lost, doubled or reordered.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { serde, type RequestMessage } from '@millrace/client'
import { ApacheKafkaCluster } from '@millrace/interop/brokers'
import { eventually, expectEqual, expectTrue } from '@millrace/interop/checking'
import { BackgroundWriter } from '../background.ts'
import type { Bench } from '../bench.ts'
import { section } from '../check.ts'
import { GroupMember } from '../group-member.ts'
import { numbers, take, valuesOf } from '../reading.ts'

export const { checks, check } = section('failover', { needsCluster: true, runsAlone: true, timeoutMs: 240_000 })

const partitions = 3

/** Every record that was acknowledged has been read; some twice, as a member that lost its coordinator may not have committed. */
async function allRead(members: readonly GroupMember[], writer: BackgroundWriter): Promise<string> {
  const expected = new Set(
    writer.acknowledged.flatMap((values, partition) => values.map((value) => `${partition}/${value}`)),
  )
  await eventually(async () => {
    for (const { failure } of members) if (failure !== null) throw failure
    const seen = new Set(members.flatMap(({ read }) => read))
    const missing = [...expected].filter((record) => !seen.has(record))
    expectTrue(missing.length === 0, `${missing.length} of ${expected.size} were not read, such as ${missing[0]}`)
  }, 90_000)
  const read = members.reduce((sum, member) => sum + member.read.length, 0)
  return `${expected.size} records, ${read - expected.size} of them read again`
}

async function inSync(bench: Bench, topic: string): Promise<void> {
  await eventually(async () => {
    for (const { inSyncReplicas, replicas } of await bench.testbed.fixture.partitions(topic))
      expectEqual(inSyncReplicas.length, replicas.length, 'replicas in sync')
  }, 60_000)
}

check('a leader is killed while records are written with acks all', async (bench) => {
  const cluster = bench.testbed.cluster!
  const topic = await bench.topic({ partitions })
  const writer = new BackgroundWriter(bench, topic, partitions)
  await writer.progress(500)
  const { leaderId } = (await bench.testbed.fixture.partitions(topic))[0]!
  await cluster.killNode(leaderId)
  await writer.progress(1000)
  await cluster.startNode(leaderId)
  await inSync(bench, topic)
  await writer.progress(500)
  await writer.stop()
  return writer.verify()
})

check('the coordinator of a group is killed', async (bench) => {
  const cluster = bench.testbed.cluster!
  const topic = await bench.topic({ partitions })
  const groupId = bench.name()
  const members = [1, 2].map(() => new GroupMember(bench, { groupId, topics: [topic], autoCommitIntervalMs: 200 }))
  const writer = new BackgroundWriter(bench, topic, partitions)
  await writer.progress(500)
  const coordinator = await bench.testbed.fixture.coordinatorOf(groupId)
  await cluster.killNode(coordinator)
  await writer.progress(1000)
  await cluster.startNode(coordinator)
  await inSync(bench, topic)
  await writer.progress(300)
  await writer.stop()
  return allRead(members, writer)
})

check('a rolling restart, while a group reads what is written', async (bench) => {
  const cluster = bench.testbed.cluster!
  const topic = await bench.topic({ partitions })
  const groupId = bench.name()
  const members = [1, 2].map(() => new GroupMember(bench, { groupId, topics: [topic], autoCommitIntervalMs: 200 }))
  const writer = new BackgroundWriter(bench, topic, partitions)
  for (const node of ApacheKafkaCluster.nodeIds) {
    await writer.progress(300)
    await cluster.stopNode(node)
    await writer.progress(300)
    await cluster.startNode(node)
    await inSync(bench, topic)
  }
  await writer.progress(300)
  await writer.stop()
  await writer.verify()
  return allRead(members, writer)
})

check('the coordinator of a transaction is killed in the middle', async (bench) => {
  const cluster = bench.testbed.cluster!
  const topic = await bench.topic()
  const transactionalId = bench.name()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId }))
  const expected: string[] = []
  for (let round = 0; round < 6; round++) {
    const values = numbers(5).map((value) => `${round}-${value}`)
    await producer.transaction(async (transaction) => {
      await transaction.sendAll(values.map((value) => ({ value })))
      if (round === 2) await cluster.killNode(await bench.testbed.fixture.transactionCoordinatorOf(transactionalId))
    })
    expected.push(...values)
  }
  for (const node of ApacheKafkaCluster.nodeIds) if (!cluster.isRunning(node)) await cluster.startNode(node)
  await inSync(bench, topic)
  expectEqual(await valuesOf(bench, topic, { isolationLevel: 'read_committed' }), [expected], 'values')
})

check('a topic is deleted and made anew', async (bench) => {
  const topic = await bench.topic()
  const kafka = bench.kafka({ metadataMaxAgeMs: 1000 })
  const producer = bench.use(kafka.producer({ topic, value: serde.string, deliveryTimeoutMs: 60_000 }))
  const consumer = bench.use(kafka.consumer({ value: serde.string, offsetReset: 'earliest' }))
  consumer.assign([{ topic, partition: 0 }])
  await producer.sendAll(numbers(50).map((value) => ({ value: `old ${value}` })))
  await take(consumer, 50, bench.signal)
  await bench.testbed.fixture.deleteTopic(topic)
  await bench.testbed.fixture.createTopic(topic)
  await producer.sendAll(numbers(10).map((value) => ({ value: `new ${value}` })))
  const read = (await take(consumer, 10, bench.signal)).map(({ value }) => value)
  expectEqual(
    read,
    numbers(10).map((value) => `new ${value}`),
    'values',
  )
  expectEqual(await valuesOf(bench, topic), [numbers(10).map((value) => `new ${value}`)], 'values in the topic')
})

check('leaders move to other brokers', async (bench) => {
  const topic = await bench.topic()
  const writer = new BackgroundWriter(bench, topic, 1)
  const consumer = bench.use(bench.kafka().consumer({ value: serde.string, offsetReset: 'earliest' }))
  consumer.assign([{ topic, partition: 0 }])
  const read: (string | null)[] = []
  for (const replicas of [[2], [3], [1], [3, 1, 2]]) {
    await bench.testbed.fixture.reassign(topic, replicas)
    await eventually(async () => {
      const [partition] = await bench.testbed.fixture.partitions(topic)
      expectEqual(partition!.replicas, replicas, 'replicas')
      expectTrue(replicas.includes(partition!.leaderId), `the leader is ${partition!.leaderId}`)
    }, 90_000)
    await writer.progress(200)
    read.push(...(await take(consumer, 100, bench.signal)).map(({ value }) => value))
  }
  await writer.stop()
  read.push(...(await take(consumer, writer.count - read.length, bench.signal)).map(({ value }) => value))
  expectEqual(read, writer.acknowledged[0], 'values read')
  return writer.verify()
})

check('a consumer reads from the replica in its rack', async (bench) => {
  const topic = await bench.topic()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  await producer.sendAll(numbers(100).map((value) => ({ value })))
  await inSync(bench, topic)
  const { leaderId } = (await bench.testbed.fixture.partitions(topic))[0]!
  const follower = ApacheKafkaCluster.nodeIds.find((id) => id !== leaderId)!
  const consumer = bench.use(
    bench.kafka().consumer({
      value: serde.string,
      offsetReset: 'earliest',
      clientRack: ApacheKafkaCluster.rackOf(follower),
      fetchMaxWaitMs: 100,
    }),
  )
  const fetchesFrom = new Map<number, number>()
  const note = (message: unknown) => {
    const { api, broker } = message as RequestMessage
    if (api === 'Fetch') fetchesFrom.set(broker.port, (fetchesFrom.get(broker.port) ?? 0) + 1)
  }
  subscribe('millrace:client:request', note)
  try {
    consumer.assign([{ topic, partition: 0 }])
    const values = (await take(consumer, 100, bench.signal)).map(({ value }) => value)
    expectEqual(values, numbers(100), 'values')
  } finally {
    unsubscribe('millrace:client:request', note)
  }
  // The leader tells the first fetch where to go.
  const [ofFollower, ofLeader] = [follower, leaderId].map(
    (id) => fetchesFrom.get(bench.testbed.cluster!.portOf(id)) ?? 0,
  )
  expectTrue(ofFollower! > 0, `no fetch went to node ${follower}`)
  return `${ofFollower} fetches from the follower, ${ofLeader} from the leader`
})
