/**
 * Transactional producers and a reader of committed records with a broker in a simulated world, which is killed, or crashes with its machine, all
 * the time. A transaction is seen whole or not at all; what was acknowledged as committed is seen, what was not asked to be committed is not; and
 * offsets go with the records. Each run follows from its seed, which is in the name of a test that fails; `MILLRACE_SEED=n` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConnection } from '@millrace/network'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  ErrorCode,
  errorName,
  Fetch,
  FindCoordinator,
  forEachBatch,
  InitProducerId,
  isControl,
  KafkaError,
  OffsetFetch,
  Produce,
  producerId as producerIdAt,
  readRecords,
  RecordBatchBuilder,
  TxnOffsetCommit,
} from '@millrace/protocol'
import { SimulatedBroker } from './testing/simulated-broker.ts'

const partitions = [0, 1, 2]
const producersCount = 4

interface Identity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** 'unknown': the commit was asked for, and there was no answer. */
type Outcome = 'committed' | 'aborted' | 'unknown'

/** Try again, perhaps after looking for the coordinator. */
const passing = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
])

const isGone = (error: unknown): boolean =>
  error instanceof KafkaError &&
  (error.code === ErrorCode.NETWORK_EXCEPTION || error.code === ErrorCode.REQUEST_TIMED_OUT)

/** The coordinator says that the transaction cannot go on. */
class Refused extends Error {}

class Producer {
  readonly #world: SimulatedBroker
  readonly #id: string
  /** Leaves it to the broker to add partitions, and gets an epoch for each transaction. */
  readonly #isV2: boolean
  readonly outcomes = new Map<number, Outcome>()
  /** Partitions that a transaction writes to. */
  readonly sizes = new Map<number, number>()
  #number = 0

  constructor(world: SimulatedBroker, index: number, isV2: boolean) {
    this.#world = world
    this.#id = `p${index}`
    this.#isV2 = isV2
  }

  get id(): string {
    return this.#id
  }

  /** Until the connection is gone. */
  async run(): Promise<void> {
    const client = await this.#world.connect()
    for (;;)
      try {
        let identity = await this.#init(client)
        const sequences = partitions.map(() => 0)
        for (;;) identity = await this.#transact(client, identity, sequences)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
      }
  }

  async #init(client: BrokerConnection): Promise<Identity> {
    for (const [key, keyType] of [
      [this.#id, 1],
      [this.#id, 0],
    ] as const)
      await this.#retried(async () => (await client.send(FindCoordinator, { key, keyType }, { version: 3 })).errorCode)
    let identity: Identity | null = null
    await this.#retried(async () => {
      const answer = await client.send(
        InitProducerId,
        { transactionalId: this.#id, transactionTimeoutMs: 2000 },
        { version: 4 },
      )
      identity = answer
      return answer.errorCode
    })
    return identity!
  }

