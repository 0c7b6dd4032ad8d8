/** What the producer makes of a leader's answers, and of none. */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, InitProducerId, KafkaError, Metadata, readRecords } from '@millrace/protocol'
import { silentLogger, type Logger } from '@millrace/runtime'
import { Kafka } from '../../kafka.ts'
import type { ClientMetric } from '../../observe/metrics.ts'
import { answers } from '../../testing/scripted-broker.ts'
import { realWorld } from '../../world.ts'
import type { ProducerOptions } from '../options.ts'
import type { Unserialized } from '../open-producer.ts'
import { ScriptedLeader, type LeaderOptions } from '../testing/scripted-leader.ts'

type Options = Omit<ProducerOptions<Unserialized, Unserialized>, 'topic'>

async function start(leading: LeaderOptions, options: Options = {}) {
  const leader = await ScriptedLeader.start(leading)
  const kafka = new Kafka({
    brokers: leader.address,
    enableMetricsPush: false,
    retryBackoffMs: 1,
    retryBackoffMaxMs: 5,
    reconnectBackoffMs: 1,
    reconnectBackoffMaxMs: 5,
  })
  const producer = kafka.producer({ lingerMs: 0, ...options, topic: 't' })
  return {
    leader,
    kafka,
    producer,
    async [Symbol.asyncDispose]() {
      await producer.close({ timeoutMs: 0 })
      await leader[Symbol.asyncDispose]()
    },
  }
}

const metric = (producer: { metrics(): readonly ClientMetric[] }, name: string): number =>
  producer.metrics().find((one) => one.name === name)!.value

const codeOf = (settled: PromiseSettledResult<unknown>): number | null =>
  settled.status === 'fulfilled' ? null : (settled.reason as KafkaError).code

for (const errorCode of [
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.CORRUPT_MESSAGE,
])
  test(`error ${errorCode} passes: the same batch comes again, with its number, in order`, async () => {
    await using world = await start({ answer: ({ index }) => (index < 3 ? { errorCode } : {}) }, { batchSize: 1 })
    const written = await Promise.all(['a', 'b', 'c'].map((value) => world.producer.send({ value })))
    assert.deepEqual(
      written.map(({ offset }) => offset),
      [0n, 1n, 2n],
    )
    const { seen } = world.leader
    assert.deepEqual(
      seen.slice(3).map(({ values, baseSequence }) => [values[0], baseSequence]),
      [
        ['a', 0],
        ['b', 1],
        ['c', 2],
      ],
    )
  })

test('errors of single records are theirs, and the others hear why they were not written', async () => {
  await using world = await start({
    answer: () => ({
      errorCode: ErrorCode.INVALID_RECORD,
      errorMessage: 'records are bad',
      recordErrors: [
        { batchIndex: 1, batchIndexErrorMessage: 'no key' },
        { batchIndex: 2, batchIndexErrorMessage: null },
      ],
    }),
  })
  const settled = await Promise.allSettled(['a', 'b', 'c'].map((value) => world.producer.send({ value })))
  assert.deepEqual(settled.map(codeOf), [87, 87, 87])
  const messages = settled.map((one) => String((one as PromiseRejectedResult).reason.message))
  assert.match(messages[0]!, /not written, as 2 other record\(s\) of its batch to t-0 were refused/)
  assert.equal(messages[1], 'no key')
  assert.equal(messages[2], 'records are bad')
})

test('a duplicate that the leader does not remember is a success without offset', async () => {
  await using world = await start({ answer: () => ({ errorCode: ErrorCode.DUPLICATE_SEQUENCE_NUMBER }) })
  assert.equal((await world.producer.send({ value: 'v' })).offset, -1n)
})

test('a leader that misses a record has lost it: what follows begins a new epoch', async () => {
  await using world = await start({
    answer: ({ epoch, index }) =>
      epoch === 0 && index > 0 ? { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER } : {},
  })
  await world.producer.send({ value: 'a' })
  await world.producer.send({ value: 'b' })
  assert.deepEqual(
    world.leader.seen.map(({ values, epoch, baseSequence }) => [values[0], epoch, baseSequence]),
    [
      ['a', 0, 0],
      ['b', 0, 1],
      ['b', 1, 0],
    ],
  )
})

