/**
 * A whole broker and its clients in a simulated world, which fails as the real one may. Each run follows from its seed, which is in the
 * name of a test that fails; `MILLRACE_SEED=n` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConnection } from '@millrace/network'
import {
  AlterReplicaLogDirs,
  ApiVersions,
  DescribeLogDirs,
  ErrorCode,
  errorName,
  Fetch,
  forEachBatch,
  KafkaError,
  ListOffsets,
  Produce,
  readRecords,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { directories, SimulatedBroker } from './testing/simulated-broker.ts'

interface Sent {
  readonly topic: string
  readonly index: number
  readonly values: readonly string[]
  readonly timeoutMs?: number
}

async function produce(
  client: BrokerConnection,
  { topic, index, values, timeoutMs = 5000 }: Sent,
): Promise<{ errorCode: number; baseOffset: bigint }> {
  const builder = new RecordBatchBuilder({})
  for (const value of values) builder.append({ timestamp: -1n, value: Buffer.from(value) })
  const answer = await client.send(
    Produce,
    { acks: -1, timeoutMs, topicData: [{ name: topic, partitionData: [{ index, records: builder.build() }] }] },
    { version: 9 },
  )
  return answer.responses[0]!.partitionResponses[0]!
}

/** All values of a partition, by offset. */
async function readAll(client: BrokerConnection, topic: string, index: number): Promise<Map<bigint, string>> {
  const values = new Map<bigint, string>()
  const { topics } = await client.send(ListOffsets, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: index, timestamp: -1n }] }],
  })
  const { offset: end, errorCode } = topics[0]!.partitions[0]!
  assert.equal(errorName(errorCode), 'NONE')
  for (let offset = 0n; offset < end;) {
    const { responses } = await client.send(
      Fetch,
      {
        maxWaitMs: 0,
        minBytes: 1,
        topics: [{ topic, partitions: [{ partition: index, fetchOffset: offset, partitionMaxBytes: 1 << 20 }] }],
      },
      { version: 11 },
    )
    const { records, errorCode: failure } = responses[0]!.partitions[0]!
    assert.equal(errorName(failure), 'NONE')
    const before = offset
    forEachBatch(records!, (at) => {
      for (const record of readRecords(records!, at)) {
        assert.equal(record.offset, offset, 'offsets have no holes')
        values.set(offset++, Buffer.from(record.value!).toString())
      }
    })
    assert.ok(offset > before, `no records at ${offset} of ${end}`)
  }
  return values
}

const isGone = (error: unknown): boolean =>
  error instanceof KafkaError &&
  (error.code === ErrorCode.NETWORK_EXCEPTION || error.code === ErrorCode.REQUEST_TIMED_OUT)

const only = process.env['MILLRACE_SEED']
const seeds = only === undefined ? [1, 2, 3, 4] : [Number(only)]

for (const seed of seeds)
  test(`seed ${seed}: what a synced topic acknowledged is there after every crash`, async () => {
    const world = new SimulatedBroker(seed)
    const { sim, host } = world
    const { random } = sim
    await world.start()
    await world.createTopic('t', 3, { 'flush.messages': '1', 'segment.bytes': String(1 << 20) })
    const acknowledged = [0, 1, 2].map(() => new Map<bigint, string>())
    let next = 0
    let checked = 0

    async function producer(): Promise<void> {
      const client = await world.connect()
      for (;;) {
        const index = random.integer(3)
        const size = random.integer(5) === 0 ? 40_000 : 100
        const values = Array.from({ length: 1 + random.integer(4) }, () => `${next++}:`.padEnd(size, 'x'))
        const { errorCode, baseOffset } = await produce(client, { topic: 't', index, values })
        assert.equal(errorName(errorCode), 'NONE')
        values.forEach((value, at) => acknowledged[index]!.set(baseOffset + BigInt(at), value))
      }
    }

    for (let round = 0; round < 5; round++) {
      const producers = Array.from({ length: 4 }, () =>
        producer().catch((error: unknown) => {
          if (!isGone(error)) throw error
        }),
      )
      await sim.time.advance(20 + random.integer(300))
      if (random.integer(2) === 0) host.clock.jumpWall((random.integer(7200) - 3600) * 500)
      await sim.time.advance(random.integer(100))
      const how = random.integer(3)
      if (how < 2) world.crash(how === 1)
      else await world.stop()
      await world.run(Promise.all(producers))
      await world.start()
      const client = await world.run(world.connect())
      for (const [index, expected] of acknowledged.entries()) {
        const found = await world.run(readAll(client, 't', index))
        for (const [offset, value] of expected) {
          assert.equal(found.get(offset), value, `round ${round}: partition ${index} lost or changed offset ${offset}`)
          checked++
        }
      }
      await world.run(client[Symbol.asyncDispose]())
    }
    assert.ok(checked > 100, `only ${checked} records were checked`)
    await world.stop()
  })