  async #transact(client: BrokerConnection, identity: Identity, sequences: number[]): Promise<Identity> {
    const { random } = this.#world.sim
    const number = this.#number++
    this.outcomes.set(number, 'aborted')
    const into = partitions.filter(() => random.integer(3) > 0)
    this.sizes.set(number, into.length)
    if (!this.#isV2) await this.#add(client, identity, into)
    for (const index of into) {
      await this.#produce(client, identity, { index, number, sequence: sequences[index]! })
      sequences[index]!++
    }
    await this.#commitOffset(client, identity, number)
    // Now and then it does nothing more: the coordinator aborts the transaction when its time is up, or the next one of this producer begins.
    if (random.integer(10) === 0) {
      await this.#world.sim.host('client').clock.sleep(random.integer(4000))
      throw new Refused('abandoned')
    }
    const isCommit = random.integer(4) > 0
    if (isCommit) this.outcomes.set(number, 'unknown')
    let next = identity
    await this.#retried(async () => {
      const answer = await client.send(
        EndTxn,
        { transactionalId: this.#id, ...pick(identity), committed: isCommit },
        { version: this.#isV2 ? 5 : 3 },
      )
      if (this.#isV2 && answer.errorCode === ErrorCode.NONE) next = answer
      return answer.errorCode
    })
    this.outcomes.set(number, isCommit ? 'committed' : 'aborted')
    if (this.#isV2) sequences.fill(0)
    return next
  }

  #add(client: BrokerConnection, identity: Identity, into: readonly number[]): Promise<void> {
    return this.#retried(async () => {
      if (into.length === 0) return ErrorCode.NONE
      const answer = await client.send(
        AddPartitionsToTxn,
        {
          transactions: [],
          v3AndBelowTransactionalId: this.#id,
          v3AndBelowProducerId: identity.producerId,
          v3AndBelowProducerEpoch: identity.producerEpoch,
          v3AndBelowTopics: [{ name: 't', partitions: into }],
        },
        { version: 3 },
      )
      return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode
    })
  }

  #produce(
    client: BrokerConnection,
    identity: Identity,
    { index, number, sequence }: { index: number; number: number; sequence: number },
  ): Promise<void> {
    return this.#retried(async () => {
      const builder = new RecordBatchBuilder({ ...pick(identity), baseSequence: sequence, isTransactional: true })
      builder.append({
        timestamp: BigInt(this.#world.sim.host('client').clock.now()),
        value: Buffer.from(`${this.#id}:${number}`),
      })
      const answer = await client.send(
        Produce,
        {
          transactionalId: this.#id,
          acks: -1,
          timeoutMs: 5000,
          topicData: [{ name: 't', partitionData: [{ index, records: builder.build() }] }],
        },
        { version: this.#isV2 ? 12 : 11 },
      )
      return answer.responses[0]!.partitionResponses[0]!.errorCode
    })
  }

  /** Each producer has a group of its own, whose offset is the number of its last transaction. */
  async #commitOffset(client: BrokerConnection, identity: Identity, number: number): Promise<void> {
    if (!this.#isV2)
      await this.#retried(async () => {
        const answer = await client.send(
          AddOffsetsToTxn,
          { transactionalId: this.#id, ...pick(identity), groupId: this.#id },
          { version: 3 },
        )
        return answer.errorCode
      })
    await this.#retried(async () => {
      const { topics } = await client.send(
        TxnOffsetCommit,
        {
          transactionalId: this.#id,
          groupId: this.#id,
          ...pick(identity),
          memberId: '',
          topics: [
            {
              name: 't',
              partitions: [{ partitionIndex: 0, committedOffset: BigInt(number), committedMetadata: null }],
            },
          ],
        },
        { version: this.#isV2 ? 5 : 3 },
      )
      return topics[0]!.partitions[0]!.errorCode
    })
  }

  /** @throws Refused for an error that does not pass. */
  async #retried(ask: () => Promise<number>): Promise<void> {
    for (;;) {
      const errorCode = await ask()
      if (errorCode === ErrorCode.NONE) return
      if (!passing.has(errorCode)) throw new Refused(errorName(errorCode))
      await this.#world.sim.host('client').clock.sleep(20)
    }
  }
}

function pick({ producerId, producerEpoch }: Identity): Identity {
  return { producerId, producerEpoch }
}

/** Reads one partition as a consumer of committed records does, and remembers how far it came. */
class CommittedReader {
  readonly index: number
  readonly values: string[] = []
  #offset = 0n

  constructor(index: number) {
    this.index = index
  }

