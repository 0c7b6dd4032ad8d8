/** What the thread is for, seen from the application: handlers that keep the event loop busy, with the client as it is delivered. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { Consumer } from '../../consumer/consumer.ts'
import { Kafka } from '../../kafka.ts'
import { serde } from '../../serde/serdes.ts'
import { MaxPollIntervalExceeded } from '../max-poll-interval-exceeded.ts'

/** Loading the code of the thread from sources takes a while, too. */
const SESSION_MS = 5000
const LONGER_MS = 1.2 * SESSION_MS
const configs = {
  'group.min.session.timeout.ms': 100,
  'group.consumer.assignment.interval.ms': 0,
  'group.consumer.min.heartbeat.interval.ms': 50,
  'group.consumer.heartbeat.interval.ms': 100,
  'group.consumer.min.session.timeout.ms': 100,
  'group.consumer.session.timeout.ms': SESSION_MS,
}

function burnCpu(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function hasBeaten(consumer: Consumer<unknown, unknown>): boolean {
  return consumer.metrics().some(({ name, value }) => name === 'heartbeat-total' && value > 0)
}

/** Twelve records in two partitions of a broker that has a thread of its own. */
async function orders(context: TestContext): Promise<Kafka> {
  const worker = new Worker(new URL('../testing/broker-in-worker.ts', import.meta.url), { workerData: { configs } })
  context.after(() => worker.terminate())
  const brokers = await new Promise<string>((resolve) => worker.once('message', resolve))
  const kafka = new Kafka({ brokers })
  await using admin = kafka.admin()
  await admin.createTopics([{ name: 'orders', numPartitions: 2 }])
  await using producer = kafka.producer({ topic: 'orders', value: serde.string })
  for (let count = 0; count < 12; count++) await producer.send({ partition: count % 2, value: `${count}` })
  return kafka
}

for (const groupProtocol of ['classic', 'consumer'] as const) {
  const options = {
    groupId: 'billing',
    topics: ['orders'],
    value: serde.string,
    offsetReset: 'earliest',
    groupProtocol,
    ...(groupProtocol === 'classic' ? { sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 100 } : {}),
  } as const

  test(`${groupProtocol}: a loop that burns CPU for longer than a session reads on, without a rebalance`, async (context) => {
    const kafka = await orders(context)
    const events: string[] = []
    await using consumer = kafka.consumer({
      ...options,
      onRebalance: {
        onAssigned: (partitions) => void events.push(`assigned ${partitions.length}`),
        onRevoked: (partitions) => void events.push(`revoked ${partitions.length}`),
        onLost: (partitions) => void events.push(`lost ${partitions.length}`),
      },
      onError: (error) => void events.push(error.message),
    })
    let count = 0
    for await (const record of consumer) {
      if (record.value !== null && ++count === 2) {
        // The thread is up when it has beaten.
        while (!hasBeaten(consumer)) await new Promise((resolve) => setTimeout(resolve, 10))
        burnCpu(LONGER_MS)
      }
      if (count === 12) break
    }
    await consumer.commit()
    assert.deepEqual(events, ['assigned 2'])
  })

  test(`${groupProtocol}: a handler that takes longer than maxPollIntervalMs is named, and its partition goes to the other member`, async (context) => {
    const kafka = await orders(context)
    const errors: Error[] = []
    const stuck = Promise.withResolvers<void>()
    const free = Promise.withResolvers<void>()
    const seen = new Set<string>()
    const allSeen = Promise.withResolvers<void>()
    await using slow = kafka.consumer({
      ...options,
      maxPollIntervalMs: 1000,
      onError: (error) => {
        errors.push(error)
        stuck.resolve()
      },
    })
    const slowRun = (async () => {
      for await (const record of slow) if (record.value !== null) await free.promise
    })()
    await stuck.promise
    await using other = kafka.consumer(options)
    const otherRun = (async () => {
      for await (const { value } of other) {
        seen.add(value!)
        if (seen.size === 12) allSeen.resolve()
      }
    })()
    await allSeen.promise
    const [error] = errors
    assert.ok(error instanceof MaxPollIntervalExceeded)
    assert.match(error.message, /^maxPollIntervalMs exceeded by \d+ ms: handler of orders-[01]\. /)
    free.resolve()
    await Promise.all([slow.close(), other.close()])
    await Promise.all([slowRun, otherRun])
  })
}