test('a leader that has forgotten the producer, as all its records are gone, gets them from 0 on', async () => {
  await using world = await start({
    answer: ({ index }) => (index === 1 ? { errorCode: ErrorCode.UNKNOWN_PRODUCER_ID, logStartOffset: 10n } : {}),
  })
  await world.producer.send({ value: 'a' })
  await world.producer.send({ value: 'b' })
  assert.deepEqual(
    world.leader.seen.map(({ epoch, baseSequence }) => [epoch, baseSequence]),
    [
      [0, 0],
      [0, 1],
      [1, 0],
    ],
  )
})

test('what a leader refuses for good fails once, with advice, and those behind it are written', async () => {
  await using world = await start(
    { answer: ({ values }) => (values[0] === 'b' ? { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED } : {}) },
    { batchSize: 1, maxInFlightRequestsPerConnection: 1 },
  )
  const settled = await Promise.allSettled(['a', 'b', 'c'].map((value) => world.producer.send({ value })))
  assert.deepEqual(settled.map(codeOf), [null, ErrorCode.TOPIC_AUTHORIZATION_FAILED, null])
  assert.match(String((settled[1] as PromiseRejectedResult).reason), /needs the operation Write on the topic/)
})

test('a partition that the answer leaves out, and an unanswered request, come again', async () => {
  await using world = await start(
    { answer: ({ index }) => (index === 0 ? null : {}) },
    { requestTimeoutMs: 1_500, deliveryTimeoutMs: 60_000 },
  )
  assert.equal((await world.producer.send({ value: 'v' })).offset, 0n)
  assert.equal(world.leader.seen.length, 2)
})

test('retries end: by number, and by the delivery time-out', async () => {
  await using counted = await start(
    { answer: () => ({ errorCode: ErrorCode.NOT_ENOUGH_REPLICAS, errorMessage: 'min.insync.replicas is 2' }) },
    { retries: 3 },
  )
  await assert.rejects(counted.producer.send({ value: 'v' }), /after 4 attempts: NOT_ENOUGH_REPLICAS: min\.insync/)
  assert.equal(counted.leader.seen.length, 4)

  await using timed = await start(
    { answer: () => ({ errorCode: ErrorCode.NOT_ENOUGH_REPLICAS }) },
    { requestTimeoutMs: 1_000, deliveryTimeoutMs: 1_000 },
  )
  await assert.rejects(timed.producer.send({ value: 'v' }), (error) => {
    assert.ok(error instanceof KafkaError)
    assert.ok([ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_ENOUGH_REPLICAS].includes(error.code as 7))
    return true
  })
})

test('no more requests are on their way than may be, and a waiting batch fills', async () => {
  const gate = Promise.withResolvers<void>()
  let unanswered = 0
  let most = 0
  await using world = await start(
    {
      answer: async () => {
        most = Math.max(most, ++unanswered)
        await gate.promise
        unanswered--
        return {}
      },
    },
    // An idempotent one waits for the first acknowledgement of a partition before it sends more.
    { maxInFlightRequestsPerConnection: 2, enableIdempotence: false },
  )
  await world.producer.partitionsFor('t')
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
  const sends: Promise<unknown>[] = []
  for (let turn = 0; turn < 6; turn++) {
    sends.push(world.producer.send({ value: `v${turn}` }))
    await nextTurn()
    while (world.leader.seen.length < Math.min(2, turn + 1)) await nextTurn()
  }
  gate.resolve()
  await Promise.all(sends)
  assert.equal(most, 2)
  assert.deepEqual(
    world.leader.seen.map(({ values }) => values.length),
    [1, 1, 4],
  )
})