for (const seed of seeds.slice(0, 2))
  test(`seed ${seed}: a replica moves between directories under load without losing or repeating a record`, async () => {
    const world = new SimulatedBroker(seed)
    const { sim } = world
    await world.start()
    await world.createTopic('t', 1, { 'segment.bytes': String(1 << 20) })
    const acknowledged = new Map<bigint, string>()
    let next = 0
    let isOver = false
    const producers = Array.from({ length: 4 }, async () => {
      const client = await world.connect()
      while (!isOver) {
        const values = [`${next++}:`.padEnd(10 + sim.random.integer(20_000), 'x')]
        const { errorCode, baseOffset } = await produce(client, { topic: 't', index: 0, values })
        assert.equal(errorName(errorCode), 'NONE')
        acknowledged.set(baseOffset, values[0]!)
      }
    })
    const reader = (async () => {
      const client = await world.connect()
      let offset = 0n
      while (!isOver) {
        const { responses } = await client.send(
          Fetch,
          {
            maxWaitMs: 500,
            minBytes: 1,
            topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1 << 18 }] }],
          },
          { version: 11 },
        )
        const { errorCode, records } = responses[0]!.partitions[0]!
        if (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) continue
        assert.equal(errorName(errorCode), 'NONE')
        forEachBatch(records!, (at) => {
          for (const record of readRecords(records!, at)) assert.equal(record.offset, offset++)
        })
      }
      return offset
    })()
    const admin = await world.run(world.connect())
    const placeOf = async () => {
      const { results } = await admin.send(DescribeLogDirs, { topics: null })
      return results.find(({ topics }) => topics.some(({ partitions }) => partitions.some((one) => !one.isFutureKey)))!
        .logDir
    }
    for (let move = 0; move < 4; move++) {
      await sim.time.advance(20 + sim.random.integer(50))
      const place = await world.run(placeOf())
      const target = directories.find((directory) => directory !== place)!
      const { results } = await world.run(
        admin.send(AlterReplicaLogDirs, { dirs: [{ path: target, topics: [{ name: 't', partitions: [0] }] }] }),
      )
      assert.equal(errorName(results[0]!.partitions[0]!.errorCode), 'NONE')
      const before = sim.time.nowMs
      while ((await world.run(placeOf())) !== target) {
        await sim.time.advance(5)
        assert.ok(sim.time.nowMs - before < 60_000, 'the move does not end')
      }
    }
    isOver = true
    await world.run(Promise.all(producers))
    const read = await world.run(reader)
    const found = await world.run(readAll(admin, 't', 0))
    assert.equal(found.size, acknowledged.size)
    assert.deepEqual(found, new Map([...acknowledged].sort(([left], [right]) => Number(left - right))))
    assert.ok(acknowledged.size > 50 && read > 0n, `${acknowledged.size} records written, ${read} read`)
    await world.stop()
  })

for (const code of ['EIO', 'ENOSPC'])
  test(`${code} in one log directory takes its partitions away, and no others`, async () => {
    const world = new SimulatedBroker(11)
    const { host } = world
    await world.start()
    await world.createTopic('t', 4)
    const client = await world.run(world.connect())
    const send = (index: number) => world.run(produce(client, { topic: 't', index, values: ['v'] }))
    for (let index = 0; index < 4; index++) assert.equal((await send(index)).errorCode, ErrorCode.NONE)
    const { results } = await world.run(client.send(DescribeLogDirs, { topics: null }))
    const indexesIn = (path: string) =>
      results
        .find(({ logDir }) => logDir === path)!
        .topics.flatMap(({ partitions }) => partitions.map((one) => one.partitionIndex))
    const [lost, kept] = [indexesIn('/b'), indexesIn('/a')]
    assert.deepEqual([lost.length, kept.length], [2, 2])

    const waiting = client.send(
      Fetch,
      {
        maxWaitMs: 20_000,
        minBytes: 1000,
        topics: [
          {
            topic: 't',
            partitions: lost.map((partition) => ({ partition, fetchOffset: 1n, partitionMaxBytes: 1000 })),
          },
        ],
      },
      { version: 11 },
    )
    host.disk.fail({ operation: 'write', path: (path) => path.startsWith('/b/'), code })
    const other = await world.run(world.connect())
    const failed = await world.run(produce(other, { topic: 't', index: lost[0]!, values: ['v'] }))
    assert.deepEqual([errorName(failed.errorCode), failed.baseOffset], ['KAFKA_STORAGE_ERROR', -1n])
    const before = world.sim.time.nowMs
    const woken = await world.run(waiting)
    assert.ok(world.sim.time.nowMs - before < 1000, 'the fetch goes on waiting')
    for (const { errorCode } of woken.responses[0]!.partitions)
      assert.equal(errorName(errorCode), 'KAFKA_STORAGE_ERROR')

    for (const index of lost) assert.equal(errorName((await send(index)).errorCode), 'KAFKA_STORAGE_ERROR')
    for (const index of kept) {
      const { errorCode, baseOffset } = await send(index)
      assert.deepEqual([errorName(errorCode), baseOffset], ['NONE', 1n])
      assert.equal((await world.run(readAll(client, 't', index))).size, 2)
    }
    const { topics } = await world.run(
      client.send(ListOffsets, {
        replicaId: -1,
        topics: [{ name: 't', partitions: [{ partitionIndex: lost[0]!, timestamp: -1n }] }],
      }),
    )
    assert.equal(errorName(topics[0]!.partitions[0]!.errorCode), 'KAFKA_STORAGE_ERROR')
    const after = await world.run(client.send(DescribeLogDirs, { topics: null }))
    assert.deepEqual(
      after.results.map(({ logDir, errorCode }) => [logDir, errorName(errorCode)]),
      [
        ['/a', 'NONE'],
        ['/b', 'KAFKA_STORAGE_ERROR'],
      ],
    )
    await world.stop()
    assert.ok(host.disk.existsSync('/a/.kafka_cleanshutdown'))
    assert.ok(!host.disk.existsSync('/b/.kafka_cleanshutdown'), 'recovery has to look at the failed directory')
  })

