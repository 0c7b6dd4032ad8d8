/** Transactions over the wire, as clients of every age speak it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeTransactions,
  EndTxn,
  errorName,
  Fetch,
  FindCoordinator,
  forEachBatch,
  InitProducerId,
  isControl,
  ListTransactions,
  OffsetFetch,
  Produce,
  producerId as producerIdAt,
  readRecords,
  TxnOffsetCommit,
  WriteTxnMarkers,
  type RecordBatchOptions,
} from '@millrace/protocol'
import { partitionForKey } from '../coordinators/runtime/partition-for-key.ts'
import { batchOf, TestBroker, type RawClient } from '../testing/index.ts'

const transactionalId = 'copier'

interface Identity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

async function find(client: RawClient): Promise<void> {
  await findOne(client, 1, transactionalId)
  await findOne(client, 0, 'group')
}

async function findOne(client: RawClient, keyType: number, key: string): Promise<void> {
  const { errorCode } = await client.ask(FindCoordinator, 3, { key, keyType })
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

/** A broker with a topic, and a producer that has its identity. */
async function begin() {
  const broker = await TestBroker.start({
    configs: { 'offsets.topic.num.partitions': 1, 'transaction.state.log.num.partitions': 1 },
  })
  const topicId = await broker.createTopic('t', { partitions: 2 })
  const client = await broker.connect()
  await find(client)
  return { broker, client, topicId, identity: await init(client) }
}

test('records for a partition that is not in the transaction are refused, or the partition is added, as the client is old or new', async () => {
  const { broker, client, identity } = await begin()
  await using _ = broker
  for (const [version, expected] of [
    [10, 'INVALID_TXN_STATE'],
    [11, 'TRANSACTION_ABORTABLE'],
    [12, 'NONE'],
  ] as const)
    assert.equal((await produce(client, version, ['a'], { ...identity, baseSequence: 0 })).error, expected)
  // The old clients' records are not written either when another partition is in the transaction.
  assert.equal((await produce(client, 10, ['a'], { ...identity, baseSequence: 0 }, 1)).error, 'INVALID_TXN_STATE')
  assert.equal((await end(client, 5, identity, true)).error, 'NONE')
  assert.deepEqual(await read(client, 1), ['a'])
})

test('records without a transactional id, of two producers, of a fenced one, or without a coordinator', async () => {
  const { broker, client, topicId, identity } = await begin()
  await using _ = broker
  const ask = async (id: string | null, ...batches: RecordBatchOptions[]) => {
    const { responses } = await client.ask(Produce, 13, {
      transactionalId: id,
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          topicId,
          partitionData: batches.map((options, index) => ({
            index,
            records: batchOf(['v'], { isTransactional: true, baseSequence: 0, ...options }),
          })),
        },
      ],
    })
    return responses[0]!.partitionResponses.map(({ errorCode }) => errorName(errorCode))
  }
  assert.deepEqual(await ask(null, identity, identity), Array(2).fill('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'))
  assert.deepEqual(
    await ask(transactionalId, identity, { ...identity, producerEpoch: 9 }),
    Array(2).fill('INVALID_PRODUCER_ID_MAPPING'),
  )
  assert.deepEqual(await ask('', identity), ['INVALID_REQUEST'])
  assert.deepEqual(await ask('unknown', identity), ['INVALID_PRODUCER_ID_MAPPING'])
  await init(client)
  assert.deepEqual(await ask(transactionalId, identity), ['INVALID_PRODUCER_EPOCH'])
  assert.deepEqual(await read(client, 0), [])

  await using alone = await TestBroker.start()
  await alone.createTopic('t')
  const other = await alone.connect()
  const lost = await produce(other, 12, ['a'], { ...identity, baseSequence: 0 })
  assert.equal(lost.error, 'NOT_ENOUGH_REPLICAS')
  assert.match(lost.errorMessage!, /COORDINATOR_NOT_AVAILABLE/)
  await findOne(other, 0, 'group')
  assert.equal(await commitOffset(other, 5, identity, 1n), 'COORDINATOR_NOT_AVAILABLE')
})

async function commitOffset(client: RawClient, version: number, identity: Identity, offset: bigint): Promise<string> {
  const { topics } = await client.ask(TxnOffsetCommit, version, {
    transactionalId,
    groupId: 'group',
    ...identity,
    ...(version >= 3 ? { memberId: '' } : {}),
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }] }],
  })
  return errorName(topics[0]!.partitions[0]!.errorCode)
}

