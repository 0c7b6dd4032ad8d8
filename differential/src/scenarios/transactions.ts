/** Producer ids, transactions and their markers, what readers may see of them, and every refusal on the way. */
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  Fetch,
  InitProducerId,
  ListOffsets,
  ListTransactions,
  OffsetFetch,
  Produce,
  RecordBatchBuilder,
  TxnOffsetCommit,
  WriteTxnMarkers,
  type Response,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import type { Duet } from '../duet.ts'
import type { Topic, World } from '../world.ts'
import { describe, stableGroup } from './classic-groups.ts'
import { fetchRequest } from './offsets.ts'

export interface Producer {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** Asks until the answer is something else than CONCURRENT_TRANSACTIONS: the end of the transaction before is on its way. */
export async function initProducer(
  client: Duet,
  transactionalId: string | null,
  more: { version?: number; transactionTimeoutMs?: number; producerId?: bigint; producerEpoch?: number } = {},
): Promise<Response<typeof InitProducerId>> {
  const { version = 5, ...rest } = more
  return client.askUntil(
    InitProducerId,
    version,
    { transactionalId, transactionTimeoutMs: 900_000, ...rest },
    ({ errorCode }) => errorCode !== 51,
  )
}

export async function openProducer(client: Duet, transactionalId: string): Promise<Producer> {
  const { producerId, producerEpoch } = await initProducer(client, transactionalId)
  return { transactionalId, producerId, producerEpoch }
}

interface Batch {
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly values?: readonly string[]
}

/** The batch is built for each broker, with the producer id that it knows. */
export function produceRequest(topic: Topic, partition: number, batch: Batch, transactionalId: string | null = null) {
  const { values = ['v'], ...options } = batch
  return (resolve: <Value>(value: Value) => Value) => {
    const builder = new RecordBatchBuilder(resolve(options))
    for (const value of values) builder.append({ timestamp: BigInt(Date.now()), value: Buffer.from(value) })
    return {
      transactionalId,
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          name: topic.name,
          topicId: resolve(topic.id),
          partitionData: [{ index: partition, records: builder.build() }],
        },
      ],
    }
  }
}

export async function produce(
  client: Duet,
  {
    topic,
    partition = 0,
    version = 13,
    transactionalId = null,
    ...batch
  }: Batch & {
    readonly topic: Topic
    readonly partition?: number
    readonly version?: number
    readonly transactionalId?: string | null
  },
) {
  const { values, ...shown } = batch
  return client.askBuilt(
    Produce,
    version,
    produceRequest(topic, partition, { ...shown, ...(values === undefined ? {} : { values }) }, transactionalId),
    { topic: topic.name, partition, transactionalId, ...batch },
  )
}

/** As a transactional producer sends its records; the sequence starts at 0. */
export function produceIn(
  client: Duet,
  producer: Producer,
  topic: Topic,
  baseSequence = 0,
  version = 13,
  partition = 0,
) {
  return produce(client, { ...producer, topic, partition, baseSequence, version, isTransactional: true })
}

export function addPartitions(client: Duet, producer: Producer, topic: string, partitions: number[], version = 3) {
  return client.ask(AddPartitionsToTxn, version, {
    v3AndBelowTransactionalId: producer.transactionalId,
    v3AndBelowProducerId: producer.producerId,
    v3AndBelowProducerEpoch: producer.producerEpoch,
    v3AndBelowTopics: [{ name: topic, partitions }],
  })
}

/** What can be seen of a transaction and its partitions. */
export async function look(world: World, transactionalId: string, topic: Topic, partitions = [0, 1]): Promise<void> {
  const client = await world.client('looker')
  await client.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId] })
  await client.ask(DescribeProducers, 0, { topics: [{ name: topic.name, partitionIndexes: partitions }] })
  for (const isolationLevel of [0, 1])
    await client.ask(ListOffsets, 8, {
      replicaId: -1,
      isolationLevel,
      topics: [
        { name: topic.name, partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp: -1n })) },
      ],
    })
}

/** Waits until the transaction is in none of the states in which its markers are still on their way. */
export async function untilEnded(world: World, transactionalId: string): Promise<void> {
  const client = await world.client('looker')
  await client.askUntil(
    DescribeTransactions,
    0,
    { transactionalIds: [transactionalId] },
    ({ transactionStates }) => !transactionStates[0]!.transactionState.startsWith('Prepare'),
  )
}

