// How our admin ends transactions by force.
import { ErrorCode, KafkaError, serde } from '@millrace/client'
import { eventually } from '../checks/eventually.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Effect } from './effect.ts'
import { codeOf, type Stage } from './stage.ts'

export function transactionEffects(stage: Stage): readonly Effect[] {
  return [
    { what: 'a producer is fenced, and its transaction aborted', run: () => fenced(stage, 'fence') },
    { what: 'a transaction is terminated by force', run: () => fenced(stage, 'terminate') },
    { what: 'a transaction is aborted in one partition', run: () => aborted(stage) },
    { what: 'transactions are listed by state, producer, age and pattern', run: () => listed(stage) },
  ]
}

async function open({ kafka, admin }: Stage, name: string) {
  await admin.createTopics([{ name, numPartitions: 1 }])
  const producer = kafka.producer({ topic: name, value: serde.string, transactionalId: name })
  await producer.initTransactions()
  producer.beginTransaction()
  await producer.send({ value: 'open' })
  return producer
}

async function lastStableOffset({ admin }: Stage, topic: string): Promise<string> {
  const query = { topic, partition: 0, offset: 'latest' } as const
  const [listedOffset] = await admin.listOffsets([query], { isolationLevel: 'read_committed' })
  return String(listedOffset.offset)
}

async function fenced(stage: Stage, how: 'fence' | 'terminate'): Promise<void> {
  const name = `to-${how}`
  const { admin } = stage
  await using producer = await open(stage, name)
  const [before] = await admin.describeTransactions([name])
  if (how === 'terminate') await admin.forceTerminateTransaction(name)
  else {
    const [after] = await admin.fenceProducers([name])
    expectTrue(
      after.producerEpoch > before.producerEpoch || after.producerId !== before.producerId,
      'the epoch is as before',
    )
  }
  await eventually(async () => expectEqual(await lastStableOffset(stage, name), '2', 'end of what is stable'))
  const commit = await codeOf(producer.commitTransaction())
  expectTrue(
    commit === ErrorCode.PRODUCER_FENCED || commit === ErrorCode.INVALID_PRODUCER_EPOCH,
    `the fenced producer could commit: ${commit}`,
  )
}

async function aborted(stage: Stage): Promise<void> {
  const name = 'to-abort'
  const at = { topic: name, partition: 0 }
  const { admin } = stage
  await using producer = await open(stage, name)
  expectEqual(await lastStableOffset(stage, name), '0', 'end of what is stable')
  const [{ activeProducers }] = await admin.describeProducers([at])
  const [{ producerId, producerEpoch, coordinatorEpoch }] = activeProducers as [(typeof activeProducers)[number]]
  await admin.abortTransaction({ ...at, producerId, producerEpoch, coordinatorEpoch: coordinatorEpoch ?? 0 })
  await eventually(async () => expectEqual(await lastStableOffset(stage, name), '2', 'end of what is stable'))
  await producer.abortTransaction().catch((error: unknown) => {
    if (!(error instanceof KafkaError)) throw error
  })
}

async function listed(stage: Stage): Promise<void> {
  const { admin } = stage
  await using producer = await open(stage, 'to-list')
  const [{ producerId }] = await admin.describeTransactions(['to-list'])
  const ids = async (options: Parameters<typeof admin.listTransactions>[0]) =>
    (await admin.listTransactions(options)).map(({ transactionalId }) => transactionalId)
  expectTrue((await ids({ states: ['Ongoing'] })).includes('to-list'), 'not listed by state')
  expectEqual(await ids({ producerIds: [producerId] }), ['to-list'], 'by producer')
  expectEqual(await ids({ transactionalIdPattern: 'to-l.*' }), ['to-list'], 'by pattern')
  expectEqual(await ids({ states: ['Ongoing'], runningLongerThanMs: 3_600_000 }), [], 'by age')
  expectEqual(
    await codeOf(admin.listTransactions({ transactionalIdPattern: '(' })),
    ErrorCode.INVALID_REGULAR_EXPRESSION,
    'by a bad pattern',
  )
  await producer.abortTransaction()
}
