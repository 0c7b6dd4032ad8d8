import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, Fetch, Metadata } from '@millrace/protocol'
import type { KafkaError, ResponseInput } from '@millrace/protocol'
import { BufferPool, nodeRuntime, silentLogger } from '@millrace/runtime'
import { simulation, type Simulation } from '@millrace/runtime/testing'
import type { BrokerConnection } from './broker-connection.ts'
import { connectToBroker, type ConnectToBrokerOptions } from './connect-to-broker.ts'
import { ReceiveMemory } from './receive-memory.ts'
import { answerWithId } from './testing/sasl-broker.ts'
import { startScriptedBroker, type Served } from './testing/scripted-broker.ts'

const apiKeys = [
  { apiKey: Metadata.key, minVersion: 0, maxVersion: 9 },
  { apiKey: Fetch.key, minVersion: 4, maxVersion: 12 },
]

async function connect(
  world: Simulation,
  serve: (request: Served) => void,
  options: Partial<ConnectToBrokerOptions> = {},
): Promise<BrokerConnection> {
  await startScriptedBroker({ ...world.host('broker').runtime, host: 'broker', port: 9092, apiKeys, serve })
  const { transport, clock } = world.host('client')
  const all = { clock, clientId: 'test', ...options }
  return world.time.run(connectToBroker(transport, { host: 'broker', port: 9092 }, all))
}

test('with closeOnTimeout a request without an answer takes the connection with it', async () => {
  const world = simulation(1)
  const broker = await connect(world, () => {}, { closeOnTimeout: true })
  const ends = await world.time.run(
    Promise.allSettled([100, 1_000].map((timeoutMs) => broker.send(Metadata, { topics: [] }, { timeoutMs }))),
  )
  const [first, second] = ends.map((end) => (end as PromiseRejectedResult).reason as KafkaError)
  assert.deepEqual([first!.code, first!.retriable], [ErrorCode.REQUEST_TIMED_OUT, true])
  assert.deepEqual([second!.code, second!.retriable], [ErrorCode.NETWORK_EXCEPTION, true])
  assert.equal(second!.message, 'the connection is taken for dead: broker:9092: no answer to Metadata within 100 ms')
  await world.time.run(broker.closed)
  assert.ok(!broker.isOpen)
  assert.equal(broker.inFlight, 0)
})

test('a connection cut by the network, of which nobody tells, is noticed by the first time-out', async () => {
  const world = simulation(2)
  const broker = await connect(world, answerWithId, { closeOnTimeout: true, requestTimeoutMs: 3_000 })
  await world.time.run(broker.send(Metadata, { topics: [] }))
  world.network.partition('client', 'broker')
  await assert.rejects(world.time.run(broker.send(Metadata, { topics: [] })), { code: ErrorCode.REQUEST_TIMED_OUT })
  assert.ok(!broker.isOpen)
})

test('each request has a time of its own, and one timer serves them all', async () => {
  const world = simulation(3)
  const broker = await connect(world, () => {})
  const start = world.time.nowMs
  const times = [500, 100, 300, 100, 900, 200]
  const ends = times.map((timeoutMs) =>
    broker.send(Metadata, { topics: [] }, { timeoutMs }).catch((error: KafkaError) => {
      assert.match(error.message, new RegExp(`within ${timeoutMs} ms`))
      return world.time.nowMs - start
    }),
  )
  const ended = (await world.time.run(Promise.all(ends))) as number[]
  for (const [at, timeoutMs] of times.entries()) assert.ok(Math.abs(ended[at]! - timeoutMs) < 0.01, `${ended[at]}`)
})

test('an answer with more in it than its version has is read as far as it is known', async () => {
  const world = simulation(4)
  const broker = await connect(world, ({ header, connection }) => {
    // Metadata version 0: no brokers, no topics, and then something.
    const id = header.correlationId
    const body = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]
    connection.write([Uint8Array.of(0, 0, 0, body.length + 4, id >> 24, id >> 16, id >> 8, id, ...body)], () => {})
  })
  const answer = await world.time.run(broker.send(Metadata, { topics: [] }, { version: 0 }))
  assert.deepEqual(answer.topics, [])
})

test('an answer that is longer than allowed ends the connection', async () => {
  const world = simulation(5)
  const broker = await connect(
    world,
    ({ answer }) => answer(Metadata, { brokers: [], clusterId: 'c'.repeat(2_000), controllerId: 1, topics: [] }),
    { maxFrameBytes: 1_000 },
  )
  await assert.rejects(world.time.run(broker.send(Metadata, { topics: [] })), {
    code: ErrorCode.NETWORK_EXCEPTION,
    message: /expected an answer of 0 to 1000 bytes, got the length 20\d\d/,
  })
})

/** A Fetch answer with `records` bytes of one value. */
const fetched = (records: Uint8Array): ResponseInput<typeof Fetch> => ({
  responses: [{ topic: 't', partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1n, records }] }],
})

for (const { name, bytes } of [
  { name: 'small', bytes: 1_000 },
  { name: 'large', bytes: 300_000 },
]) {
  test(`a ${name} frame that is kept is never written to again, and its memory no longer counts`, async () => {
    const world = simulation(6)
    const { clock } = world.host('client')
    const pool = new BufferPool({ maxKeptBytes: 1 << 24 })
    const memory = new ReceiveMemory({ pool, clock, logger: silentLogger, limitBytes: 1 << 26 })
    let fill = 0
    const broker = await connect(world, ({ answer }) => answer(Fetch, fetched(new Uint8Array(bytes).fill(++fill))), {
      memory,
    })
    const request = { maxWaitMs: 0, minBytes: 0, topics: [] }
    const kept: Uint8Array[] = []
    for (let i = 0; i < 10; i++) {
      const frame = await world.time.run(broker.exchange(Fetch, request, { version: 12 }))
      if (i % 3 === 2) frame.release()
      else kept.push(frame.keep())
      assert.throws(() => frame.keep(), /released twice/)
    }
    const fillOf = (frame: Uint8Array): number => frame[frame.length >> 1]!
    assert.deepEqual(kept.map(fillOf), [1, 2, 4, 5, 7, 8, 10])
    for (const frame of kept) assert.ok(frame.subarray(200, frame.length - 200).every((byte) => byte === fillOf(frame)))
    assert.ok(memory.usedBytes <= 1 << 16, `${memory.usedBytes} bytes`)
  })
}

test('over a real connection answers find their requests across the wrap of the ids', async () => {
  const { transport, clock } = nodeRuntime()
  const waiting: Served[] = []
  await using listener = await startScriptedBroker({
    transport,
    clock,
    host: '127.0.0.1',
    port: 0,
    apiKeys,
    serve: (request) => {
      waiting.push(request)
      if (waiting.length === 100) for (const other of waiting.splice(0).reverse()) answerWithId(other)
    },
  })
  await using broker = await connectToBroker(transport, listener.address, { clock, clientId: null })
  broker.nextCorrelationId = 0x7fffffff - 50
  const answers = await Promise.all(Array.from({ length: 200 }, () => broker.send(Metadata, { topics: [] })))
  assert.deepEqual(
    answers.map(({ clusterId }) => Number(clusterId)),
    Array.from({ length: 200 }, (_, i) => (0x7fffffff - 50 + i) | 0),
  )
})
