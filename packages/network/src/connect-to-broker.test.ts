import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ApiVersions, Fetch, ListOffsets, Metadata, Produce } from '@millrace/protocol'
import type { KafkaError, RequestHeader, ResponseInput } from '@millrace/protocol'
import { simulation } from '@millrace/runtime/testing'
import type { Simulation } from '@millrace/runtime/testing'
import type { BrokerConnection } from './broker-connection.ts'
import { connectToBroker } from './connect-to-broker.ts'
import type { ConnectToBrokerOptions } from './connect-to-broker.ts'
import { startScriptedBroker, type Served } from './testing/scripted-broker.ts'

const served = [
  { apiKey: ApiVersions.key, minVersion: 0, maxVersion: 4 },
  { apiKey: Metadata.key, minVersion: 0, maxVersion: 9 },
  { apiKey: Fetch.key, minVersion: 4, maxVersion: 12 },
  { apiKey: Produce.key, minVersion: 0, maxVersion: 9 },
]

/** A broker on a simulated host; what is not ApiVersions goes to `serve`. */
async function listen(
  world: Simulation,
  serve: (request: Served) => void,
  serveVersions?: (request: Served) => void,
): Promise<void> {
  await startScriptedBroker({
    ...world.host('broker').runtime,
    host: 'broker',
    port: 9092,
    apiKeys: served,
    serve,
    ...(serveVersions === undefined ? {} : { serveVersions }),
  })
}

const unexpected = (): void => assert.fail('only ApiVersions was expected')

function connect(world: Simulation, options: Partial<ConnectToBrokerOptions> = {}): Promise<BrokerConnection> {
  const { transport, clock } = world.host('client')
  return world.time.run(
    connectToBroker(transport, { host: 'broker', port: 9092 }, { clock, clientId: 'test', ...options }),
  )
}

/** Metadata whose answer tells which request it belongs to. */
const named = (clusterId: string): ResponseInput<typeof Metadata> => ({
  brokers: [],
  clusterId,
  controllerId: 1,
  topics: [],
})

test('the newest version that both know is used', async () => {
  const world = simulation(1)
  let seen: RequestHeader | undefined
  await listen(world, ({ header, answer }) => {
    seen = header
    answer(Metadata, named('c'))
  })
  const broker = await connect(world)
  assert.equal(broker.versionOf(Metadata), 9)
  assert.equal(broker.versionOf(Fetch), 12)
  assert.throws(() => broker.versionOf(ListOffsets), { code: 35, message: /does not serve ListOffsets/ })
  const response = await world.time.run(broker.send(Metadata, { topics: null }))
  assert.equal(response.clusterId, 'c')
  assert.deepEqual([seen?.apiVersion, seen?.clientId], [9, 'test'])
  await world.time.run(broker[Symbol.asyncDispose]())
})

test('answers find their requests, in whatever order, also when the ids wrap', async () => {
  const world = simulation(2)
  const waiting: Served[] = []
  await listen(world, (request) => {
    waiting.push(request)
    if (waiting.length === 6)
      for (const other of waiting.splice(0).reverse()) other.answer(Metadata, named(`${other.header.correlationId}`))
  })
  const broker = await connect(world)
  broker.nextCorrelationId = 0x7fffffff - 2
  const responses = await world.time.run(
    Promise.all(Array.from({ length: 6 }, () => broker.send(Metadata, { topics: [] }))),
  )
  assert.deepEqual(
    responses.map(({ clusterId }) => Number(clusterId)),
    [0x7ffffffd, 0x7ffffffe, 0x7fffffff, -0x80000000, -0x7fffffff, -0x7ffffffe],
  )
  assert.equal(broker.inFlight, 0)
})

test('a request without an answer times out, and its late answer harms nobody', async () => {
  const world = simulation(3)
  const waiting: Served[] = []
  await listen(world, (request) => waiting.push(request))
  const broker = await connect(world)
  const start = world.time.nowMs
  await assert.rejects(world.time.run(broker.send(Metadata, { topics: [] }, { timeoutMs: 100 })), {
    code: 7,
    message: /no answer to Metadata within 100 ms/,
  })
  assert.equal(world.time.nowMs - start, 100)
  const next = broker.send(Metadata, { topics: [] })
  await world.time.advance(10)
  for (const request of waiting) request.answer(Metadata, named(`${request.header.correlationId}`))
  const { clusterId } = await world.time.run(next)
  assert.equal(Number(clusterId), waiting[1]!.header.correlationId)
})

