import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test, type TestContext } from 'node:test'
import { startBroker } from 'millrace'
import { Kafka, type ClientMetric, type Tracing } from '../index.ts'
import { TopicWriter } from '../share/testing/topic-writer.ts'

async function kafkaFor(context: TestContext, tracing: Tracing | null = null) {
  const broker = await startBroker()
  context.after(() => broker.close())
  return new Kafka({ brokers: broker.bootstrapServers, clientId: 'observed', tracing })
}

/** Remembers what it was told, and passes one header on. */
function rememberingTracing() {
  const told: string[] = []
  const tracing: Tracing = {
    sending({ topic }, addHeader) {
      addHeader('trace', `of ${topic}`)
      return (metadata, error) => told.push(`sent to ${metadata?.topic} at ${metadata?.offset}, ${error}`)
    },
    handling(record, groupId, handler) {
      told.push(`handling ${record.offset} with ${Buffer.from(record.header('trace')!).toString()} in ${groupId}`)
      return handler()
    },
  }
  return { told, tracing }
}

test('a trace goes with the record from send to the handler, of groups and of share groups', async (context) => {
  const { told, tracing } = rememberingTracing()
  const kafka = await kafkaFor(context, tracing)
  await using producer = kafka.producer({ topic: 't', lingerMs: 0 })
  await producer.send({ value: 'a' })
  await producer.sendAll([{ value: 'b', headers: { own: 'c' } }])
  const ended = new AbortController()
  await using consumer = kafka.consumer({ groupId: 'g', topics: ['t'], offsetReset: 'earliest' })
  await consumer.run({
    signal: ended.signal,
    eachRecord: ({ offset }) => {
      if (offset === 1n) ended.abort()
    },
  })
  assert.deepEqual(told, [
    'sent to t at 0, null',
    'sent to t at 1, null',
    'handling 0 with of t in g',
    'handling 1 with of t in g',
  ])
})

test('the channels tell of connections, requests, batches, commits, rebalances and heartbeats, and metrics count them', async (context) => {
  const kafka = await kafkaFor(context)
  const seen = new Map<string, unknown[]>()
  const names = [
    'millrace:client:connection',
    'millrace:client:request',
    'millrace:producer:batch',
    'millrace:consumer:batch',
    'millrace:consumer:commit',
    'millrace:consumer:rebalance',
    'millrace:consumer:heartbeat',
  ]
  const beaten = Promise.withResolvers<void>()
  const listen = (message: unknown, name: string | symbol): void => {
    if (name === 'millrace:consumer:heartbeat') beaten.resolve()
    seen.set(String(name), [...(seen.get(String(name)) ?? []), message])
  }
  for (const name of names) subscribe(name, listen)
  context.after(() => names.forEach((name) => unsubscribe(name, listen)))

  await using producer = kafka.producer({ topic: 't', lingerMs: 0 })
  await producer.sendAll([{ value: 'a' }, { value: 'b' }])
  await using consumer = kafka.consumer({ groupId: 'g', topics: ['t'], offsetReset: 'earliest' })
  for await (const record of consumer) if (record.offset === 1n) break
  await consumer.commit()
  await beaten.promise
  const metricsOf = (client: { metrics(): readonly { group: string; name: string; value: number }[] }) =>
    Object.fromEntries(client.metrics().map(({ group, name, value }) => [`${group} ${name}`, value]))
  const produced = metricsOf(producer)
  const consumed = metricsOf(consumer)
  await consumer.close()

  assert.deepEqual([...seen.keys()].toSorted(), names.toSorted())
  const { baseOffset, recordsCount, error } = seen.get('millrace:producer:batch')![0] as Record<string, unknown>
  assert.deepEqual({ baseOffset, recordsCount, error }, { baseOffset: 0n, recordsCount: 2, error: null })
  assert.deepEqual(
    (seen.get('millrace:consumer:rebalance') as { event: string }[]).map(({ event }) => event),
    ['assigned', 'revoked'],
  )
  const { groupId, latencyMs } = seen.get('millrace:consumer:heartbeat')![0] as { groupId: string; latencyMs: number }
  assert.deepEqual([groupId, latencyMs >= 0], ['g', true])
  const request = seen.get('millrace:client:request')![0] as { api: string; apiKey: number; answerBytes: number }
  assert.deepEqual([request.api, request.apiKey, request.answerBytes > 0], ['ApiVersions', 18, true])
  assert.equal(produced['producer-metrics record-send-total'], 2)
  assert.ok(produced['producer-metrics request-total']! >= 3)
  assert.ok(produced['producer-metrics connection-count']! >= 1)
  assert.equal(consumed['consumer-fetch-manager-metrics records-consumed-total'], 2)
  assert.equal(consumed['consumer-coordinator-metrics assigned-partitions'], 1)
})

/** NaN when there is none of that name with these tags, beside the client's own. */
function reader(client: { metrics(): readonly ClientMetric[] }) {
  return (group: string, name: string, tags: Readonly<Record<string, string>> = {}): number => {
    const wanted = { 'client-id': 'observed', ...tags }
    const found = client
      .metrics()
      .filter(
        (metric) =>
          metric.group === group &&
          metric.name === name &&
          Object.keys(metric.tags).length === Object.keys(wanted).length &&
          Object.entries(wanted).every(([tag, value]) => metric.tags[tag] === value),
      )
    assert.ok(found.length <= 1)
    return found[0]?.value ?? NaN
  }
}

