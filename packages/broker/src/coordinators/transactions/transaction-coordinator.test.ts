/** What the coordinator does by itself as time passes, in a simulated world. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConnection } from '@millrace/network'
import {
  AddPartitionsToTxn,
  DeleteTopics,
  DescribeTransactions,
  EndTxn,
  errorName,
  FindCoordinator,
  InitProducerId,
  ListTransactions,
} from '@millrace/protocol'
import { SimulatedBroker } from '../../testing/simulated-broker.ts'

const transactionalId = 'x'

interface Identity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

class Client {
  readonly #world: SimulatedBroker
  readonly #connection: BrokerConnection

  private constructor(world: SimulatedBroker, connection: BrokerConnection) {
    this.#world = world
    this.#connection = connection
  }

  static async open(world: SimulatedBroker): Promise<Client> {
    const connection = await world.run(world.connect())
    const key = { key: transactionalId, keyType: 1 }
    await world.run(connection.send(FindCoordinator, key, { version: 3 }))
    return new Client(world, connection)
  }

  async init(timeoutMs: number, expected: Partial<Identity> = {}) {
    const request = { transactionalId, transactionTimeoutMs: timeoutMs, ...expected }
    const answer = await this.#world.run(this.#connection.send(InitProducerId, request, { version: 4 }))
    return { error: errorName(answer.errorCode), identity: pick(answer) }
  }

  async add(identity: Identity, topic: string): Promise<string> {
    const { resultsByTransaction } = await this.#world.run(
      this.#connection.send(
        AddPartitionsToTxn,
        {
          transactions: [
            { transactionalId, ...identity, verifyOnly: false, topics: [{ name: topic, partitions: [0] }] },
          ],
          v3AndBelowTopics: [],
        },
        { version: 5 },
      ),
    )
    return errorName(resultsByTransaction[0]!.topicResults[0]!.resultsByPartition[0]!.partitionErrorCode)
  }

  async end(identity: Identity, committed: boolean, version: number) {
    const answer = await this.#world.run(
      this.#connection.send(EndTxn, { transactionalId, ...identity, committed }, { version }),
    )
    return { error: errorName(answer.errorCode), identity: pick(answer) }
  }

  async state(): Promise<string> {
    const { transactionStates } = await this.#world.run(
      this.#connection.send(DescribeTransactions, { transactionalIds: [transactionalId] }),
    )
    const { errorCode, transactionState } = transactionStates[0]!
    return errorCode === 0 ? transactionState : errorName(errorCode)
  }

  async listed(): Promise<number> {
    const request = { stateFilters: [], producerIdFilters: [] }
    return (await this.#world.run(this.#connection.send(ListTransactions, request))).transactionStates.length
  }

  async deleteTopic(name: string): Promise<void> {
    const request = { topicNames: [name], timeoutMs: 1000 }
    await this.#world.run(this.#connection.send(DeleteTopics, request, { version: 5 }))
  }
}

function pick({ producerId, producerEpoch }: Identity): Identity {
  return { producerId, producerEpoch }
}

async function worldWith(configs: Readonly<Record<string, number>> = {}) {
  const world = new SimulatedBroker(1, { 'transaction.state.log.num.partitions': 1, ...configs })
  await world.start()
  await world.createTopic('t', 1)
  return { world, client: await Client.open(world) }
}

test('a transaction that takes too long is aborted, and its producer can do no more', async () => {
  const { world, client } = await worldWith()
  const { identity } = await client.init(1000)
  assert.equal(await client.add(identity, 't'), 'NONE')
  await world.sim.time.advance(900)
  assert.equal(await client.state(), 'Ongoing')
  // It is looked for every ten seconds.
  await world.sim.time.advance(10_000)
  assert.equal(await client.state(), 'CompleteAbort')
  assert.equal(await client.add(identity, 't'), 'PRODUCER_FENCED')
  assert.equal((await client.end(identity, true, 3)).error, 'PRODUCER_FENCED')
  assert.equal((await client.end(identity, true, 5)).error, 'INVALID_TXN_STATE')
  // It may go on with a new epoch.
  assert.deepEqual(await client.init(1000, identity), {
    error: 'NONE',
    identity: { ...identity, producerEpoch: 1 },
  })
  await world.stop()
})

test('the timeout counts from the start of the transaction, through a restart too', async () => {
  const { world, client } = await worldWith()
  const { identity } = await client.init(60_000)
  await client.add(identity, 't')
  await world.sim.time.advance(40_000)
  world.crash(false)
  await world.start()
  const again = await Client.open(world)
  assert.equal(await again.state(), 'Ongoing')
  await world.sim.time.advance(31_000)
  assert.equal(await again.state(), 'CompleteAbort')
  await world.stop()
})

test('timeouts have bounds', async () => {
  const { world, client } = await worldWith({ 'transaction.max.timeout.ms': 5000 })
  for (const [timeoutMs, expected] of [
    [0, 'INVALID_TRANSACTION_TIMEOUT'],
    [-1, 'INVALID_TRANSACTION_TIMEOUT'],
    [5001, 'INVALID_TRANSACTION_TIMEOUT'],
    [5000, 'NONE'],
  ] as const)
    assert.equal((await client.init(timeoutMs)).error, expected)
  await world.stop()
})

test('a transactional id that nobody uses is forgotten, but not while a transaction is open', async () => {
  const { world, client } = await worldWith({
    'transactional.id.expiration.ms': 100_000,
    'transaction.remove.expired.transaction.cleanup.interval.ms': 10_000,
  })
  const { identity } = await client.init(900_000)
  await client.add(identity, 't')
  await world.sim.time.advance(200_000)
  const late = await Client.open(world)
  assert.equal(await late.state(), 'Ongoing')
  const { identity: next } = await late.end(identity, true, 5)
  await world.sim.time.advance(90_000)
  assert.equal(await late.state(), 'CompleteCommit')
  await world.sim.time.advance(25_000)
  assert.equal(await late.state(), 'TRANSACTIONAL_ID_NOT_FOUND')
  assert.equal(await late.listed(), 0)
  assert.equal(await late.add(next, 't'), 'INVALID_PRODUCER_ID_MAPPING')
  const { error, identity: fresh } = await late.init(1000, next)
  assert.equal(error, 'NONE')
  assert.ok(fresh.producerId !== next.producerId && fresh.producerEpoch === 0)
  await world.sim.time.advance(10)
  world.crash(false)
  await world.start()
  assert.equal(await (await Client.open(world)).listed(), 1)
  await world.stop()
})

test('a topic that was deleted meanwhile does not hold up the transaction', async () => {
  const { world, client } = await worldWith()
  await world.createTopic('gone', 1)
  const { identity } = await client.init(60_000)
  await client.add(identity, 't')
  await client.add(identity, 'gone')
  await client.deleteTopic('gone')
  assert.equal((await client.end(identity, true, 5)).error, 'NONE')
  await world.sim.time.advance(100)
  assert.equal(await client.state(), 'CompleteCommit')
  await world.stop()
})
