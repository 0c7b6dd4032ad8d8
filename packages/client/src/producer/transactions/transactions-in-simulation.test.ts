/**
 * Transactions against a broker of ours in a simulated world, where connections break and links are cut by a seed, by both protocols. What must
 * hold: of a transaction that was committed a reader of committed records gets every record once, of one that was aborted none, of one whose outcome
 * is not known all or none; and they follow each other.
 */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { SimulatedBroker } from '@millrace/broker/testing'
import { ErrorCode, Fetch, KafkaError } from '@millrace/protocol'
import { Kafka } from '../../kafka.ts'
import type { Producer } from '../producer.ts'
import type { ProducerRecord } from '../../record.ts'
import type { Unserialized } from '../open-producer.ts'
import { committedIn } from '../testing/committed-values.ts'

const PARTITIONS = 2

interface Attempt {
  readonly number: number
  readonly values: readonly (readonly string[])[]
  outcome: 'committed' | 'aborted' | 'unknown'
}

async function stored(world: SimulatedBroker, partition: number): Promise<string[]> {
  const client = await world.run(world.connect())
  const request = {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel: 1,
    topics: [{ topic: 't', partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: 50_000_000 }] }],
    forgottenTopicsData: [],
  }
  const { responses } = await world.run(client.send(Fetch, request, { version: 11 }))
  await world.run(client[Symbol.asyncDispose]())
  return committedIn(responses[0]!.partitions[0]!.records ?? new Uint8Array())
}

async function hurt({ sim }: SimulatedBroker): Promise<void> {
  switch (sim.random.integer(3)) {
    case 0:
      sim.network.breakConnections('app', 'broker')
      break
    case 1:
      sim.network.partition('app', 'broker')
      // Now and then longer than records are tried for.
      await sim.time.advance(sim.random.integer(sim.random.integer(5) === 0 ? 20_000 : 3_000))
      sim.network.heal('app', 'broker')
      break
    case 2:
      sim.network.link('broker', 'app').settings = { breakProbability: sim.random.integer(2) * 0.03 }
      break
  }
}

async function run(seed: number, transactionVersion: number): Promise<void> {
  const world = new SimulatedBroker(seed, {}, { 'transaction.version': transactionVersion })
  const { random, time } = world.sim
  await world.start()
  await world.createTopic('t', PARTITIONS)
  const { runtime } = world.sim.host('app')
  const kafka = new Kafka({ brokers: 'broker:9092', requestTimeoutMs: 2_000, enableMetricsPush: false }, runtime)
  const open = (): Producer<ProducerRecord<Unserialized, Unserialized>> =>
    kafka.producer({ transactionalId: 'tx', lingerMs: 0, batchSize: 300, deliveryTimeoutMs: 6_000, maxBlockMs: 9_000 })
  let producer = open()
  const attempts: Attempt[] = []
  const mistake = new Error('changed my mind')

  for (let number = 0; number < 25; number++) {
    const values = [0, 1].map(() => Array.from({ length: random.integer(8) }, (_, at) => `${number}.${at}`))
    const attempt: Attempt = { number, values, outcome: 'unknown' }
    attempts.push(attempt)
    const isChangingMind = random.integer(4) === 0
    const isWaiting = random.integer(2) === 0
    const done = producer.transaction(async (transaction) => {
      for (const [partition, own] of values.entries())
        for (const value of own) {
          const sent = transaction.send({ topic: 't', partition, value })
          if (isWaiting) await sent
        }
      if (isChangingMind) throw mistake
    })
    const settled = done.then(
      () => (attempt.outcome = 'committed'),
      (error: unknown) => {
        if (error === mistake) attempt.outcome = 'aborted'
        return error
      },
    )
    await time.advance(random.integer(40))
    if (random.integer(3) === 0) await hurt(world)
    const error = await world.run(settled)
    const isFenced = error instanceof KafkaError && error.code === ErrorCode.PRODUCER_FENCED
    if (isFenced || random.integer(12) === 0) {
      const old = producer
      producer = open()
      await world.run(old.close({ timeoutMs: 0 }))
    }
  }
  for (const [from, to] of [
    ['app', 'broker'],
    ['broker', 'app'],
  ] as const)
    world.sim.network.link(from, to).settings = {}
  await world.run(producer.transaction(async () => {}).catch(() => {}))
  await world.run(producer.close())
  // Ends what a producer that was closed at once may have left open.
  const last = open()
  await world.run(last.initTransactions())
  await world.run(last.close())

  const written: string[][] = []
  for (let partition = 0; partition < PARTITIONS; partition++) written.push(await stored(world, partition))
  await world.stop()
  let committed = 0
  for (const { number, values, outcome } of attempts) {
    const found = values.flatMap((own, partition) => own.filter((value) => written[partition]!.includes(value)))
    const all = values.flat().length
    if (outcome === 'committed') committed++
    const allowed = outcome === 'committed' ? [all] : outcome === 'aborted' ? [0] : [0, all]
    assert.ok(
      allowed.includes(found.length),
      `seed ${seed}: of transaction ${number}, ${outcome}: ${found.length} of ${all}`,
    )
  }
  assert.ok(committed > 0, `seed ${seed}: something was committed`)
  for (const values of written) {
    const places = values.map((value) => value.split('.').map(Number) as [number, number])
    const inOrder = places.toSorted(([one, first], [other, second]) => one - other || first - second)
    assert.deepEqual(places, inOrder, `seed ${seed}: once each, and in order`)
    assert.equal(new Set(values).size, values.length, `seed ${seed}`)
  }
}

const only = process.env['MILLRACE_SEED']
const seeds = only === undefined ? Array.from({ length: 8 }, (_, index) => index + 1) : [Number(only)]

for (const transactionVersion of [0, 2])
  for (const seed of seeds)
    test(`transaction.version ${transactionVersion}, seed ${seed}: transactions are there once and whole, or not at all`, () =>
      run(seed, transactionVersion))