test('metrics are kept by broker, topic and partition, under the names of Kafka', async (context) => {
  const kafka = await kafkaFor(context)
  await using admin = kafka.admin()
  const { brokers } = await admin.describeCluster()
  const node = { 'node-id': `node-${brokers[0]!.id}` }
  await using producer = kafka.producer({ topic: 't', lingerMs: 0, transactionalId: 'x' })
  await producer.transaction(async (transaction) => {
    await transaction.sendAll([{ value: 'a' }, { value: 'b' }])
  })
  await producer.flush()
  const produced = reader(producer)
  const requests = produced('producer-metrics', 'request-total')
  assert.ok(produced('producer-node-metrics', 'request-total', node) > 0)
  assert.equal(
    produced('producer-node-metrics', 'request-total', node) +
      produced('producer-node-metrics', 'request-total', { 'node-id': 'node--1' }),
    requests,
  )
  assert.ok(produced('producer-node-metrics', 'request-latency-avg', node) > 0)
  assert.ok(produced('producer-node-metrics', 'incoming-byte-total', node) > 0)
  assert.equal(produced('producer-topic-metrics', 'record-send-total', { topic: 't' }), 2)
  assert.equal(produced('producer-topic-metrics', 'record-error-total', { topic: 't' }), 0)
  assert.equal(produced('producer-topic-metrics', 'compression-rate', { topic: 't' }), 1)
  assert.ok(produced('producer-metrics', 'record-size-max') > 0)
  assert.equal(produced('producer-metrics', 'requests-in-flight'), 0)
  assert.equal(produced('producer-metrics', 'buffer-exhausted-total'), 0)
  for (const name of ['metadata-wait', 'txn-init', 'txn-commit', 'flush'])
    assert.ok(produced('producer-metrics', `${name}-time-ns-total`) > 0, name)
  assert.equal(produced('producer-metrics', 'txn-abort-time-ns-total'), 0)

  await using plain = kafka.producer({ topic: 'u', lingerMs: 0 })
  await plain.sendAll([{ value: 'a' }, { value: 'b' }])
  const { promise: assigned, resolve: onAssigned } = Promise.withResolvers<unknown>()
  await using consumer = kafka.consumer({
    groupId: 'g',
    topics: ['u'],
    offsetReset: 'earliest',
    onRebalance: { onAssigned },
  })
  const consumed = reader(consumer)
  assert.equal(consumed('consumer-metrics', 'last-poll-seconds-ago'), -1)
  for await (const record of consumer) if (record.offset === 1n) break
  await assigned
  await consumer.commit()
  const fetching = 'consumer-fetch-manager-metrics'
  const partition = { topic: 'u', partition: '0' }
  assert.equal(consumed(fetching, 'records-consumed-total', { topic: 'u' }), 2)
  assert.ok(consumed(fetching, 'bytes-consumed-total', { topic: 'u' }) > 0)
  assert.equal(consumed(fetching, 'records-per-request-avg', { topic: 'u' }), 2)
  assert.equal(consumed(fetching, 'records-per-request-avg'), 2)
  assert.ok(consumed(fetching, 'fetch-throttle-time-max') >= 0)
  assert.ok(consumed(fetching, 'records-lag-max', partition) >= 0)
  assert.equal(consumed(fetching, 'records-lead-min', partition), 2)
  assert.equal(consumed(fetching, 'records-lead-min'), consumed(fetching, 'records-lead', partition))
  assert.equal(consumed(fetching, 'preferred-read-replica', partition), -1)
  assert.equal(consumed('consumer-metrics', 'poll-idle-ratio-avg'), 1)
  assert.ok(consumed('consumer-metrics', 'last-poll-seconds-ago') >= 0)
  assert.ok(consumed('consumer-metrics', 'commit-sync-time-ns-total') > 0)
  assert.ok(consumed('consumer-coordinator-metrics', 'partition-assigned-latency-max') >= 0)
  assert.ok(Number.isNaN(consumed('consumer-coordinator-metrics', 'partition-revoked-latency-max')))
  assert.ok(consumed('consumer-node-metrics', 'response-total', node) > 0)
})

test('a share consumer counts its heartbeats, its assignments, and how it waits', async (context) => {
  const broker = await startBroker({ configs: { 'share.coordinator.state.topic.num.partitions': 1 } })
  context.after(() => broker.close())
  await using writer = new TopicWriter(broker.bootstrapServers)
  await writer.create('t', 1)
  await writer.fromTheBeginning('workers')
  const kafka = new Kafka({ brokers: broker.bootstrapServers, clientId: 'observed' })
  await using producer = kafka.producer({ topic: 't' })
  await producer.send({ value: 'a' })
  await using consumer = kafka.shareConsumer({ groupId: 'workers', topics: ['t'] })
  const read = reader(consumer)
  assert.equal(read('consumer-share-coordinator-metrics', 'last-heartbeat-seconds-ago'), -1)
  for await (const _ of consumer) break
  assert.ok(read('consumer-share-coordinator-metrics', 'heartbeat-total') > 0)
  assert.ok(read('consumer-share-coordinator-metrics', 'heartbeat-response-time-max') > 0)
  assert.ok(read('consumer-share-coordinator-metrics', 'rebalance-total') > 0)
  assert.equal(read('consumer-share-metrics', 'poll-idle-ratio-avg'), 1)
  assert.ok(read('consumer-share-fetch-manager-metrics', 'fetch-throttle-time-max') >= 0)
})

test('a cluster that collects no metrics gives no client instance id', async (context) => {
  const kafka = await kafkaFor(context)
  await using producer = kafka.producer()
  await assert.rejects(producer.clientInstanceId({ timeoutMs: 5_000 }), /does not serve GetTelemetrySubscriptions/)
  await using silent = kafka.producer({ enableMetricsPush: false })
  await assert.rejects(silent.clientInstanceId(), /enableMetricsPush: false/)
})
