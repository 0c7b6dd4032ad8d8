import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddPartitionsToTxn, ErrorCode, InitProducerId } from '@millrace/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import { settled } from './partial-failure.ts'
import { adminOf, produce } from './testing/admin-of.ts'

/** A transaction that stays open, with one record. */
async function openTransaction(cluster: Cluster, transactionalId: string, topic: string) {
  const destination = { coordinatorOf: transactionalId, kind: 'transaction' } as const
  const { producerId, producerEpoch } = await cluster.withRetries('init', async (signal) => {
    const answer = await cluster.send(
      destination,
      InitProducerId,
      { transactionalId, transactionTimeoutMs: 60_000 },
      { signal },
    )
    assert.equal(answer.errorCode, 0)
    return answer
  })
  const topics = [{ name: topic, partitions: [0] }]
  const added = await cluster.send(
    destination,
    AddPartitionsToTxn,
    {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: topics,
    },
    { maxVersion: 3 },
  )
  assert.equal(added.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode, 0)
  await produce(cluster, {
    topic,
    partition: 0,
    values: ['x'],
    transactionalId,
    producerId,
    producerEpoch,
    baseSequence: 0,
    isTransactional: true,
  })
  return { producerId, producerEpoch }
}

test('an open transaction is found, described, and ended by force', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  const { producerId, producerEpoch } = await openTransaction(cluster, 'tx', 't')

  assert.deepEqual(await admin.listTransactions(), [
    { transactionalId: 'tx', producerId, state: 'Ongoing', coordinatorId: 1 },
  ])
  assert.equal((await admin.listTransactions({ states: ['Ongoing'], producerIds: [producerId] })).length, 1)
  assert.deepEqual(await admin.listTransactions({ states: ['PrepareCommit'] }), [])
  assert.deepEqual(await admin.listTransactions({ transactionalIdPattern: 'other.*' }), [])
  assert.deepEqual(await admin.listTransactions({ runningLongerThanMs: 1_000_000 }), [])
  assert.equal((await admin.listTransactions({ transactionalIdPattern: 't.*' })).length, 1)

  const [described, missing] = await settled(admin.describeTransactions(['tx', 'none']))
  assert.ok(described.status === 'fulfilled')
  const { startedAt, ...description } = described.value
  assert.ok(startedAt !== null && Math.abs(Date.now() - startedAt) < 60_000)
  assert.deepEqual(description, {
    transactionalId: 'tx',
    coordinatorId: 1,
    state: 'Ongoing',
    producerId,
    producerEpoch,
    timeoutMs: 60_000,
    partitions: [{ topic: 't', partition: 0 }],
  })
  assert.equal(missing.status === 'rejected' && missing.reason.code, ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)

  const [producers] = await admin.describeProducers([{ topic: 't', partition: 0 }])
  assert.equal(producers.activeProducers.length, 1)
  assert.equal(producers.activeProducers[0]!.producerId, producerId)
  assert.equal(producers.activeProducers[0]!.lastSequence, 0)
  assert.equal(producers.activeProducers[0]!.currentTransactionStartOffset, 0n)

  await admin.forceTerminateTransaction('tx')
  const [after] = await admin.describeProducers([{ topic: 't', partition: 0 }], { brokerId: 1 })
  assert.equal(after.activeProducers[0]!.currentTransactionStartOffset, null)
})

test('producers are fenced, each of them', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  const before = await openTransaction(cluster, 'a', 't')
  const [a, b] = await admin.fenceProducers(['a', 'b'])
  assert.equal(a.producerId, before.producerId)
  assert.ok(a.producerEpoch > before.producerEpoch)
  assert.equal(b.transactionalId, 'b')
})

test('a transaction that hangs in a partition is aborted there', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  const producer = await openTransaction(cluster, 'tx', 't')
  const at = { topic: 't', partition: 0 }
  const lastStable = async () =>
    (await admin.listOffsets([{ ...at, offset: 'latest' }], { isolationLevel: 'read_committed' }))[0].offset
  assert.equal(await lastStable(), 0n)
  await admin.abortTransaction({ ...at, ...producer, coordinatorEpoch: 0 })
  assert.equal(await lastStable(), 2n)
  await assert.rejects(
    admin.abortTransaction({ ...at, ...producer, producerEpoch: producer.producerEpoch - 1, coordinatorEpoch: 0 }),
    {
      code: ErrorCode.INVALID_PRODUCER_EPOCH,
    },
  )
})