test('a read that fails is told of its partition only', async () => {
  const world = new SimulatedBroker(14)
  const { host } = world
  await world.start()
  await world.createTopic('t', 2)
  const client = await world.run(world.connect())
  for (const index of [0, 1])
    for (let at = 0; at < 3; at++) await world.run(produce(client, { topic: 't', index, values: ['v'.repeat(1000)] }))
  using fault = host.disk.fail({
    operation: 'read',
    path: (path) => /\/t-0\/.*\.log$/.test(path),
    code: 'EIO',
    times: 1,
  })
  void fault
  const { responses } = await world.run(
    client.send(
      Fetch,
      {
        maxWaitMs: 0,
        minBytes: 1,
        topics: [
          {
            topic: 't',
            partitions: [0, 1].map((partition) => ({ partition, fetchOffset: 0n, partitionMaxBytes: 1 << 20 })),
          },
        ],
      },
      { version: 11 },
    ),
  )
  const [failed, fine] = responses[0]!.partitions
  assert.deepEqual([errorName(failed!.errorCode), failed!.records!.length], ['KAFKA_STORAGE_ERROR', 0])
  assert.ok(fine!.errorCode === ErrorCode.NONE && fine!.records!.length > 3000)
  assert.equal((await world.run(readAll(client, 't', 1))).size, 3)
  await world.stop()
})

for (const timeoutMs of [0, -1])
  test(`acks=-1 with a timeout of ${timeoutMs} ms does not give up on a slow disk of its own`, async () => {
    const world = new SimulatedBroker(12)
    await world.start()
    await world.createTopic('t', 1, { 'flush.messages': '1' })
    world.host.disk.syncLatencyMs = [400, 400]
    const client = await world.run(world.connect())
    const { errorCode } = await world.run(produce(client, { topic: 't', index: 0, values: ['v'], timeoutMs }))
    assert.equal(errorName(errorCode), 'NONE')
    await world.stop()
  })

test('a stop answers what waits, at once, acknowledges what is written, and leaves the marker', async () => {
  const world = new SimulatedBroker(13)
  const { sim, host } = world
  await world.start()
  await world.createTopic('t', 2, { 'flush.messages': '1' })
  const fetching = await world.run(world.connect())
  const producing = await world.run(world.connect())
  const idle = await world.run(world.connect())
  const fetched = fetching.send(
    Fetch,
    {
      maxWaitMs: 25_000,
      minBytes: 1,
      topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1 }] }],
    },
    { version: 11 },
  )
  await sim.time.advance(50)
  host.disk.syncLatencyMs = [100, 100]
  const produced = produce(producing, { topic: 't', index: 1, values: ['v'] })
  await sim.time.advance(5)
  const before = sim.time.nowMs
  await world.stop()
  assert.ok(sim.time.nowMs - before < 1500, `the stop took ${sim.time.nowMs - before} ms`)
  assert.equal((await world.run(fetched)).responses[0]!.partitions[0]!.errorCode, ErrorCode.NONE)
  assert.equal((await world.run(produced)).errorCode, ErrorCode.NONE)
  await assert.rejects(world.run(idle.send(ApiVersions, {})))
  for (const directory of directories) assert.ok(host.disk.existsSync(`${directory}/.kafka_cleanshutdown`))

  await world.start()
  assert.ok(!host.disk.existsSync('/a/.kafka_cleanshutdown'))
  const client = await world.run(world.connect())
  assert.deepEqual([...(await world.run(readAll(client, 't', 1))).values()], ['v'])
  await world.stop()
})
