/** What a producer does in scenarios: producer ids, records, transactions, and what can be seen of them. */
import {
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
  ListOffsets,
  Produce,
  RecordBatchBuilder,
  type Response,
} from '@millrace/protocol'
import type { Duet } from '../duet.ts'
import type { Topic, World } from '../world.ts'

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

export interface Batch {
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

/** Waits until the coordinator has aborted the transaction of its own accord. */
export async function untilAborted(client: Duet, transactionalId: string): Promise<void> {
  await client.askUntil(
    DescribeTransactions,
    0,
    { transactionalIds: [transactionalId] },
    ({ transactionStates }) => transactionStates[0]!.transactionState === 'CompleteAbort',
  )
}
