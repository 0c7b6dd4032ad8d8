import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test, type TestContext } from 'node:test'
import { startBroker } from 'millrace'
import { Kafka, type Tracing } from '../index.ts'

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

test('the channels tell of connections, requests, batches, commits and rebalances, and metrics count them', async (context) => {
  const kafka = await kafkaFor(context)
  const seen = new Map<string, unknown[]>()
  const names = [
    'millrace:client:connection',
    'millrace:client:request',
    'millrace:producer:batch',
    'millrace:consumer:batch',
    'millrace:consumer:commit',
    'millrace:consumer:rebalance',
  ]
  const listen = (message: unknown, name: string | symbol): void => {
    seen.set(String(name), [...(seen.get(String(name)) ?? []), message])
  }
  for (const name of names) subscribe(name, listen)
  context.after(() => names.forEach((name) => unsubscribe(name, listen)))

  await using producer = kafka.producer({ topic: 't', lingerMs: 0 })
  await producer.sendAll([{ value: 'a' }, { value: 'b' }])
  await using consumer = kafka.consumer({ groupId: 'g', topics: ['t'], offsetReset: 'earliest' })
  for await (const record of consumer) if (record.offset === 1n) break
  await consumer.commit()
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
  assert.equal(produced['producer-metrics record-send-total'], 2)
  assert.ok(produced['producer-metrics request-total']! >= 3)
  assert.ok(produced['producer-metrics connection-count']! >= 1)
  assert.equal(consumed['consumer-fetch-manager-metrics records-consumed-total'], 2)
  assert.equal(consumed['consumer-coordinator-metrics assigned-partitions'], 1)
})

test('a cluster that collects no metrics gives no client instance id', async (context) => {
  const kafka = await kafkaFor(context)
  await using producer = kafka.producer()
  await assert.rejects(producer.clientInstanceId({ timeoutMs: 5_000 }), /does not serve GetTelemetrySubscriptions/)
  await using silent = kafka.producer({ enableMetricsPush: false })
  await assert.rejects(silent.clientInstanceId(), /enableMetricsPush: false/)
})
