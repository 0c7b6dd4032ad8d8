/** When and what KafkaJS's consumer commits, beyond what its documentation shows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kafka as ClientKafka } from '@millrace/client'
import type { Offsets } from '../producer/transaction.ts'
import { clients, collector, textOf } from '../testing/clients.ts'

test('commitOffsetsIfNecessary commits at the threshold, also without autoCommit', async (context) => {
  const { producer, admin, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: ['a', 'b', 'c'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const committed = collector<string>(3)
  await consumer.run({
    autoCommit: false,
    autoCommitThreshold: 2,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
      for (const { offset } of batch.messages) {
        resolveOffset(offset)
        await commitOffsetsIfNecessary()
        const [topic] = await admin.fetchOffsets({ groupId: 'test-group', topics: ['t'] })
        committed.add(topic!.partitions[0]!.offset)
      }
    },
  })
  assert.deepEqual(await committed.all, ['-1', '2', '2'])
})

test('behind the marker of a transaction nothing is left, and metadata go with offsets', async (context) => {
  const { kafka, admin, consumer: open } = await clients(context)
  const producer = kafka.producer({ transactionalId: 'tx', idempotent: true })
  await producer.connect()
  context.after(() => producer.disconnect())
  const transaction = await producer.transaction()
  await transaction.send({ topic: 't', messages: [{ value: 'a' }] })
  const place = { partition: 0, offset: '5', metadata: 'why' }
  await transaction.sendOffsets({ consumerGroupId: 'h', topics: [{ topic: 't', partitions: [place] }] })
  await transaction.commit()
  const consumer = await open()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const batches = collector<string[]>(1)
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
      resolveOffset(batch.lastOffset())
      await commitOffsetsIfNecessary({} as Offsets)
      const [topic] = await admin.fetchOffsets({ groupId: 'test-group', topics: ['t'] })
      batches.add([batch.lastOffset(), batch.offsetLag(), topic!.partitions[0]!.offset])
    },
  })
  assert.deepEqual(await batches.all, [['1', '0', '2']])
  assert.deepEqual(await admin.fetchOffsets({ groupId: 'h' }), [{ topic: 't', partitions: [place] }])
})

test('an offset sought is committed, though no message comes', async (context) => {
  const { producer, admin, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: ['a', 'b'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topic: 't' })
  await consumer.run({ eachMessage: async () => {} })
  const committed = Promise.withResolvers<void>()
  consumer.on(consumer.events.COMMIT_OFFSETS, () => committed.resolve())
  consumer.seek({ topic: 't', partition: 0, offset: '2' })
  await committed.promise
  const [topic] = await admin.fetchOffsets({ groupId: 'test-group', topics: ['t'] })
  assert.equal(topic!.partitions[0]!.offset, '2')
})

test('what cannot be committed is refused by a rejection, and nothing at all is fine', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  const consumer = await open()
  const place = { topic: 't', partition: 0, offset: '0' }
  await assert.rejects(consumer.commitOffsets([place]), /consumer#run must be called first/)
  await consumer.subscribe({ topic: 't' })
  await consumer.run({ eachMessage: async () => {} })
  await consumer.commitOffsets([])
  const bad = [
    { ...place, offset: '-1' },
    { ...place, offset: 'x' },
    { ...place, topic: '' },
    { ...place, partition: NaN },
    { ...place, metadata: 7 as never },
  ]
  for (const one of bad) await assert.rejects(consumer.commitOffsets([one]), { name: 'KafkaJSNonRetriableError' })
  assert.throws(() => consumer.pause([{ topic: 't', partitions: ['x' as never] }]), /Array of valid partitions/)
})

test('a member that was put out of its group while a handler was at work joins again', async (context) => {
  const { bootstrapServers, producer, consumer: open } = await clients(context)
  await using admin = new ClientKafka({ brokers: bootstrapServers }).admin()
  await producer.send({ topic: 't', messages: ['a', 'b'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const crashes: Error[] = []
  consumer.on(consumer.events.CRASH, ({ payload }) => void crashes.push(payload.error))
  const seen = collector<string>(4)
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.add(textOf(message))
      if (seen.values.length !== 2) return
      const [group] = await admin.describeClassicGroups(['test-group'])
      await admin.removeGroupMembers('test-group', [{ memberId: group.members[0]!.memberId }])
    },
  })
  assert.deepEqual(await seen.all, ['a', 'b', 'a', 'b'])
  assert.deepEqual(crashes, [])
})
