/** Transactions over the wire, as clients of every age speak it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AddPartitionsToTxn,
  EndTxn,
  errorName,
  Fetch,
  FindCoordinator,
  forEachBatch,
  InitProducerId,
  isControl,
  Produce,
  producerId as producerIdAt,
  readRecords,
  type RecordBatchOptions,
} from '@millrace/protocol'
import { batchOf, TestBroker, type RawClient } from '../testing/index.ts'

const transactionalId = 'copier'

interface Identity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

async function find(client: RawClient): Promise<void> {
  const { errorCode } = await client.ask(FindCoordinator, 3, { key: transactionalId, keyType: 1 })
  assert.equal(errorName(errorCode), 'NONE')
}

async function init(client: RawClient, expected: Partial<Identity> = {}) {
  for (;;) {
    const answer = await client.ask(InitProducerId, 4, { transactionalId, transactionTimeoutMs: 60_000, ...expected })
    if (errorName(answer.errorCode) === 'CONCURRENT_TRANSACTIONS') continue
    return answer
  }
}

async function add(client: RawClient, version: number, identity: Identity, partitions: readonly number[]) {
  const { resultsByTopicV3AndBelow } = await client.ask(AddPartitionsToTxn, version, {
    transactions: [],
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: identity.producerId,
    v3AndBelowProducerEpoch: identity.producerEpoch,
    v3AndBelowTopics: [{ name: 't', partitions }],
  })
  return resultsByTopicV3AndBelow[0]!.resultsByPartition.map(({ partitionErrorCode }) => errorName(partitionErrorCode))
}

async function produce(
  client: RawClient,
  version: number,
  values: readonly string[],
  options: RecordBatchOptions,
  index = 0,
) {
  const { responses } = await client.ask(Produce, version, {
    transactionalId,
    acks: -1,
    timeoutMs: 5000,
    topicData: [
      { name: 't', partitionData: [{ index, records: batchOf(values, { isTransactional: true, ...options }) }] },
    ],
  })
  const { errorCode, errorMessage } = responses[0]!.partitionResponses[0]!
  return { error: errorName(errorCode), errorMessage }
}

async function end(client: RawClient, version: number, { producerId, producerEpoch }: Identity, committed: boolean) {
  const answer = await client.ask(EndTxn, version, { transactionalId, producerId, producerEpoch, committed })
  return { error: errorName(answer.errorCode), producerId: answer.producerId, producerEpoch: answer.producerEpoch }
}

/** What a consumer of the isolation level sees, waiting until the last stable offset is the end. */
async function read(client: RawClient, isolationLevel: number, index = 0): Promise<string[]> {
  const values: string[] = []
  for (let offset = 0n; ;) {
    const { responses } = await client.ask(Fetch, 12, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel,
      topics: [{ topic: 't', partitions: [{ partition: index, fetchOffset: offset, partitionMaxBytes: 1 << 20 }] }],
    })
    const { records, abortedTransactions, lastStableOffset, highWatermark } = responses[0]!.partitions[0]!
    const aborts = [...(abortedTransactions ?? [])]
    const aborted = new Set<bigint>()
    forEachBatch(records!, (at) => {
      const id = producerIdAt(records!, at)
      for (const record of readRecords(records!, at)) {
        while (aborts[0] !== undefined && aborts[0].firstOffset <= record.offset)
          aborted.add(aborts.shift()!.producerId)
        offset = record.offset + 1n
        if (isControl(records!, at)) aborted.delete(id)
        else if (!aborted.has(id)) values.push(Buffer.from(record.value!).toString())
      }
    })
    if (records!.length === 0 && (isolationLevel === 0 || lastStableOffset === highWatermark)) return values
  }
}

for (const [addVersion, produceVersion, endVersion] of [
  [0, 3, 0],
  [1, 8, 1],
  [3, 11, 4],
] as const)
  test(`a client of Produce ${produceVersion} commits and aborts`, async () => {
    await using broker = await TestBroker.start()
    await broker.createTopic('t', { partitions: 2 })
    const client = await broker.connect()
    await find(client)
    const identity = await init(client)
    assert.deepEqual(await add(client, addVersion, identity, [0, 1]), ['NONE', 'NONE'])
    assert.equal((await produce(client, produceVersion, ['a', 'b'], { ...identity, baseSequence: 0 })).error, 'NONE')
    assert.equal((await produce(client, produceVersion, ['c'], { ...identity, baseSequence: 0 }, 1)).error, 'NONE')
    assert.equal((await end(client, endVersion, identity, true)).error, 'NONE')
    assert.deepEqual(await read(client, 1), ['a', 'b'])
    assert.deepEqual(await read(client, 1, 1), ['c'])
    assert.deepEqual(await add(client, addVersion, identity, [0]), ['NONE'])
    assert.equal((await produce(client, produceVersion, ['d'], { ...identity, baseSequence: 2 })).error, 'NONE')
    assert.equal((await end(client, endVersion, identity, false)).error, 'NONE')
    assert.deepEqual(await read(client, 1), ['a', 'b'])
    assert.deepEqual(await read(client, 0), ['a', 'b', 'd'])
    client.close()
  })

test('a client of Produce 12 adds no partitions, and gets a new epoch with each transaction', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await find(client)
  let identity: Identity = await init(client)
  for (let round = 0; round < 5; round++) {
    const sent = await produce(client, 12, [`${round}`], { ...identity, baseSequence: 0 })
    assert.deepEqual([round, sent], [round, { error: 'NONE', errorMessage: null }])
    const { error, producerId, producerEpoch } = await end(client, 5, identity, round % 2 === 0)
    assert.equal(error, 'NONE')
    assert.deepEqual([producerId, producerEpoch], [identity.producerId, identity.producerEpoch + 1])
    identity = { producerId, producerEpoch }
  }
  assert.deepEqual(await read(client, 1), ['0', '2', '4'])
  client.close()
})