test('memory that is full lets sends wait their turn, and fails those that wait too long', async () => {
  const gate = Promise.withResolvers<void>()
  await using world = await start(
    { answer: async () => (await gate.promise, {}) },
    { bufferMemory: 500, maxRequestSize: 400, batchSize: 200, maxBlockMs: 2_000 },
  )
  const value = 'x'.repeat(150)
  const order: number[] = []
  const sends = Array.from({ length: 20 }, async (_, index) => {
    await world.producer.send({ value })
    order.push(index)
  })
  const hasty = world.producer.send({ value }, { signal: AbortSignal.timeout(20) })
  await assert.rejects(hasty, { name: 'TimeoutError' })
  gate.resolve()
  await Promise.all(sends)
  assert.deepEqual(
    order,
    order.toSorted((one, other) => one - other),
  )
  assert.equal(world.leader.seen.flatMap(({ values }) => values).length, 20)
  assert.ok(metric(world.producer, 'bufferpool-wait-time-ns-total') > 0)
  assert.ok(metric(world.producer, 'bufferpool-wait-ratio') > 0)
  assert.equal(metric(world.producer, 'buffer-exhausted-total'), 0)

  await using stuck = await start({ answer: () => null }, { bufferMemory: 300, maxRequestSize: 300, maxBlockMs: 2_000 })
  const [, , third] = [1, 2, 3].map(() => {
    const sent = stuck.producer.send({ value })
    sent.catch(() => {})
    return sent
  })
  await assert.rejects(third!, /no memory for the record within 2000 ms/)
  assert.ok(metric(stuck.producer, 'buffer-exhausted-total') > 0)
})

test('an array larger than memory is sent in the order of its records', async () => {
  await using world = await start({}, { bufferMemory: 2_000, maxRequestSize: 1_000, batchSize: 500 })
  const values = Array.from({ length: 500 }, (_, index) => `${index} ${'x'.repeat(40)}`)
  const written = await world.producer.sendAll(values.map((value) => ({ value })))
  assert.deepEqual(
    written.map(({ offset }) => offset),
    values.map((_, index) => BigInt(index)),
  )
  assert.deepEqual(
    world.leader.seen.flatMap((batch) => batch.values),
    values,
  )
})

test('one request carries several partitions, up to its size', async () => {
  await using world = await start({ partitions: 4 }, { batchSize: 300, maxRequestSize: 700 })
  await world.producer.partitionsFor('t')
  await world.producer.sendAll([0, 1, 2, 3].map((partition) => ({ partition, value: 'x'.repeat(150) })))
  assert.deepEqual(
    world.leader.requests.map(({ topicData }) => topicData[0]!.partitionData.length),
    [3, 1],
  )
})

test('without permission for a producer id records fail with advice, and later ones ask again', async () => {
  let asked = 0
  await using world = await start({
    scripts: [
      answers(InitProducerId, () => ({
        throttleTimeMs: 0,
        errorCode: asked++ === 0 ? ErrorCode.CLUSTER_AUTHORIZATION_FAILED : 0,
        producerId: 9n,
        producerEpoch: 0,
      })),
    ],
  })
  await assert.rejects(
    world.producer.send({ value: 'v' }),
    /IdempotentWrite on the cluster; grant it, or set enableIdempotence/,
  )
  assert.equal((await world.producer.send({ value: 'v' })).offset, 0n)
})

test('sendAndForget tells onError, whatever that does', async () => {
  const failures: Error[] = []
  await using world = await start(
    { answer: () => ({ errorCode: ErrorCode.INVALID_RECORD }) },
    {
      onError: (error) => {
        failures.push(error)
        throw new Error('bug')
      },
    },
  )
  world.producer.sendAndForget({ value: 'v' })
  await world.producer.flush()
  assert.equal(failures.length, 1)
})

