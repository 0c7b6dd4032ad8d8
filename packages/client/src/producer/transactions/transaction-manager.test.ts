/** Transactions against coordinators that answer as the test says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddPartitionsToTxn, EndTxn, ErrorCode, FindCoordinator, InitProducerId } from '@millrace/protocol'
import { Kafka } from '../../kafka.ts'
import { answers } from '../../testing/scripted-broker.ts'
import { ScriptedLeader } from '../testing/scripted-leader.ts'

test('a producer whose coordinator gave it an error to abort with, and no id, asks again before its first transaction', async () => {
  const errorCodes: number[] = [ErrorCode.TRANSACTION_ABORTABLE]
  const ids: bigint[] = []
  await using leader = await ScriptedLeader.start({
    scripts: [
      answers(FindCoordinator, ({ coordinatorKeys }) => ({
        coordinators: coordinatorKeys.map((key) => ({
          key,
          nodeId: 1,
          host: '127.0.0.1',
          port: leader.broker.port,
          errorCode: ErrorCode.NONE,
          errorMessage: null,
        })),
      })),
      answers(InitProducerId, () => {
        const errorCode = errorCodes.shift() ?? ErrorCode.NONE
        return errorCode === ErrorCode.NONE
          ? { throttleTimeMs: 0, errorCode, producerId: 7n, producerEpoch: 0 }
          : { throttleTimeMs: 0, errorCode, producerId: -1n, producerEpoch: -1 }
      }),
      answers(
        AddPartitionsToTxn,
        ({ v3AndBelowProducerId, v3AndBelowTopics }) => {
          ids.push(v3AndBelowProducerId)
          return {
            throttleTimeMs: 0,
            resultsByTopicV3AndBelow: v3AndBelowTopics.map(({ name, partitions }) => ({
              name,
              resultsByPartition: partitions.map((partitionIndex) => ({
                partitionIndex,
                partitionErrorCode: ErrorCode.NONE,
              })),
            })),
          }
        },
        3,
      ),
      answers(EndTxn, () => ({ throttleTimeMs: 0, errorCode: ErrorCode.NONE }), 4),
    ],
  })
  const kafka = new Kafka({ brokers: leader.address, enableMetricsPush: false })
  await using producer = kafka.producer({ transactionalId: 'tx', lingerMs: 0 })
  const write = () =>
    producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', value: 'v' })
    })
  await assert.rejects(write(), { code: ErrorCode.TRANSACTION_ABORTABLE })
  await write()
  assert.deepEqual(ids, [7n])
})
