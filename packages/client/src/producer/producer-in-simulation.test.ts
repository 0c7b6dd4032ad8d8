/**
 * The producer against a broker of ours in a simulated world, where connections break, links are cut and the broker's process dies, all by a seed.
 * What must hold: a record that was acknowledged is written once, one that has failed at most once, and those of a partition are in the order of
 * the calls.
 */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { SimulatedBroker } from '@millrace/broker/testing'
import { batchPositions, ErrorCode, Fetch, isControl, KafkaError, readRecords } from '@millrace/protocol'
import { Kafka } from '../kafka.ts'
import type { ProducerOptions } from './options.ts'
import type { Unserialized } from './open-producer.ts'

const PARTITIONS = 3

interface Outcome {
  readonly value: string
  readonly partition: number
  offset: bigint | null
  error: Error | null
}

/** All values of a partition, with their offsets, as a consumer would see them uncommitted. */
async function storedIn(world: SimulatedBroker, partition: number): Promise<{ value: string; offset: bigint }[]> {
  const client = await world.run(world.connect())
  const stored: { value: string; offset: bigint }[] = []
  for (;;) {
    const fetchOffset = (stored.at(-1)?.offset ?? -1n) + 1n
    const { responses } = await world.run(
      client.send(
        Fetch,
        {
          replicaId: -1,
          maxWaitMs: 0,
          minBytes: 0,
          topics: [{ topic: 't', partitions: [{ partition, fetchOffset, partitionMaxBytes: 10_000_000 }] }],
          forgottenTopicsData: [],
        },
        { version: 11 },
      ),
    )
    const answer = responses[0]!.partitions[0]!
    assert.equal(answer.errorCode, ErrorCode.NONE)
    const records = answer.records ?? new Uint8Array()
    const before = stored.length
    for (const at of batchPositions(records)) {
      if (isControl(records, at)) continue
      for (const { value, offset } of readRecords(records, at))
        if (offset >= fetchOffset) stored.push({ value: Buffer.from(value!).toString(), offset })
    }
    if (stored.length === before) break
  }
  await world.run(client[Symbol.asyncDispose]())
  return stored
}

async function hurt(world: SimulatedBroker, severity: 'network' | 'crashes'): Promise<void> {
  const { sim } = world
  switch (sim.random.integer(severity === 'crashes' ? 4 : 3)) {
    case 0:
      sim.network.breakConnections('app', 'broker')
      break
    case 1:
      sim.network.partition('app', 'broker')
      await sim.time.advance(sim.random.integer(4_000))
      sim.network.heal('app', 'broker')
      break
    case 2:
      sim.network.link('app', 'broker').settings = { latencyMs: [0.1, 1 + sim.random.integer(300)] }
      sim.network.link('broker', 'app').settings = { breakProbability: sim.random.integer(2) * 0.02 }
      break
    case 3:
      world.crash(false)
      await sim.time.advance(sim.random.integer(2_000))
      await world.start()
      break
  }
}

interface Scenario {
  readonly seed: number
  readonly severity: 'network' | 'crashes'
  readonly options: ProducerOptions<Unserialized, Unserialized>
  readonly rounds: number
  /** No fault lasts as long as records are tried for, so every record has to arrive. */
  readonly mayFail: boolean
}

async function produceUnderFaults({ seed, severity, options, rounds }: Omit<Scenario, 'mayFail'>): Promise<{
  outcomes: Outcome[]
  stored: { value: string; offset: bigint }[][]
}> {
  const world = new SimulatedBroker(seed)
  await world.start()
  await world.createTopic('t', PARTITIONS)
  const { runtime } = world.sim.host('app')
  const kafka = new Kafka({ brokers: 'broker:9092', requestTimeoutMs: 3_000, enableMetricsPush: false }, runtime)
  const producer = kafka.producer(options)
  const outcomes: Outcome[] = []
  for (let round = 0; round < rounds; round++) {
    const burst = world.sim.random.integer(60)
    for (let index = 0; index < burst; index++) {
      const outcome: Outcome = {
        value: `${outcomes.length} ${'x'.repeat(world.sim.random.integer(100))}`,
        partition: world.sim.random.integer(PARTITIONS),
        offset: null,
        error: null,
      }
      outcomes.push(outcome)
      producer.send({ topic: 't', partition: outcome.partition, value: outcome.value }).then(
        ({ offset }) => (outcome.offset = offset),
        (error: unknown) => (outcome.error = error as Error),
      )
    }
    await world.sim.time.advance(world.sim.random.integer(400))
    if (world.sim.random.integer(3) === 0) await hurt(world, severity)
  }
  for (const [from, to] of [
    ['app', 'broker'],
    ['broker', 'app'],
  ] as const)
    world.sim.network.link(from, to).settings = { latencyMs: [0.1, 1], breakProbability: 0 }
  await world.run(producer.close())
  const stored = []
  for (let partition = 0; partition < PARTITIONS; partition++) stored.push(await storedIn(world, partition))
  await world.stop()
  return { outcomes, stored }
}