async function fetchOffset(client: RawClient, requireStable = true): Promise<bigint | string> {
  const { topics } = await client.ask(OffsetFetch, 7, {
    groupId: 'group',
    topics: [{ name: 't', partitionIndexes: [0] }],
    requireStable,
  })
  const { errorCode, committedOffset } = topics[0]!.partitions[0]!
  return errorCode === 0 ? committedOffset : errorName(errorCode)
}

test('offsets count when their transaction is committed', async () => {
  const { broker, client, identity } = await begin()
  await using _ = broker
  assert.equal(await commitOffset(client, 3, identity, 5n), 'INVALID_TXN_STATE')
  assert.equal(await commitOffset(client, 4, identity, 5n), 'TRANSACTION_ABORTABLE')
  for (const [version, committed, expected] of [
    [2, true, 1n],
    [4, false, 1n],
    [3, true, 3n],
  ] as const) {
    const added = await client.ask(AddOffsetsToTxn, 3, { transactionalId, ...identity, groupId: 'group' })
    assert.equal(errorName(added.errorCode), 'NONE')
    assert.equal(await commitOffset(client, version, identity, expected), 'NONE')
    assert.equal(await fetchOffset(client), 'UNSTABLE_OFFSET_COMMIT')
    assert.equal((await end(client, 3, identity, committed)).error, 'NONE')
    assert.equal(await untilStable(client), expected)
  }
  assert.equal(await commitOffset(client, 5, identity, 9n), 'NONE')
  assert.equal(await fetchOffset(client, false), 3n)
  const { producerEpoch } = await end(client, 5, identity, true)
  assert.equal(await untilStable(client), 9n)
  assert.equal(await commitOffset(client, 5, identity, 10n), 'INVALID_PRODUCER_EPOCH')
  assert.equal(await commitOffset(client, 5, { ...identity, producerEpoch }, 10n), 'NONE')
})

async function untilStable(client: RawClient): Promise<bigint | string> {
  for (;;) {
    const offset = await fetchOffset(client)
    if (offset !== 'UNSTABLE_OFFSET_COMMIT') return offset
  }
}

test('offsets are added to a transaction before the topic exists that is to hold them', async () => {
  await using broker = await TestBroker.start({ configs: { 'offsets.topic.num.partitions': 7 } })
  await broker.createTopic('t')
  const client = await broker.connect()
  await findOne(client, 1, transactionalId)
  const identity = await init(client)
  const addOffsets = async () =>
    errorName((await client.ask(AddOffsetsToTxn, 3, { transactionalId, ...identity, groupId: 'group' })).errorCode)
  const describe = async () =>
    (await client.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId] })).transactionStates[0]!

  assert.equal(await addOffsets(), 'NONE')
  const { transactionState, topics } = await describe()
  const partitions = [partitionForKey('group', 7)]
  assert.deepEqual([transactionState, topics], ['Ongoing', [{ topic: '__consumer_offsets', partitions }]])
  assert.equal(await commitOffset(client, 3, identity, 4n), 'COORDINATOR_NOT_AVAILABLE')
  // What is nowhere needs no marker.
  assert.equal((await end(client, 3, identity, true)).error, 'NONE')
  while ((await describe()).transactionState !== 'CompleteCommit');

  assert.equal(await addOffsets(), 'NONE')
  await findOne(client, 0, 'group')
  assert.equal(await commitOffset(client, 3, identity, 5n), 'NONE')
  assert.equal((await end(client, 3, identity, true)).error, 'NONE')
  assert.equal(await untilStable(client), 5n)
})

