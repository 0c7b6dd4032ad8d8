// Transactions: seen as a whole or not at all, by one producer at a time, with the offsets of what was read.
import { KafkaError, serde, type Kafka } from '@millrace/client'
import { expectEqual, expectTrue } from '@millrace/interop/checking'
import { TxnOffsetCommit } from '@millrace/protocol'
import { section } from '../check.ts'
import { numbers, valuesOf } from '../reading.ts'

export const { checks, check } = section('transactions')

const sum = (lists: readonly string[][]) => lists.flat().length

check('what is committed is seen, what is aborted is not', async (bench) => {
  const topic = await bench.topic({ partitions: 2 })
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId: bench.name() }))
  const boom = new Error('boom')
  await producer.transaction(async (transaction) => {
    await transaction.sendAll(numbers(10).map((value, at) => ({ value: `committed ${value}`, partition: at % 2 })))
  })
  const thrown = await producer
    .transaction(async (transaction) => {
      await transaction.send({ value: 'aborted', partition: 0 })
      throw boom
    })
    .catch((error: unknown) => error)
  expectTrue(thrown === boom, `the transaction threw ${String(thrown)}`)
  await producer.transaction(async (transaction) => {
    await transaction.send({ value: 'aborted too', partition: 1 })
    await transaction.abort()
  })
  await producer.transaction((transaction) => transaction.send({ value: 'last', partition: 1 }))
  const committed = await valuesOf(bench, topic, { partitions: 2, isolationLevel: 'read_committed' })
  expectEqual(sum(committed), 11, 'committed records')
  expectEqual(
    committed.flat().filter((value) => value.startsWith('aborted')),
    [],
    'aborted records seen',
  )
  const all = await valuesOf(bench, topic, { partitions: 2 })
  expectEqual(sum(all), 13, 'records')
})

check('one call after the other, as in Java', async (bench) => {
  const topic = await bench.topic()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId: bench.name() }))
  await producer.initTransactions()
  for (const [at, ending] of ['commit', 'abort', 'commit', 'abort'].entries()) {
    producer.beginTransaction()
    const sent = numbers(5).map((value) => producer.send({ value: `${at}-${value}` }))
    if (ending === 'commit') {
      await producer.commitTransaction()
      await Promise.all(sent)
    } else {
      await Promise.allSettled(sent)
      await producer.abortTransaction()
    }
  }
  const expected = [0, 2].flatMap((at) => numbers(5).map((value) => `${at}-${value}`))
  expectEqual(await valuesOf(bench, topic, { isolationLevel: 'read_committed' }), [expected], 'values')
})

check('a second producer fences the first for good', async (bench) => {
  const topic = await bench.topic()
  const transactionalId = bench.name()
  const open = () => bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId }))
  const [first, second] = [open(), open()]
  await first.initTransactions()
  first.beginTransaction()
  await first.send({ value: 'from the first' })
  await second.transaction((transaction) => transaction.send({ value: 'from the second' }))
  const outcome = await first.commitTransaction().catch((error: unknown) => error)
  expectTrue(outcome instanceof KafkaError && !outcome.retriable, `the first came to ${String(outcome)}`)
  const again = await first
    .transaction((transaction) => transaction.send({ value: 'again' }))
    .catch((error: unknown) => error)
  expectTrue(again instanceof KafkaError, `the first could go on: ${String(again)}`)
  await second.transaction((transaction) => transaction.send({ value: 'from the second again' }))
  const seen = await valuesOf(bench, topic, { isolationLevel: 'read_committed' })
  expectEqual(seen, [['from the second', 'from the second again']], 'values')
  return (outcome as KafkaError).message
})

interface CopyOptions {
  readonly from: string
  readonly to: string
  readonly id: string
  readonly limit: number
  /** The coordinator can tell whether the member is outdated (KIP-447). */
  readonly knowsMembers: boolean
  readonly signal: AbortSignal
}

/** Copies up to `limit` records in transactions of a few each; every third is given up after it was written, and done again. */
async function copySome(kafka: Kafka, { from, to, id, limit, knowsMembers, signal }: CopyOptions): Promise<number> {
  await using producer = kafka.producer({ topic: to, value: serde.string, transactionalId: id })
  await using consumer = kafka.consumer({
    groupId: id,
    topics: [from],
    value: serde.string,
    offsetReset: 'earliest',
    isolationLevel: 'read_committed',
    enableAutoCommit: false,
    maxPollRecords: 20,
  })
  let copied = 0
  let attempts = 0
  for await (const batch of consumer.batches({ signal })) {
    const attempt = async (gaveUp: boolean) =>
      producer.transaction(async (transaction) => {
        await transaction.sendAll([...batch].map(({ value, partition }) => ({ value, partition })))
        await transaction.sendOffsets([batch.end], knowsMembers ? consumer.groupMetadata() : id)
        if (gaveUp) await transaction.abort()
      })
    if (++attempts % 3 === 0) await attempt(true)
    await attempt(false)
    copied += batch.count
    if (copied >= limit) break
  }
  return copied
}

check('offsets in the transaction: copied exactly once, though copiers come and go', async (bench) => {
  const [from, to] = [await bench.topic({ partitions: 3 }), await bench.topic({ partitions: 3 })]
  const kafka = bench.kafka()
  const count = 300
  const source = bench.use(kafka.producer({ topic: from, value: serde.string }))
  await source.sendAll(numbers(count).map((value, at) => ({ value, partition: at % 3 })))
  const id = bench.name()
  const knowsMembers = bench.testbed.missing([{ api: TxnOffsetCommit, version: 3 }]) === null
  let copied = 0
  for (let copiers = 0; copied < count; copiers++) {
    if (copiers > 20) throw new Error(`only ${copied} of ${count} were copied`)
    const limit = Math.min(110, count - copied)
    copied += await copySome(kafka, { from, to, id, limit, knowsMembers, signal: bench.signal })
  }
  const result = await valuesOf(bench, to, { partitions: 3, isolationLevel: 'read_committed' })
  const expected = [0, 1, 2].map((partition) => numbers(count).filter((_, at) => at % 3 === partition))
  expectEqual(result, expected, 'copied values by partition')
})
