import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startBroker } from 'millrace'
import { Kafka, serde, type RequestMessage } from '../index.ts'

/** The fetches that are answered while `work` goes on. */
async function fetchesDuring(work: () => Promise<unknown>): Promise<number> {
  let fetches = 0
  const count = (message: unknown) => {
    if ((message as RequestMessage).api === 'Fetch') fetches++
  }
  subscribe('millrace:client:request', count)
  try {
    await work()
  } finally {
    unsubscribe('millrace:client:request', count)
  }
  return fetches
}

async function scene() {
  const broker = await startBroker()
  const kafka = new Kafka({ brokers: broker.bootstrapServers })
  await using admin = kafka.admin()
  await admin.createTopics([{ name: 't', numPartitions: 4, replicationFactor: 1 }])
  const partitions = [0, 1, 2, 3].map((partition) => ({ topic: 't', partition }))
  return { kafka, partitions, [Symbol.asyncDispose]: () => broker.close() }
}

test('a consumer with nothing to read asks once per fetchMaxWaitMs, whatever fetchMinBytes is', async () => {
  await using place = await scene()
  const { kafka, partitions } = place
  for (const fetchMinBytes of [0, 1, 1_000_000]) {
    await using consumer = kafka.consumer({ fetchMinBytes, fetchMaxWaitMs: 200, offsetReset: 'earliest' })
    consumer.assign(partitions)
    const fetches = await fetchesDuring(async () => {
      for await (const record of consumer.records({ signal: AbortSignal.timeout(1000) }))
        assert.fail(String(record.offset))
    })
    assert.ok(fetches <= 8, `${fetches} fetches in a second with fetchMinBytes ${fetchMinBytes}`)
  }
})

test('less than fetchMinBytes is handed out after fetchMaxWaitMs', async () => {
  await using place = await scene()
  const { kafka, partitions } = place
  await using producer = kafka.producer({ topic: 't', value: serde.string })
  await using consumer = kafka.consumer({
    fetchMinBytes: 1_000_000,
    fetchMaxWaitMs: 200,
    offsetReset: 'earliest',
    value: serde.string,
  })
  consumer.assign(partitions)
  await producer.send({ value: 'small', partition: 2 })
  for await (const { value } of consumer) {
    assert.equal(value, 'small')
    break
  }
})

test('paused partitions are not fetched, and do not hold up or spin', async () => {
  await using place = await scene()
  const { kafka, partitions } = place
  await using producer = kafka.producer({ topic: 't', value: serde.string })
  await producer.sendAll(partitions.map(({ partition }) => ({ value: 'x'.repeat(1000), partition })))
  await using consumer = kafka.consumer({ fetchMaxWaitMs: 200, offsetReset: 'earliest', value: serde.string })
  consumer.assign(partitions)
  consumer.pause(partitions)
  const fetches = await fetchesDuring(async () => {
    for await (const record of consumer.records({ signal: AbortSignal.timeout(800) }))
      assert.fail(String(record.offset))
  })
  assert.ok(fetches <= 8, `${fetches} fetches in 0.8 s of nothing but paused partitions`)
  consumer.resume(partitions.slice(1))
  const seen = new Set<number>()
  for await (const { partition } of consumer) {
    seen.add(partition)
    if (seen.size === 3) break
  }
  assert.deepEqual(
    [...seen].toSorted((a, b) => a - b),
    [1, 2, 3],
  )
})

test('an application that does not ask for records does not have ever more of them in memory', async () => {
  await using place = await scene()
  const { kafka, partitions } = place
  await using producer = kafka.producer({ topic: 't', value: serde.bytes })
  for (let round = 0; round < 10; round++)
    await producer.sendAll(partitions.map(({ partition }) => ({ value: Buffer.alloc(500_000), partition })))
  await using consumer = kafka.consumer({ offsetReset: 'earliest', maxPartitionFetchBytes: 600_000 })
  consumer.assign(partitions)
  let read = 0
  const fetches = await fetchesDuring(async () => {
    for await (const record of consumer.records()) {
      read += record.rawValue!.length
      if (read === 500_000) await delay(700)
      else break
    }
  })
  // What is in memory at most: an answer that is handed out, one behind it, one on its way.
  assert.ok(fetches <= 8, `${fetches} fetches while one record was handled`)
})