test('DescribeTransactions tells where a transaction stands, and WriteTxnMarkers can end what it has left', async () => {
  const { broker, client, identity } = await begin()
  await using _ = broker
  const describe = async (id: string) =>
    (await client.ask(DescribeTransactions, 0, { transactionalIds: [id] })).transactionStates[0]!
  assert.equal(errorName((await describe('unknown')).errorCode), 'TRANSACTIONAL_ID_NOT_FOUND')
  assert.equal(errorName((await describe('')).errorCode), 'INVALID_REQUEST')
  assert.equal((await describe(transactionalId)).transactionState, 'Empty')
  await produce(client, 12, ['a'], { ...identity, baseSequence: 0 })
  const { transactionState, topics, producerId, producerEpoch, transactionTimeoutMs } = await describe(transactionalId)
  assert.deepEqual(
    [transactionState, topics, producerId, producerEpoch, transactionTimeoutMs],
    ['Ongoing', [{ topic: 't', partitions: [0] }], identity.producerId, 0, 60_000],
  )
  const { markers } = await client.ask(WriteTxnMarkers, 1, {
    markers: [
      {
        ...identity,
        transactionResult: false,
        coordinatorEpoch: 0,
        topics: [{ name: 't', partitionIndexes: [0, 9] }],
      },
    ],
  })
  assert.deepEqual(
    markers[0]!.topics[0]!.partitions.map(({ errorCode }) => errorName(errorCode)),
    ['NONE', 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
  assert.deepEqual(await read(client, 1), [])
  assert.deepEqual(await read(client, 0), ['a'])
})

test('AddPartitionsToTxn adds all or none, and verifies without adding', async () => {
  const { broker, client, identity } = await begin()
  await using _ = broker
  assert.deepEqual(await add(client, 3, identity, [0, 9]), ['OPERATION_NOT_ATTEMPTED', 'UNKNOWN_TOPIC_OR_PARTITION'])
  const internal = await client.ask(AddPartitionsToTxn, 3, {
    transactions: [],
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: identity.producerId,
    v3AndBelowProducerEpoch: identity.producerEpoch,
    v3AndBelowTopics: ['t', '__consumer_offsets'].map((name) => ({ name, partitions: [0] })),
  })
  assert.deepEqual(
    internal.resultsByTopicV3AndBelow.map(({ resultsByPartition: [result] }) => errorName(result!.partitionErrorCode)),
    ['OPERATION_NOT_ATTEMPTED', 'TOPIC_AUTHORIZATION_FAILED'],
  )
  const ask = async (verifyOnly: boolean, ids: readonly string[]) => {
    const { resultsByTransaction } = await client.ask(AddPartitionsToTxn, 5, {
      transactions: ids.map((id) => ({
        transactionalId: id,
        ...identity,
        verifyOnly,
        topics: [{ name: 't', partitions: [0] }],
      })),
    })
    return resultsByTransaction.map(({ transactionalId: id, topicResults }) => [
      id,
      errorName(topicResults[0]!.resultsByPartition[0]!.partitionErrorCode),
    ])
  }
  assert.deepEqual(await ask(true, [transactionalId, 'unknown', '']), [
    [transactionalId, 'TRANSACTION_ABORTABLE'],
    ['unknown', 'INVALID_PRODUCER_ID_MAPPING'],
    ['', 'INVALID_REQUEST'],
  ])
  assert.deepEqual(await ask(false, [transactionalId]), [[transactionalId, 'NONE']])
  assert.deepEqual(await ask(true, [transactionalId]), [[transactionalId, 'NONE']])
  await init(client)
  assert.deepEqual(await ask(true, [transactionalId]), [[transactionalId, 'PRODUCER_FENCED']])
  assert.deepEqual(await add(client, 1, identity, [0]), ['INVALID_PRODUCER_EPOCH'])
  assert.deepEqual(await add(client, 2, identity, [0]), ['PRODUCER_FENCED'])
})

test('ListTransactions filters by state, producer and duration, and names the states that it does not know', async () => {
  const { broker, client, identity } = await begin()
  await using _ = broker
  const list = async (request: { stateFilters?: string[]; producerIdFilters?: bigint[]; durationFilter?: bigint }) => {
    const answer = await client.ask(ListTransactions, 1, { stateFilters: [], producerIdFilters: [], ...request })
    assert.equal(errorName(answer.errorCode), 'NONE')
    return [answer.transactionStates.map(({ transactionState }) => transactionState), answer.unknownStateFilters]
  }
  assert.deepEqual(await list({}), [['Empty'], []])
  await produce(client, 12, ['a'], { ...identity, baseSequence: 0 })
  assert.deepEqual(await list({ stateFilters: ['Ongoing', 'Dead', 'Undead'] }), [['Ongoing'], ['Undead']])
  assert.deepEqual(await list({ stateFilters: ['Empty'] }), [[], []])
  assert.deepEqual(await list({ producerIdFilters: [identity.producerId] }), [['Ongoing'], []])
  assert.deepEqual(await list({ producerIdFilters: [identity.producerId + 1n] }), [[], []])
  assert.deepEqual(await list({ durationFilter: 600_000n }), [[], []])
  const like = async (transactionalIdPattern: string | null) => {
    const answer = await client.ask(ListTransactions, 2, {
      stateFilters: [],
      producerIdFilters: [],
      transactionalIdPattern,
    })
    return [errorName(answer.errorCode), answer.transactionStates.length]
  }
  for (const [pattern, expected] of [
    [null, ['NONE', 1]],
    ['', ['NONE', 1]],
    ['c.p[ij]er', ['NONE', 1]],
    ['cop', ['NONE', 0]],
    ['(', ['INVALID_REGULAR_EXPRESSION', 0]],
  ] as const)
    assert.deepEqual(await like(pattern), expected)
})