function check(seed: number, { outcomes, stored }: Awaited<ReturnType<typeof produceUnderFaults>>): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const values = stored[partition]!.map(({ value }) => value)
    const numbers = values.map((value) => Number.parseInt(value, 10))
    assert.equal(
      new Set(numbers).size,
      numbers.length,
      `seed ${seed}: nothing is written twice in partition ${partition}`,
    )
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
      `seed ${seed}: order of ${partition}`,
    )
    const offsets = new Map(stored[partition]!.map(({ value, offset }) => [value, offset]))
    for (const outcome of outcomes.filter((one) => one.partition === partition)) {
      assert.ok(outcome.offset !== null || outcome.error !== null, `seed ${seed}: ${outcome.value} is settled`)
      if (outcome.offset === null) continue
      assert.ok(offsets.has(outcome.value), `seed ${seed}: ${outcome.value} was acknowledged, so it is there`)
      // -1: a duplicate so old that the broker did not know any more where it is.
      if (outcome.offset >= 0n) assert.equal(outcome.offset, offsets.get(outcome.value), `seed ${seed}`)
    }
  }
}

const scenarios: readonly (readonly [string, Omit<Scenario, 'seed'>])[] = [
  ['network', { severity: 'network', options: { lingerMs: 0, batchSize: 400 }, rounds: 40, mayFail: false }],
  ['crashes', { severity: 'crashes', options: { lingerMs: 5, batchSize: 1000 }, rounds: 30, mayFail: false }],
  [
    'expiry',
    {
      severity: 'network',
      options: { lingerMs: 0, batchSize: 300, deliveryTimeoutMs: 3_500, bufferMemory: 4_000, maxBlockMs: 2_000 },
      rounds: 40,
      mayFail: true,
    },
  ],
]

const only = process.env['MILLRACE_SEED']
const seeds = only === undefined ? Array.from({ length: 8 }, (_, index) => index + 1) : [Number(only)]

for (const [name, scenario] of scenarios)
  for (const seed of seeds)
    test(`${name}, seed ${seed}: acknowledged records are written once and in order`, async () => {
      const result = await produceUnderFaults({ ...scenario, seed })
      check(seed, result)
      if (!scenario.mayFail)
        assert.deepEqual(
          result.outcomes.flatMap(({ error }) => error ?? []),
          [],
          `seed ${seed}`,
        )
    })

test('one request at a time keeps the order without idempotence too, though records may be there twice', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const { stored, outcomes } = await produceUnderFaults({
      seed,
      severity: 'network',
      options: { enableIdempotence: false, maxInFlightRequestsPerConnection: 1, lingerMs: 0, batchSize: 400 },
      rounds: 30,
    })
    for (const [partition, records] of stored.entries()) {
      // The last time that each is there.
      const firsts = [...new Set(records.map(({ value }) => Number.parseInt(value, 10)))]
      assert.deepEqual(
        firsts,
        firsts.toSorted((one, other) => one - other),
        `seed ${seed}`,
      )
      for (const outcome of outcomes)
        if (outcome.partition === partition && outcome.offset !== null)
          assert.ok(
            records.some(({ value }) => value === outcome.value),
            `seed ${seed}: ${outcome.value}`,
          )
    }
  }
})

test('a producer without a broker fails its records in time, and closes', async () => {
  const world = new SimulatedBroker(3)
  const { runtime } = world.sim.host('app')
  const kafka = new Kafka({ brokers: 'broker:9092', enableMetricsPush: false }, runtime)
  const producer = kafka.producer({ maxBlockMs: 5_000 })
  const started = world.sim.clock.monotonicMs()
  await assert.rejects(world.run(producer.send({ topic: 't', value: 'v' })), (error) => error instanceof KafkaError)
  assert.ok(world.sim.clock.monotonicMs() - started < 7_000)
  const waiting = assert.rejects(producer.send({ topic: 't', value: 'v' }), /closed/)
  await world.run(producer.close({ timeoutMs: 100 }))
  await waiting
})