for (const { name, apiKeys, expected } of [
  { name: 'that names its range', apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 2 }], expected: [4, 2] },
  { name: 'that names none', apiKeys: [], expected: [4, 0] },
]) {
  test(`a broker that refuses our version of ApiVersions and ${name} is asked again`, async () => {
    const world = simulation(4)
    const asked: number[] = []
    await listen(world, unexpected, ({ header, answer }) => {
      asked.push(header.apiVersion)
      if (header.apiVersion > 2) answer(ApiVersions, { errorCode: 35, apiKeys }, 0)
      else answer(ApiVersions, { errorCode: 0, apiKeys: served })
    })
    const broker = await connect(world)
    assert.deepEqual(asked, expected)
    assert.equal(broker.versionOf(Metadata), 9)
  })
}

test('a broker that answers ApiVersions with an error is refused', async () => {
  const world = simulation(5)
  await listen(world, unexpected, ({ answer }) => answer(ApiVersions, { errorCode: 42, apiKeys: [] }))
  await assert.rejects(connect(world), { code: 42 })
})

test('when the connection goes every request fails, and further ones too', async () => {
  const world = simulation(6)
  await listen(world, ({ connection }) => connection.destroy())
  const broker = await connect(world)
  const sends = [broker.send(Metadata, { topics: [] }), broker.send(Metadata, { topics: [] })]
  for (const outcome of await world.time.run(Promise.allSettled(sends))) {
    assert.ok(outcome.status === 'rejected')
    const { code, retriable } = outcome.reason as KafkaError
    assert.deepEqual({ code, retriable }, { code: 13, retriable: true })
  }
  await world.time.run(broker.closed)
  assert.ok(!broker.isOpen)
  await assert.rejects(broker.send(Metadata, { topics: [] }), { code: 13 })
})

test('an answer nobody asked for, or one that cannot be read, is told', async () => {
  const world = simulation(7)
  await listen(world, ({ header, connection }) => {
    const id = header.correlationId + (header.apiKey === Produce.key ? 1 : 0)
    connection.write([Uint8Array.of(0, 0, 0, 6, id >> 24, id >> 16, id >> 8, id, 0, 7)], () => {})
  })
  const broker = await connect(world)
  await assert.rejects(world.time.run(broker.send(Metadata, { topics: [] })), {
    code: 2,
    message: /the answer to Metadata version 9 cannot be read/,
  })
  assert.ok(broker.isOpen)
  await assert.rejects(world.time.run(broker.send(Produce, { acks: 1, timeoutMs: 1000, topicData: [] })), {
    code: 13,
    message: /answered a request that was not made/,
  })
})

test('a request without an answer is sent, and observed', async () => {
  const world = simulation(8)
  let seen: RequestHeader | undefined
  await listen(world, ({ header }) => (seen = header))
  const observed: string[] = []
  const broker = await connect(world, {
    observer: {
      requestSent: ({ name }, sizeBytes) => observed.push(`${name} sent, ${sizeBytes > 0}`),
      requestEnded: ({ api }) => observed.push(`${api.name} ended`),
    },
  })
  observed.length = 0
  await world.time.run(broker.sendUnanswered(Produce, { acks: 0, timeoutMs: 1000, topicData: [] }))
  await world.time.advance(10)
  assert.equal(seen?.apiKey, Produce.key)
  assert.equal(broker.inFlight, 0)
  assert.deepEqual(observed, ['Produce sent, true'])
})

test('too many requests at once are refused', async () => {
  const world = simulation(9)
  await listen(world, () => {})
  const broker = await connect(world, { maxInFlight: 2 })
  const sends = [1, 2].map(() => broker.send(Metadata, { topics: [] }))
  await assert.rejects(broker.send(Metadata, { topics: [] }), { code: 13, message: /2 requests on this connection/ })
  const disposed = broker[Symbol.asyncDispose]()
  for (const outcome of await world.time.run(Promise.allSettled(sends))) {
    assert.ok(outcome.status === 'rejected')
    assert.match((outcome.reason as KafkaError).message, /closed by its owner/)
  }
  await world.time.run(disposed)
})

test('records of an answer outlive its frame', async () => {
  const world = simulation(10)
  await listen(world, ({ answer, header }) => {
    if (header.apiKey === Metadata.key) answer(Metadata, named('overwrites what was there'))
    else
      answer(Fetch, {
        responses: [
          {
            topic: 't',
            partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1n, records: new Uint8Array(50).fill(7) }],
          },
        ],
      })
  })
  const broker = await connect(world)
  const fetched = await world.time.run(broker.send(Fetch, { maxWaitMs: 0, minBytes: 0, topics: [] }))
  await world.time.run(broker.send(Metadata, { topics: [] }))
  assert.deepEqual(fetched.responses[0]!.partitions[0]!.records, new Uint8Array(50).fill(7))
})