export async function endTransaction(
  client: Duet,
  producer: Producer,
  committed: boolean,
  version = 5,
): Promise<Producer> {
  const { producerId, producerEpoch, errorCode } = await client.ask(EndTxn, version, { ...producer, committed })
  return version < 5 || errorCode !== 0 ? producer : { ...producer, producerId, producerEpoch }
}

export const transactions: readonly Scenario[] = [
  {
    name: 'producer ids without a transaction, in every version',
    async run(world) {
      const client = await world.client('idempotent')
      for (const version of world.versions(InitProducerId)) {
        const first = await initProducer(client, null, { version })
        await initProducer(client, null, { version, transactionTimeoutMs: 0 })
        await initProducer(client, null, { version, transactionTimeoutMs: -1 })
        const { producerId, producerEpoch } = first
        if (version < 3) continue
        await initProducer(client, null, { version, producerId, producerEpoch })
        await initProducer(client, null, { version, producerId, producerEpoch: 5 })
        await initProducer(client, null, { version, producerId: 123_456n, producerEpoch: 3 })
        await initProducer(client, null, { version, producerId })
        await initProducer(client, null, { version, producerEpoch: 1 })
        await initProducer(client, null, { version, producerId: -2n, producerEpoch: -2 })
      }
    },
  },
  {
    name: 'producer ids of transactions: given, bumped, refused, fenced, in every version',
    async run(world) {
      const client = await world.client('producer')
      for (const version of world.versions(InitProducerId)) {
        const transactionalId = world.name(`v${version}`)
        await initProducer(client, '', { version })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: 0 })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: -1 })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: 900_001 })
        const first = await initProducer(client, transactionalId, { version })
        const { producerId } = first
        await initProducer(client, transactionalId, { version })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: 900_000 })
        const looker = await world.client('looker')
        await looker.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId, world.name('missing'), ''] })
        if (version < 3) continue
        const ask = (id: bigint, producerEpoch: number) =>
          initProducer(client, transactionalId, { version, producerId: id, producerEpoch })
        await ask(producerId, 2)
        await ask(producerId, 2)
        await ask(producerId, 0)
        await ask(producerId, 9)
        await ask(777_777n, 3)
        await ask(producerId, -1)
        await ask(-1n, 3)
        await ask(producerId, 3)
        await initProducer(client, world.name(`new-v${version}`), { version, producerId: 777_777n, producerEpoch: 3 })
      }
    },
  },
  {
    name: 'transactions of the old protocol: added, written, committed and aborted, in every version',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(EndTxn).filter((one) => one <= 4)) {
        const transactionalId = world.name(`v${version}`)
        let producer = await openProducer(client, transactionalId)
        let sequence = 0
        for (const committed of [true, false, true]) {
          await addPartitions(client, producer, topic.name, [0, 1], Math.min(version, 3))
          await look(world, transactionalId, topic)
          await produceIn(client, producer, topic, sequence, 11)
          await produceIn(client, producer, topic, sequence++, 11, 1)
          await look(world, transactionalId, topic)
          producer = await endTransaction(client, producer, committed, version)
          await untilEnded(world, transactionalId)
          await look(world, transactionalId, topic)
          await endTransaction(client, producer, committed, version)
          await endTransaction(client, producer, !committed, version)
        }
        await endTransaction(client, { ...producer, producerEpoch: 7 }, true, version)
        await endTransaction(client, { ...producer, producerEpoch: -1 }, true, version)
        await endTransaction(client, { ...producer, producerId: 777_777n }, true, version)
        await endTransaction(client, { ...producer, transactionalId: world.name('missing') }, true, version)
        await endTransaction(client, { ...producer, transactionalId: '' }, true, version)
      }
    },
  },
  {
    name: 'partitions are added to transactions, and refused',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(AddPartitionsToTxn)) {
        const transactionalId = world.name(`v${version}`)
        const producer = await openProducer(client, transactionalId)
        const add = (
          change: Partial<Producer>,
          topics: { name: string; partitions: number[] }[],
          verifyOnly = false,
        ) => {
          const one = { ...producer, ...change }
          return client.ask(AddPartitionsToTxn, version, {
            v3AndBelowTransactionalId: one.transactionalId,
            v3AndBelowProducerId: one.producerId,
            v3AndBelowProducerEpoch: one.producerEpoch,
            v3AndBelowTopics: topics,
            transactions: [{ ...one, verifyOnly, topics }],
          })
        }
        const both = [{ name: topic.name, partitions: [0, 1] }]
        const missing = [{ name: world.name('missing'), partitions: [0] }]
        if (version >= 4) await add({}, both, true)
        await add({}, [])
        await add({}, missing)
        await add({}, [...both, ...missing])
        await add({}, [{ name: topic.name, partitions: [0, 9] }])
        await add({ transactionalId: world.name('missing') }, both)
        await add({ transactionalId: '' }, both)
        await add({ producerId: 777_777n }, both)
        await add({ producerEpoch: 5 }, both)
        await add({ producerEpoch: -1 }, both)
        await add({}, [{ name: topic.name, partitions: [0] }])
        await add({}, [{ name: topic.name, partitions: [0] }])
        if (version >= 4) {
          await add({}, both, true)
          await add({ producerEpoch: 5 }, both, true)
          await add({ producerId: 777_777n }, both, true)
          await add({ transactionalId: world.name('missing') }, both, true)
          await client.ask(AddPartitionsToTxn, version, {
            transactions: [
              { ...producer, verifyOnly: true, topics: both },
              { ...producer, transactionalId: world.name('missing'), verifyOnly: false, topics: both },
              { ...producer, transactionalId: '', verifyOnly: false, topics: [...missing, ...both] },
            ],
          })
        }
        await add({}, both)
        await look(world, transactionalId, topic)
        await endTransaction(client, producer, false, 3)
        await untilEnded(world, transactionalId)
        if (version >= 4) await add({}, both, true)
        await add({}, both)
        await look(world, transactionalId, topic)
      }
    },
  },
  {
    name: 'transactions of the new protocol: partitions by Produce, the epoch with every end',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(Produce, 12)) {
        const transactionalId = world.name(`v${version}`)
        let producer = await openProducer(client, transactionalId)
        for (const committed of [true, false, true]) {
          await produceIn(client, producer, topic, 0, version)
          await produceIn(client, producer, topic, 1, version)
          await look(world, transactionalId, topic)
          const before = producer
          producer = await endTransaction(client, producer, committed)
          await untilEnded(world, transactionalId)
          await endTransaction(client, before, committed)
          await endTransaction(client, before, !committed)
          await produceIn(client, before, topic, 2, version)
          await look(world, transactionalId, topic)
        }
        // Ended without anything in it.
        producer = await endTransaction(client, producer, false)
        await untilEnded(world, transactionalId)
        await endTransaction(client, producer, true)
        await look(world, transactionalId, topic)
        producer = await endTransaction(client, producer, false)
        await untilEnded(world, transactionalId)
        await endTransaction(client, { ...producer, producerEpoch: 77 }, true)
        await endTransaction(client, { ...producer, producerId: 777_777n }, true)
        await endTransaction(client, { ...producer, transactionalId: world.name('missing') }, false)
        await endTransaction(client, { ...producer, transactionalId: '' }, false)
        // Nothing was ever in it.
        const fresh = await openProducer(client, world.name(`fresh-v${version}`))
        await endTransaction(client, fresh, true)
        await endTransaction(client, fresh, false)
        await untilEnded(world, fresh.transactionalId)
        await look(world, fresh.transactionalId, topic)
      }
    },
  },
  {
    name: 'the old and the new protocol mixed by one producer',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const transactionalId = world.name('id')
      let producer = await openProducer(client, transactionalId)
      await produceIn(client, producer, topic, 0, 13)
      await endTransaction(client, producer, true, 4)
      await untilEnded(world, transactionalId)
      await look(world, transactionalId, topic)
      producer = await openProducer(client, transactionalId)
      await addPartitions(client, producer, topic.name, [0])
      await produceIn(client, producer, topic, 0, 11)
      producer = await endTransaction(client, producer, true, 5)
      await untilEnded(world, transactionalId)
      await look(world, transactionalId, topic)
      await produceIn(client, producer, topic, 1, 11)
      await produceIn(client, producer, topic, 0, 11)
      await look(world, transactionalId, topic)
      await produceIn(client, producer, topic, 0, 13)
      await look(world, transactionalId, topic)
    },
  },
  {
    name: 'a newer producer fences the older one, with a transaction open and without',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      for (const version of world.versions(InitProducerId)) {
        const transactionalId = world.name(`v${version}`)
        const old = await world.client('old')
        const client = await world.client('new')
        const first = await openProducer(old, transactionalId)
        await produceIn(old, first, topic, 0, 13)
        const second = await initProducer(client, transactionalId, { version })
        await look(world, transactionalId, topic)
        await produceIn(old, first, topic, 1, 13)
        await produceIn(old, first, topic, 1, 11)
        await addPartitions(old, first, topic.name, [0])
        await endTransaction(old, first, true)
        await endTransaction(old, first, true, 1)
        await endTransaction(old, first, true, 2)
        await old.ask(AddOffsetsToTxn, 4, { ...first, groupId: world.name('group') })
        await old.ask(AddOffsetsToTxn, 1, { ...first, groupId: world.name('group') })
        await initProducer(old, transactionalId, { ...first, version: 5 })
        await initProducer(old, transactionalId, { ...first, version: 3 })
        await produceIn(client, { ...first, ...second, transactionalId }, topic, 0, 13)
        await look(world, transactionalId, topic)
      }
    },
  },
  {
    name: 'records of producers: sequences, epochs, and transactions that are not open',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(Produce, 3)) {
        const { producerId } = await initProducer(client, null)
        const send = (batch: Batch & { transactionalId?: string | null; partition?: number }) =>
          produce(client, { topic, version, producerId, producerEpoch: 0, baseSequence: 0, ...batch })
        await send({})
        await send({})
        await send({ baseSequence: 1, values: ['a', 'b'] })
        await send({ baseSequence: 1, values: ['a', 'b'] })
        await send({ baseSequence: 1, values: ['a'] })
        await send({ baseSequence: 5 })
        await send({ baseSequence: 3, producerEpoch: 1 })
        await send({ baseSequence: 0, producerEpoch: 1 })
        await send({ baseSequence: 1, producerEpoch: 0 })
        await send({ partition: 1, baseSequence: 7 })
        await send({ partition: 1, baseSequence: 9 })
        await send({ producerEpoch: -1 })
        await send({ baseSequence: -1 })
        await send({ producerId: -1n, producerEpoch: -1, baseSequence: -1 })
        await send({ partition: 9 })
        await send({ isTransactional: true, baseSequence: 1, producerEpoch: 1 })
        await send({ isTransactional: true, baseSequence: 1, producerEpoch: 1, transactionalId: world.name('missing') })
        await send({ transactionalId: world.name('missing'), baseSequence: 1, producerEpoch: 1 })
        const producer = await openProducer(client, world.name(`v${version}`))
        await produceIn(client, producer, topic, 0, version)
        await produceIn(client, producer, topic, 0, version)
        await produceIn(client, producer, topic, 3, version)
        await send({ ...producer, baseSequence: version < 12 ? 0 : 1 })
        await produceIn(client, { ...producer, producerEpoch: 3 }, topic, 0, version)
        await produceIn(client, { ...producer, transactionalId: world.name('missing') }, topic, 1, version)
        await look(world, producer.transactionalId, topic)
        await client.ask(EndTxn, 4, { ...producer, committed: false })
        await untilEnded(world, producer.transactionalId)
      }
    },
  },
  {
    name: 'what readers of committed records get: last stable offsets, aborted transactions',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const client = await world.client('producer')
      const read = async (fetchOffset: bigint) => {
        for (const version of world.versions(Fetch))
          for (const isolationLevel of [0, 1])
            await client.ask(Fetch, version, {
              maxWaitMs: 0,
              minBytes: 0,
              maxBytes: 1_000_000,
              isolationLevel,
              sessionId: 0,
              topics: [
                {
                  topic: topic.name,
                  topicId: topic.id,
                  partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }],
                },
              ],
              forgottenTopicsData: [],
              rackId: '',
            })
      }
      let one = await openProducer(client, world.name('one'))
      let two = await openProducer(client, world.name('two'))
      await produceIn(client, one, topic)
      await produceIn(client, two, topic)
      await produce(client, { topic, values: ['plain'] })
      await read(0n)
      one = await endTransaction(client, one, false)
      await untilEnded(world, one.transactionalId)
      await read(0n)
      await read(2n)
      two = await endTransaction(client, two, true)
      await untilEnded(world, two.transactionalId)
      await read(0n)
      await produceIn(client, one, topic)
      one = await endTransaction(client, one, false)
      await untilEnded(world, one.transactionalId)
      for (const offset of [0n, 3n, 4n, 5n, 6n, 7n, 9n]) await read(offset)
    },
  },
  {
    name: 'offsets in transactions: pending, committed, aborted, refused',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const fetcher = await world.client('fetcher')
      const see = async (groupId: string) => {
        const topics = [{ name: topic.name, topicId: topic.id, partitionIndexes: [0, 1] }]
        for (const requireStable of [false, true])
          for (const version of [7, 9])
            await fetcher.ask(OffsetFetch, version, fetchRequest(groupId, topics, { requireStable }))
      }
      for (const version of world.versions(TxnOffsetCommit)) {
        const transactionalId = world.name(`v${version}`)
        const groupId = world.name(`group-v${version}`)
        const members = world.name(`members-v${version}`)
        const { memberId, generationId } = await stableGroup(world, members)
        let producer = await openProducer(client, transactionalId)
        const isNew = version >= 5
        const commit = (change: object, partitions: number[] = [0]) =>
          client.ask(TxnOffsetCommit, version, {
            ...producer,
            groupId,
            memberId: '',
            generationIdOrMemberEpoch: -1,
            topics: [
              {
                name: topic.name,
                partitions: partitions.map((partitionIndex) => ({
                  partitionIndex,
                  committedOffset: 5n,
                  committedLeaderEpoch: 1,
                  committedMetadata: 'm',
                })),
              },
            ],
            ...change,
          })
        for (const committed of [true, false]) {
          if (!isNew) {
            await commit({})
            for (const one of world.versions(AddOffsetsToTxn)) {
              await client.ask(AddOffsetsToTxn, one, { ...producer, groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, groupId: '' })
              await client.ask(AddOffsetsToTxn, one, { ...producer, transactionalId: '', groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, transactionalId: world.name('missing'), groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, producerId: 777_777n, groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, producerEpoch: 9, groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, groupId: members })
            }
          }
          await commit({}, [0, 1, 9])
          await commit({ groupId: '' })
          await commit({ topics: [] })
          await commit({ transactionalId: world.name('missing') })
          await commit({ producerEpoch: 9 })
          await commit({ producerEpoch: -1 })
          await commit({ producerId: 777_777n })
          await commit({ memberId: 'unknown', generationIdOrMemberEpoch: 3 })
          await commit({ groupId: members })
          await commit({ groupId: members, memberId, generationIdOrMemberEpoch: generationId })
          await commit({ groupId: members, memberId, generationIdOrMemberEpoch: 9 })
          await commit({ groupId: members, memberId: 'unknown', generationIdOrMemberEpoch: generationId })
          await commit({ groupId: members, memberId, generationIdOrMemberEpoch: generationId, groupInstanceId: 'x' })
          const long = { partitionIndex: 0, committedOffset: 1n, committedMetadata: 'x'.repeat(5000) }
          await commit({
            topics: [
              { name: topic.name, partitions: [long] },
              { name: world.name('missing'), partitions: [long] },
            ],
          })
          const looker = await world.client('looker')
          await looker.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId] })
          await see(groupId)
          await see(members)
          const before = producer
          producer = await endTransaction(client, producer, committed, isNew ? 5 : 3)
          await untilEnded(world, transactionalId)
          await see(groupId)
          await see(members)
          await commit({ ...before })
          await looker.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId] })
        }
        await describe(world, groupId, members)
      }
    },
  },
  {
    name: 'transactions are listed by state, producer, duration and pattern, in every version',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const ongoing = await openProducer(client, world.name('ongoing'))
      await produceIn(client, ongoing, topic)
      const committed = await openProducer(client, world.name('committed'))
      await produceIn(client, committed, topic)
      await endTransaction(client, committed, true)
      await untilEnded(world, committed.transactionalId)
      const empty = await openProducer(client, world.name('empty'))
      for (const version of world.versions(ListTransactions)) {
        const list = (change: object) =>
          client.ask(ListTransactions, version, {
            stateFilters: [],
            producerIdFilters: [],
            transactionalIdPattern: `${world.name('')}.*`,
            ...change,
          })
        await list({})
        for (const state of [
          'Empty',
          'Ongoing',
          'PrepareCommit',
          'CompleteCommit',
          'Dead',
          'PrepareEpochFence',
          'ongoing',
          'nonsense',
        ])
          await list({ stateFilters: [state] })
        await list({ stateFilters: ['Ongoing', 'Empty', 'x', 'y'] })
        await list({ producerIdFilters: [ongoing.producerId, empty.producerId] })
        await list({ producerIdFilters: [777_777n] })
        await list({ stateFilters: ['Empty'], producerIdFilters: [ongoing.producerId] })
        if (version >= 1) {
          await list({ durationFilter: 0n })
          await list({ durationFilter: 3_600_000n })
          await list({ durationFilter: -5n })
        }
        if (version < 2) continue
        await list({ transactionalIdPattern: '' })
        await list({ transactionalIdPattern: world.name('o.*g') })
        await list({ transactionalIdPattern: 'ongoing' })
        await list({ transactionalIdPattern: '(' })
        await list({ transactionalIdPattern: '(?=x)' })
      }
      await client.ask(DescribeTransactions, 0, { transactionalIds: [] })
      await client.ask(DescribeTransactions, 0, {
        transactionalIds: ['', world.name('missing'), world.name('ongoing')],
      })
      await client.ask(DescribeProducers, 0, {
        topics: [
          { name: topic.name, partitionIndexes: [0, 1, 7] },
          { name: world.name('missing'), partitionIndexes: [0] },
          { name: 'a/b', partitionIndexes: [0] },
          { name: topic.name, partitionIndexes: [] },
        ],
      })
    },
  },
  {
    name: 'markers written from outside, as by kafka-transactions abort, in every version',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(WriteTxnMarkers)) {
        const mark = (producer: Producer, change: object = {}, partitionIndexes = [0]) =>
          client.ask(WriteTxnMarkers, version, {
            markers: [
              {
                producerId: producer.producerId,
                producerEpoch: producer.producerEpoch,
                transactionResult: false,
                topics: [{ name: topic.name, partitionIndexes }],
                coordinatorEpoch: 0,
                transactionVersion: 0,
                ...change,
              },
            ],
          })
        for (const transactionVersion of version >= 2 ? [0, 1, 2] : [0]) {
          const producer = await openProducer(client, world.name(`v${version}-${transactionVersion}`))
          await mark(producer, { transactionVersion })
          await produceIn(client, producer, topic, 0, 13)
          await mark(producer, { transactionVersion, producerEpoch: 9 })
          await look(world, producer.transactionalId, topic)
          const other = await openProducer(client, world.name(`other-v${version}-${transactionVersion}`))
          await produceIn(client, other, topic, 0, 13)
          await mark(other, { transactionVersion, producerEpoch: -1 })
          await mark(other, { transactionVersion, coordinatorEpoch: -1 })
          await look(world, other.transactionalId, topic)
          await mark(other, { transactionVersion, coordinatorEpoch: 7 }, [0, 9])
          await mark(other, { transactionVersion, coordinatorEpoch: 6 })
          await mark(other, { transactionVersion, topics: [{ name: world.name('missing'), partitionIndexes: [0] }] })
          await mark(other, { transactionVersion, topics: [] })
          await look(world, other.transactionalId, topic)
          // Those of a coordinator that is fenced by the epoch 7 stay prepared.
          await endTransaction(client, other, true)
          if (transactionVersion === 2) await untilEnded(world, other.transactionalId)
          await look(world, other.transactionalId, topic)
        }
        await client.ask(WriteTxnMarkers, version, { markers: [] })
        const twice = await openProducer(client, world.name(`twice-v${version}`))
        const marker = (partition: number) => ({
          producerId: twice.producerId,
          producerEpoch: 0,
          transactionResult: true,
          topics: [{ name: topic.name, partitionIndexes: [partition] }],
          coordinatorEpoch: 0,
          transactionVersion: 0,
        })
        await client.ask(WriteTxnMarkers, version, { markers: [marker(0), marker(1), marker(0)] })
      }
    },
  },
  {
    name: 'a transaction that takes too long is aborted and its producer fenced',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const protocol of [11, 13]) {
        const transactionalId = world.name(`v${protocol}`)
        const { producerId, producerEpoch } = await initProducer(client, transactionalId, { transactionTimeoutMs: 100 })
        const producer = { transactionalId, producerId, producerEpoch }
        if (protocol === 11) await addPartitions(client, producer, topic.name, [0, 1])
        await client.askUntil(DescribeTransactions, 0, { transactionalIds: [transactionalId] }, () => true)
        if (protocol === 13) await produceIn(client, producer, topic, 0, protocol)
        await client.askUntil(
          DescribeTransactions,
          0,
          { transactionalIds: [transactionalId] },
          (answer) => answer.transactionStates[0]!.transactionState === 'CompleteAbort',
        )
        await look(world, transactionalId, topic)
        await endTransaction(client, producer, true)
        await endTransaction(client, producer, false)
        await produceIn(client, producer, topic, 1, protocol)
        await initProducer(client, transactionalId, { producerId, producerEpoch })
        await initProducer(client, transactionalId, {})
        await look(world, transactionalId, topic)
      }
    },
  },
  {
    name: 'producers of the old protocol only: fenced, timed out, with offsets, mixed into a group',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const fenced = await openProducer(client, world.name('fenced'))
      await addPartitions(client, fenced, topic.name, [0])
      await produceIn(client, fenced, topic, 0, 11)
      const newer = { ...fenced, ...(await initProducer(client, fenced.transactionalId, { version: 4 })) }
      await look(world, fenced.transactionalId, topic)
      await produceIn(client, fenced, topic, 1, 11)
      await addPartitions(client, fenced, topic.name, [0])
      for (const version of [0, 1, 2, 3, 4]) await endTransaction(client, fenced, true, version)
      for (const version of [3, 4])
        await initProducer(client, fenced.transactionalId, {
          version,
          producerId: fenced.producerId,
          producerEpoch: fenced.producerEpoch,
        })
      const groupId = world.name('group')
      const now = { ...fenced, producerId: newer.producerId, producerEpoch: newer.producerEpoch }
      await client.ask(AddOffsetsToTxn, 3, { ...now, groupId })
      await client.ask(TxnOffsetCommit, 3, {
        ...now,
        groupId,
        memberId: '',
        generationIdOrMemberEpoch: -1,
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: '' }] }],
      })
      const wanted = [{ name: topic.name, topicId: topic.id, partitionIndexes: [0, 1] }]
      for (const requireStable of [false, true])
        await client.ask(OffsetFetch, 9, fetchRequest(groupId, wanted, { requireStable }))
      await look(world, now.transactionalId, topic)
      await endTransaction(client, now, true, 3)
      await untilEnded(world, now.transactionalId)
      await client.ask(OffsetFetch, 9, fetchRequest(groupId, wanted, { requireStable: true }))
      await look(world, now.transactionalId, topic)
      const slowId = world.name('slow')
      const { producerId, producerEpoch } = await initProducer(client, slowId, { transactionTimeoutMs: 100 })
      const slow = { transactionalId: slowId, producerId, producerEpoch }
      await addPartitions(client, slow, topic.name, [0, 1])
      await client.askUntil(
        DescribeTransactions,
        0,
        { transactionalIds: [slowId] },
        ({ transactionStates }) => transactionStates[0]!.transactionState === 'CompleteAbort',
      )
      await look(world, slowId, topic)
      await endTransaction(client, slow, true, 3)
      await initProducer(client, slowId, { version: 4, producerId, producerEpoch })
      await initProducer(client, slowId, {})
      await look(world, slowId, topic)
    },
  },
  {
    name: 'a producer whose partition was refused goes on with the next sequence',
    async run(world) {
      const topic = await world.topic('topic', 1)
      const client = await world.client('producer')
      const producer = await openProducer(client, world.name('id'))
      await produceIn(client, producer, topic, 0, 11)
      await produce(client, { ...producer, topic, version: 11, baseSequence: 1, transactionalId: null })
    },
  },
]
