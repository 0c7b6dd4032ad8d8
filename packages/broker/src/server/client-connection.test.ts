import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import {
  ApiVersions,
  CreateTopics,
  encodeRequestFrame,
  ErrorCode,
  Fetch,
  Metadata,
  Produce,
  Reader,
  readResponseHeader,
  type Api,
  type RequestInput,
} from '@millrace/protocol'
import { batchOf, RawClient, TestBroker } from '../testing/index.ts'

function frame<A extends Api>(api: A, version: number, correlationId: number, request: RequestInput<A>): Uint8Array {
  return Buffer.concat(encodeRequestFrame(api, version, correlationId, 'test', request))
}

function produceTo(topic: string, values: readonly string[], acks = 1): RequestInput<typeof Produce> {
  return {
    acks,
    timeoutMs: 5000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batchOf(values) }] }],
  }
}

function fetchFrom(topic: string, fetchOffset: bigint, maxWaitMs: number): RequestInput<typeof Fetch> {
  return {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] }],
  }
}

async function brokerWithTopic(name: string): Promise<TestBroker> {
  const broker = await TestBroker.start()
  const client = await broker.connect()
  const answer = await client.ask(CreateTopics, 5, {
    timeoutMs: 5000,
    topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  })
  assert.equal(answer.topics[0]?.errorCode, ErrorCode.NONE)
  client.close()
  return broker
}

async function correlationIds(client: RawClient, count: number): Promise<number[]> {
  const ids: number[] = []
  for (let at = 0; at < count; at++) {
    const answer = await client.frame(5000)
    assert.ok(typeof answer !== 'string', `expected an answer, the connection is ${String(answer)}`)
    ids.push(new Reader(answer).int32())
  }
  return ids
}

test('pipelined requests are answered in the order they were sent', async () => {
  await using broker = await brokerWithTopic('orders')
  const client = await broker.connect()
  client.write(
    Buffer.concat([
      frame(Produce, 7, 1, produceTo('orders', ['a'], -1)),
      frame(Produce, 7, 2, produceTo('orders', ['b'], 1)),
      frame(Metadata, 4, 3, { topics: null, allowAutoTopicCreation: false }),
      frame(Produce, 7, 4, produceTo('orders', ['c'])),
      frame(Fetch, 11, 5, fetchFrom('orders', 3n, 30)),
      frame(ApiVersions, 0, 6, {}),
    ]),
  )
  assert.deepEqual(await correlationIds(client, 6), [1, 2, 3, 4, 5, 6])
  client.close()
})

test('pipelined produces are appended in the order they were sent', async () => {
  await using broker = await brokerWithTopic('orders')
  const client = await broker.connect()
  const count = 50
  client.write(
    Buffer.concat(Array.from({ length: count }, (_, at) => frame(Produce, 7, at, produceTo('orders', [`${at}`])))),
  )
  for (let at = 0; at < count; at++) {
    const answer = await client.frame(5000)
    assert.ok(typeof answer !== 'string')
    const reader = new Reader(answer)
    assert.equal(readResponseHeader(reader, Produce, 7), at)
    const result = Produce.response.decode(reader, 7).responses[0]!.partitionResponses[0]!
    assert.deepEqual([result.errorCode, result.baseOffset], [ErrorCode.NONE, BigInt(at)])
  }
  client.close()
})

test('acks=0 is not answered, and its error closes the connection', async () => {
  await using broker = await brokerWithTopic('orders')
  const client = await broker.connect()
  client.write(frame(Produce, 7, 1, produceTo('orders', ['a'], 0)))
  client.write(frame(ApiVersions, 0, 2, {}))
  assert.deepEqual(await correlationIds(client, 1), [2])
  client.write(frame(Produce, 7, 3, produceTo('no-such-topic', ['a'], 0)))
  assert.equal(await client.frame(5000), 'closed')
})

test('a client that half-closes gets the answers it waits for, at once', async () => {
  await using broker = await brokerWithTopic('orders')
  const socket = connect({ host: '127.0.0.1', port: broker.port, allowHalfOpen: true })
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.end(frame(Fetch, 11, 9, fetchFrom('orders', 0n, 60_000)))
  await once(socket, 'close')
  const answer = Buffer.concat(received)
  assert.equal(answer.readInt32BE(4), 9)
})

test('a client that leaves while its fetch waits is noticed', async () => {
  await using broker = await brokerWithTopic('orders')
  const client = await broker.connect()
  client.write(frame(Fetch, 11, 1, fetchFrom('orders', 0n, 600_000)))
  client.write(frame(ApiVersions, 0, 2, {}))
  assert.equal(await client.frame(50), 'silent')
  assert.equal(broker.broker.connectionCount, 1)
  client.close()
  const started = performance.now()
  while (broker.broker.connectionCount > 0) {
    assert.ok(performance.now() - started < 5000, 'the connection is still there')
    await new Promise((resolve) => setImmediate(resolve))
  }
})

test('ApiVersions of an unknown version is answered in version 0 with the versions served', async () => {
  await using broker = await TestBroker.start()
  const client = await broker.connect()
  const request = frame(ApiVersions, 3, 5, { clientSoftwareName: 'test', clientSoftwareVersion: '1' })
  new DataView(request.buffer, request.byteOffset).setInt16(6, 99)
  client.write(request)
  const answer = await client.frame(5000)
  assert.ok(typeof answer !== 'string')
  const reader = new Reader(answer)
  assert.equal(reader.int32(), 5)
  const { errorCode, apiKeys } = ApiVersions.response.decode(reader, 0)
  assert.equal(errorCode, ErrorCode.UNSUPPORTED_VERSION)
  assert.deepEqual(apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  client.close()
})

test('an API or version that is not served ends the connection, and no other', async () => {
  await using broker = await TestBroker.start()
  const bystander = await broker.connect()
  for (const [apiKey, version] of [
    [3, 99],
    [999, 0],
    [-1, -1],
  ] as const) {
    const client = await broker.connect()
    const request = frame(Metadata, 1, 1, { topics: [] })
    const view = new DataView(request.buffer, request.byteOffset)
    view.setInt16(4, apiKey)
    view.setInt16(6, version)
    client.write(request)
    assert.equal(await client.frame(5000), 'closed')
  }
  assert.equal((await bystander.ask(ApiVersions, 0, {})).errorCode, ErrorCode.NONE)
  bystander.close()
})

test('a request that ends too early ends the connection', async () => {
  await using broker = await TestBroker.start()
  const client = await broker.connect()
  const request = frame(Metadata, 1, 1, { topics: [{ name: 'a' }] }).slice(0, -1)
  new DataView(request.buffer, request.byteOffset).setInt32(0, request.length - 4)
  client.write(request)
  assert.equal(await client.frame(5000), 'closed')
})

test('connections above max.connections.per.ip are refused', async () => {
  await using broker = await TestBroker.start({ configs: { 'max.connections.per.ip': 2 } })
  const first = await broker.connect()
  const second = await broker.connect()
  await first.ask(ApiVersions, 0, {})
  await second.ask(ApiVersions, 0, {})
  const third = await broker.connect()
  assert.equal(await third.frame(5000), 'closed')
  first.close()
  second.close()
})

test('a silent connection is closed after connections.max.idle.ms', async () => {
  await using broker = await TestBroker.start({
    configs: { 'connections.max.idle.ms': 50, 'connection.failed.authentication.delay.ms': 0 },
  })
  const client = await broker.connect()
  assert.equal(await client.frame(5000), 'closed')
})