test('interceptors see records go out and what became of them; one that throws is passed over', async () => {
  const seen: string[] = []
  await using world = await start(
    { answer: ({ values }) => (values[0] === 'bad!' ? { errorCode: ErrorCode.INVALID_RECORD } : {}) },
    {
      batchSize: 1,
      interceptors: [
        {
          onSend() {
            throw new Error('bug')
          },
        },
        {
          onSend: (record) => ({ ...record, value: `${String(record.value)}!` as never }),
          onAcknowledgement: ({ offset }, error) => seen.push(`${offset} ${error === null}`),
        },
      ],
    },
  )
  await world.producer.send({ value: 'good' })
  await assert.rejects(world.producer.send({ value: 'bad' }))
  await assert.rejects(world.producer.send({ value: 'v', partition: -1 }), RangeError)
  assert.deepEqual(seen, ['0 true', '-1 false', '-1 false'])
  assert.deepEqual(world.leader.seen[0]!.values, ['good!'])
})

test('flush sends what lingers, and resolves when all before it is settled', async () => {
  await using world = await start({}, { lingerMs: 60_000, deliveryTimeoutMs: 100_000 })
  const settled: string[] = []
  void world.producer.send({ value: 'a' }).then(() => settled.push('a'))
  await world.producer.flush()
  assert.deepEqual(settled, ['a'])
  const sent = world.producer.send({ value: 'b' })
  await world.producer.close()
  assert.equal((await sent).offset, 1n)
  await assert.rejects(world.producer.send({ value: 'c' }), /the producer is closed/)
  await assert.rejects(world.producer.sendAll([{ value: 'c' }]), /the producer is closed/)
  assert.throws(() => world.producer.sendAndForget({ value: 'c' }), /the producer is closed/)
})

test('close does not hang on a leader that does not answer, and fails what is left', async () => {
  await using world = await start({ answer: () => null })
  const sent = world.producer.send({ value: 'v' })
  const failed = assert.rejects(sent, /the producer is closed/)
  await world.producer.close({ timeoutMs: 10 })
  await failed
})

test('records to a partition that does not exist fail in time, and hold up no others', async () => {
  await using world = await start({ partitions: 2 }, { maxBlockMs: 2_000 })
  const missing = world.producer.send({ value: 'v', partition: 2 })
  const failed = assert.rejects(
    missing,
    /t has 2 partitions, numbered from 0; after 2000 ms there still was no partition 2/,
  )
  await failed
  assert.equal((await world.producer.send({ value: 'v', partition: 1 })).partition, 1)
})

test('a leader that names its successor sends the batch there without delay (KIP-951)', async () => {
  await using next = await ScriptedLeader.start()
  const endpoint = { nodeId: 2, host: '127.0.0.1', port: next.broker.port, rack: null }
  await using world = await start(
    {
      answer: () => ({
        errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER,
        currentLeader: { leaderId: 2, leaderEpoch: 6 },
      }),
      around: { nodeEndpoints: [endpoint] },
    },
    { retryBackoffMs: 5_000, retryBackoffMaxMs: 5_000 },
  )
  const { clock } = realWorld()
  const startedAtMs = clock.monotonicMs()
  await world.producer.send({ value: 'v' })
  assert.ok(clock.monotonicMs() - startedAtMs < 4_000)
  assert.deepEqual([world.leader.seen.length, next.seen.length], [1, 1])
})

test('records that linger wait for others, but not for ever, and a full batch waits for nobody', async () => {
  await using hasty = await start({}, { lingerMs: 20, batchSize: 400 })
  await hasty.producer.send({ value: 'alone' })
  assert.equal(hasty.leader.seen.length, 1)

  await using world = await start({}, { lingerMs: 2_000, batchSize: 400 })
  await world.producer.partitionsFor('t')
  const slow = world.producer.send({ value: 'a' })
  await new Promise((resolve) => setImmediate(resolve))
  const slower = world.producer.send({ value: 'b' })
  await Promise.all([slow, slower])
  assert.deepEqual(world.leader.seen[0]!.values, ['a', 'b'])

  await using patient = await start({}, { lingerMs: 50_000, deliveryTimeoutMs: 90_000, batchSize: 400 })
  const values = ['x'.repeat(200), 'y'.repeat(200)]
  await patient.producer.send({ value: values[0]! + values[1]! })
  assert.equal(patient.leader.seen.length, 1)
})

