import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from 'millrace'
import { Kafka, serde } from '../index.ts'

test('sends beyond bufferMemory wait their turn and keep their order', async () => {
  await using broker = await startBroker()
  await using producer = new Kafka({ brokers: broker.bootstrapServers }).producer({
    topic: 't',
    value: serde.string,
    bufferMemory: 64 * 1024,
  })
  const settled: number[] = []
  const offsets = await Promise.all(
    Array.from({ length: 3000 }, async (_, at) => {
      const { offset } = await producer.send({ value: `${at} ${'x'.repeat(500)}`, partition: 0 })
      settled.push(at)
      return Number(offset)
    }),
  )
  const inOrder = Array.from({ length: 3000 }, (_, at) => at)
  assert.deepEqual(offsets, inOrder)
  assert.deepEqual(settled, inOrder)
})

test('a record that can never fit into bufferMemory fails instead of waiting', async () => {
  await using broker = await startBroker()
  await using producer = new Kafka({ brokers: broker.bootstrapServers }).producer({
    topic: 't',
    bufferMemory: 10_000,
    maxBlockMs: 2000,
  })
  await assert.rejects(producer.send({ value: Buffer.alloc(50_000) }))
  assert.equal((await producer.send({ value: Buffer.alloc(100) })).offset, 0n)
})

test('a handler that is slow in one partition holds up no other', async () => {
  await using broker = await startBroker({ configs: { 'num.partitions': 3 } })
  const kafka = new Kafka({ brokers: broker.bootstrapServers })
  await using producer = kafka.producer({ topic: 't', value: serde.string })
  await producer.sendAll(Array.from({ length: 900 }, (_, at) => ({ value: String(at), partition: at % 3 })))
  await using consumer = kafka.consumer({ offsetReset: 'earliest', maxPollRecords: 10 })
  consumer.assign([0, 1, 2].map((partition) => ({ topic: 't', partition })))
  const stuck = Promise.withResolvers<void>()
  const done = new AbortController()
  const handled = [0, 0, 0]
  await consumer.run({
    concurrency: 3,
    signal: done.signal,
    eachRecord: async ({ partition }) => {
      handled[partition]!++
      if (partition === 0) await stuck.promise
      if (handled[1] === 300 && handled[2] === 300) stuck.resolve()
      if (handled.every((count) => count === 300)) done.abort()
    },
  })
  assert.deepEqual(handled, [300, 300, 300])
})
