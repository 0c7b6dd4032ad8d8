import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { ApiVersions, CreateTopics, ErrorCode, FindCoordinator, KafkaError, Metadata } from '@millrace/protocol'
import { startBroker, type StartBrokerOptions } from 'millrace'
import { clientOptions } from '../config/client-options.ts'
import { ClientContexts } from '../client-context.ts'
import { realWorld } from '../world.ts'
import type { Cluster } from './cluster.ts'

async function broker(context: TestContext, options: StartBrokerOptions = {}) {
  const running = await startBroker(options)
  context.after(() => running.close())
  return running
}

function clusterAt(context: TestContext, brokers: string | string[], own: Record<string, unknown> = {}): Cluster {
  const { cluster } = new ClientContexts({ brokers }, realWorld()).open(clientOptions, own, 'test')
  context.after(() => cluster[Symbol.asyncDispose]())
  return cluster
}

/** A port that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const creation = (name: string, numPartitions = 1) => ({
  topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
  timeoutMs: 10_000,
})

test('requests find the controller, a coordinator and the leader of a partition', async (context) => {
  const { bootstrapServers } = await broker(context)
  const cluster = clusterAt(context, bootstrapServers)
  const created = await cluster.send('controller', CreateTopics, creation('t', 2))
  assert.equal(created.topics[0]?.errorCode, ErrorCode.NONE)
  const topic = await cluster.metadata.topic('t')
  assert.equal(topic.partitions.length, 2)
  const byLeader = await cluster.send({ leaderOf: { topic: 't', partition: 1 } }, ApiVersions, {
    clientSoftwareName: 'x',
    clientSoftwareVersion: '1',
  })
  assert.equal(byLeader.errorCode, ErrorCode.NONE)
  const coordinator = await cluster.withRetries('find', (signal) => cluster.coordinator('group', 'g', signal))
  assert.equal(coordinator.id, 1)
})

test('a topic that comes later is waited for, and one that never comes is an error that says what to do', async (context) => {
  const { bootstrapServers } = await broker(context)
  const cluster = clusterAt(context, bootstrapServers)
  const waiting = cluster.metadata.topic('later')
  await cluster.send('controller', CreateTopics, creation('later'))
  assert.equal((await waiting).name, 'later')
  await assert.rejects(cluster.metadata.topic('never', { timeoutMs: 300 }), (error: KafkaError) => {
    assert.equal(error.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert.match(error.message, /topic never: the brokers do not know it; create it first/)
    return true
  })
  await assert.rejects(cluster.metadata.topic('not/allowed', { timeoutMs: 300 }), {
    code: ErrorCode.INVALID_TOPIC_EXCEPTION,
  })
})

test('a topic is created by asking for it, when that is wanted', async (context) => {
  const { bootstrapServers } = await broker(context)
  const cluster = clusterAt(context, bootstrapServers)
  assert.equal((await cluster.metadata.topic('made', { allowCreation: true })).partitions.length, 1)
})

test('dead bootstrap hosts are passed over', async (context) => {
  const { bootstrapServers } = await broker(context)
  const dead = [`127.0.0.1:${await deadPort()}`, `127.0.0.1:${await deadPort()}`]
  for (let round = 0; round < 4; round++) {
    const cluster = clusterAt(context, [...dead, bootstrapServers])
    assert.equal((await cluster.metadata.refresh()).brokers.size, 1)
  }
})

test('when no host answers, the error names each and why', async (context) => {
  const port = await deadPort()
  const cluster = clusterAt(context, `127.0.0.1:${port}`)
  await assert.rejects(cluster.metadata.refresh(), (error: KafkaError) => {
    assert.ok(error.retriable)
    assert.match(error.message, new RegExp(`no broker answers: .*127\\.0\\.0\\.1:${port}.*ECONNREFUSED`))
    return true
  })
  await assert.rejects(
    cluster.withRetries(
      'asking',
      (signal) => cluster.send('any', FindCoordinator, { keyType: 0, key: 'g', coordinatorKeys: ['g'] }, { signal }),
      { timeoutMs: 300 },
    ),
    (error: KafkaError) => {
      assert.equal(error.code, ErrorCode.REQUEST_TIMED_OUT)
      assert.match(
        error.message,
        /asking: not done within 300 ms; the last failure: 127\.0\.0\.1:\d+: connection refused/,
      )
      return true
    },
  )
})

test('a broker that comes back on another port is found by the bootstrap addresses', async (context) => {
  const first = await startBroker()
  const port = await deadPort()
  const cluster = clusterAt(context, [first.bootstrapServers, `127.0.0.1:${port}`])
  await cluster.metadata.refresh()
  await first.close()
  await broker(context, { port })
  const image = await cluster.withRetries('asking', (signal) => cluster.metadata.refresh(signal))
  assert.equal([...image.brokers.values()][0]?.port, port)
})

test('closing ends every wait', async (context) => {
  const cluster = clusterAt(context, `127.0.0.1:${await deadPort()}`)
  const waits = [
    cluster.metadata.topic('t'),
    cluster.withRetries('asking', (signal) => cluster.metadata.refresh(signal)),
  ]
  const settled = Promise.allSettled(waits)
  await cluster[Symbol.asyncDispose]()
  for (const { status, reason } of (await settled) as PromiseRejectedResult[]) {
    assert.equal(status, 'rejected')
    assert.match((reason as Error).message, /closed|no broker answers/)
  }
  await assert.rejects(cluster.send('any', Metadata, { topics: [] }), /closed/)
})

test('a signal ends a wait with its reason', async (context) => {
  const cluster = clusterAt(context, `127.0.0.1:${await deadPort()}`)
  const giveUp = new AbortController()
  const waiting = cluster.withRetries('asking', (signal) => cluster.metadata.refresh(signal), { signal: giveUp.signal })
  giveUp.abort(new Error('enough'))
  await assert.rejects(waiting, { message: 'enough' })
})