test('batch size 0 sends each record in a batch of its own', async () => {
  await using world = await start({}, { batchSize: 0 })
  await world.producer.sendAll(['a', 'b', 'c'].map((value) => ({ value })))
  assert.deepEqual(
    world.leader.seen.map(({ values }) => values),
    [['a'], ['b'], ['c']],
  )
})

test('tracing sees each record go out and end, and its headers go along', async () => {
  const ended: string[] = []
  let count = 0
  await using world = await start(
    {},
    {
      tracing: {
        sending: ({ topic }, addHeader) => {
          const id = ++count
          if (id === 2) throw new Error('bug')
          addHeader('traceparent', `00-${id}`)
          return (metadata, error) => ended.push(`${topic} ${id} ${metadata?.offset} ${error === null}`)
        },
        handling: (_record, _groupId, handler) => handler(),
      },
    },
  )
  const records = [{ value: 'a', headers: { own: 'x' } }, { value: 'b' }, { value: 'c' }]
  await world.producer.sendAll(records)
  assert.deepEqual(ended, ['t 1 0 true', 't 3 2 true'])
  assert.deepEqual(
    [...readRecords(world.leader.requests[0]!.topicData[0]!.partitionData[0]!.records!, 0)].map(({ headers }) =>
      headers.map(({ key, value }) => `${key}=${Buffer.from(value!).toString()}`),
    ),
    [['own=x', 'traceparent=00-1'], [], ['traceparent=00-3']],
  )
})

test('after a batch whose retries are used up nothing goes out with a gap before it: a new epoch begins', async () => {
  await using world = await start(
    { answer: ({ index }) => (index < 2 ? { errorCode: ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND } : {}) },
    { retries: 1 },
  )
  await assert.rejects(world.producer.send({ value: 'a' }), { code: ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND })
  await world.producer.send({ value: 'b' })
  assert.deepEqual(
    world.leader.seen.map(({ values, baseSequence, epoch }) => [values[0], baseSequence, epoch]),
    [
      ['a', 0, 0],
      ['a', 0, 0],
      ['b', 0, 1],
    ],
  )
})

test('a leader that is not among the brokers is waited for without haste', async () => {
  await using leader = await ScriptedLeader.start({ leaderId: 9 })
  let attempts = 0
  const logger: Logger = { ...silentLogger, debug: () => void attempts++, child: () => logger }
  const kafka = new Kafka({ brokers: leader.address, enableMetricsPush: false, logger })
  await using producer = kafka.producer({ topic: 't', lingerMs: 0, deliveryTimeoutMs: 400, requestTimeoutMs: 300 })
  await assert.rejects(producer.send({ value: 'v' }), { code: ErrorCode.REQUEST_TIMED_OUT })
  assert.ok(attempts < 50, `${attempts} attempts in 400 ms`)
})

test('a topic that does not exist is asked for with pauses until the time of the send is over', async () => {
  let asked = 0
  await using leader: ScriptedLeader = await ScriptedLeader.start({
    scripts: [
      answers(Metadata, () => {
        asked++
        return {
          brokers: [{ nodeId: 1, host: '127.0.0.1', port: leader.broker.port }],
          controllerId: 1,
          topics: [{ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name: 't', partitions: [] }],
        }
      }),
    ],
  })
  const kafka = new Kafka({ brokers: leader.address, enableMetricsPush: false, retryBackoffMs: 100 })
  await using producer = kafka.producer({ topic: 't', maxBlockMs: 1_500 })
  await assert.rejects(producer.send({ value: 'v' }), { code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION })
  assert.ok(asked < 12, `asked ${asked} times in 1.5 s`)
})

test('a record to a partition that does not exist takes no others of its array with it', async () => {
  await using world = await start({ partitions: 1 }, { maxBlockMs: 2_000 })
  const [missing, there] = [
    { value: 'a', partition: 1 },
    { value: 'b', partition: 0 },
  ]
  await assert.rejects(world.producer.sendAll([missing, there]), /there still was no partition 1/)
  assert.deepEqual(
    world.leader.seen.map(({ values }) => values),
    [['b']],
  )
})