  /** Up to the last stable offset. Returns whether that is the end. */
  async read(client: BrokerConnection): Promise<boolean> {
    for (;;) {
      const { responses } = await client.send(
        Fetch,
        {
          maxWaitMs: 0,
          minBytes: 1,
          isolationLevel: 1,
          topics: [
            {
              topic: 't',
              partitions: [{ partition: this.index, fetchOffset: this.#offset, partitionMaxBytes: 2000 }],
            },
          ],
        },
        { version: 11 },
      )
      const { errorCode, records, abortedTransactions, lastStableOffset, highWatermark } = responses[0]!.partitions[0]!
      assert.equal(errorName(errorCode), 'NONE')
      this.#take(records!, [...abortedTransactions!])
      if (records!.length === 0) return lastStableOffset === highWatermark
    }
  }

  #take(records: Uint8Array, aborts: { producerId: bigint; firstOffset: bigint }[]): void {
    const offsets = aborts.map(({ firstOffset }) => firstOffset)
    assert.deepEqual(
      offsets,
      offsets.toSorted((a, b) => Number(a - b)),
      'aborted transactions are in order',
    )
    const aborted = new Set<bigint>()
    forEachBatch(records, (at) => {
      const producerId = producerIdAt(records, at)
      for (const { offset, value } of readRecords(records, at)) {
        while (aborts[0] !== undefined && aborts[0].firstOffset <= offset) aborted.add(aborts.shift()!.producerId)
        if (isControl(records, at)) aborted.delete(producerId)
        else if (offset >= this.#offset && !aborted.has(producerId)) this.values.push(Buffer.from(value!).toString())
        if (offset >= this.#offset) this.#offset = offset + 1n
      }
    })
  }
}

const only = process.env['MILLRACE_SEED']
const seeds = only === undefined ? [1, 2, 3, 4, 5, 6] : [Number(only)]

for (const seed of seeds)
  test(`seed ${seed}: a transaction is whole or not there, through every crash`, async () => {
    const transactionVersion = seed % 3
    const world = new SimulatedBroker(
      seed,
      {
        'log.flush.interval.messages': 1,
        'offsets.topic.num.partitions': 2,
        'transaction.state.log.num.partitions': 2,
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
      },
      { 'transaction.version': transactionVersion },
    )
    const { sim } = world
    const { random } = sim
    await world.start()
    await world.createTopic('t', partitions.length, { 'segment.bytes': String(1 << 20) })
    const producers = Array.from(
      { length: producersCount },
      (_, index) =>
        // The old protocol can always be spoken.
        new Producer(world, index, transactionVersion === 2 && index > 0),
    )
    const live = partitions.map((index) => new CommittedReader(index))
    let isUp = true

    async function readOn(): Promise<void> {
      const client = await world.connect()
      while (isUp) {
        for (const reader of live) await reader.read(client)
        await sim.host('client').clock.sleep(20)
      }
    }

    const untilGone = (work: Promise<void>): Promise<void> =>
      work.catch((error: unknown) => {
        if (!isGone(error)) throw error
      })

    for (let round = 0; round < 8; round++) {
      isUp = true
      const running = [...producers.map((producer) => untilGone(producer.run())), untilGone(readOn())]
      await sim.time.advance(100 + random.integer(1500))
      isUp = false
      const how = random.integer(4)
      if (how < 3) world.crash(how === 2)
      else await world.stop()
      await world.run(Promise.all(running))
      await world.start()
    }

    const client = await world.run(world.connect())
    const readers = partitions.map((index) => new CommittedReader(index))
    await sim.time.advance(10_000)
    for (const reader of readers) assert.ok(await world.run(reader.read(client)), 'a transaction is still open')
    for (const [index, { values }] of live.entries())
      assert.deepEqual(values, readers[index]!.values.slice(0, values.length), 'what was read once stays so')
    for (const producer of producers) await check(producer, readers, world, client)
    await world.stop()
  })

async function check(
  { id, outcomes, sizes }: Producer,
  readers: readonly CommittedReader[],
  world: SimulatedBroker,
  client: BrokerConnection,
): Promise<void> {
  const seen = new Map<number, number>()
  for (const { index, values } of readers) {
    const own = values.filter((value) => value.startsWith(`${id}:`)).map((value) => Number(value.split(':')[1]))
    assert.deepEqual(
      own,
      [...new Set(own)].sort((a, b) => a - b),
      `${id}: repeated or out of order in partition ${index}`,
    )
    for (const number of own) seen.set(number, (seen.get(number) ?? 0) + 1)
  }
  let committed = 0
  let last = -1
  for (const [number, outcome] of outcomes) {
    const parts = seen.get(number) ?? 0
    const told = `${id}: transaction ${number} is ${outcome} and seen in ${parts} partitions`
    if (outcome === 'aborted') assert.equal(parts, 0, told)
    else assert.ok(parts === sizes.get(number) || (parts === 0 && outcome === 'unknown'), told)
    if (outcome === 'committed') {
      committed++
      last = number
    }
  }
  await checkOffset(id, { last, seen, outcomes, world, client })
  assert.ok(committed > 5, `${id}: only ${committed} transactions were committed`)
}

/** The group's offset is that of the last transaction that was committed: told so, or found so. */
async function checkOffset(
  id: string,
  found: {
    readonly last: number
    readonly seen: ReadonlyMap<number, number>
    readonly outcomes: ReadonlyMap<number, Outcome>
    readonly world: SimulatedBroker
    readonly client: BrokerConnection
  },
): Promise<void> {
  const { last, seen, outcomes, world, client } = found
  const { topics } = await world.run(
    client.send(
      OffsetFetch,
      { groupId: id, topics: [{ name: 't', partitionIndexes: [0] }], requireStable: true },
      { version: 7 },
    ),
  )
  const { errorCode, committedOffset } = topics[0]!.partitions[0]!
  assert.equal(errorName(errorCode), 'NONE')
  const offset = Number(committedOffset)
  assert.ok(offset >= last, `${id}: offset ${offset}, and transaction ${last} was committed`)
  if (offset > last) assert.equal(outcomes.get(offset), 'unknown', `${id}: offset of transaction ${offset}`)
  for (const number of seen.keys())
    assert.ok(number <= offset, `${id}: transaction ${number} is seen, offset ${offset}`)
}
