import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { simulation } from '@millrace/runtime/testing'
import type { Verification, VerificationRequest } from '@millrace/storage'
import { BrokerConfig } from '../../config/broker-config.ts'
import type { Partition } from '../../partitions/partition.ts'
import { PartitionVerification } from './partition-verification.ts'

/** A partition that remembers whom it waits for. */
function partitionOf(waiting: Map<bigint, object>): Partition {
  const verifications = {
    refused: (producerId: bigint, verification: Verification) => {
      if (waiting.get(producerId) === verification) waiting.delete(producerId)
    },
  }
  const producers = {
    verifications,
    beginVerification: ({ producerId }: VerificationRequest) => {
      const verification = waiting.get(producerId) ?? {}
      waiting.set(producerId, verification)
      return verification
    },
  }
  return { topic: 't', index: 0, isOffline: false, log: { producers }, leaderLog: () => ({ producers }) } as never
}

test('a producer that its coordinator does not know is not remembered, one that is to come again is', async () => {
  const outcomes = new Map([
    [1n, ErrorCode.NONE],
    [2n, ErrorCode.INVALID_PRODUCER_ID_MAPPING],
    [3n, ErrorCode.PRODUCER_FENCED],
    [4n, ErrorCode.NOT_COORDINATOR],
    [5n, ErrorCode.TRANSACTION_ABORTABLE],
  ])
  const verification = new PartitionVerification({
    coordination: {
      hasCoordinator: () => true,
      addPartitions: (_, { producerId }) => Promise.resolve(outcomes.get(producerId)!),
      verifyPartitions: (_, { producerId }) => Promise.resolve([outcomes.get(producerId)!]),
      completion: () => Promise.resolve(),
    },
    clock: simulation(1).host('broker').clock,
    config: BrokerConfig.of({ 'log.dirs': '/logs' }),
  })
  for (const ability of ['adds partitions', 'aborts when told', 'leaves adding to the broker'] as const) {
    const waiting = new Map<bigint, object>()
    const partition = partitionOf(waiting)
    for (const producerId of outcomes.keys())
      await verification.verify({ transactionalId: 'x', producerId, producerEpoch: 0, ability }, [
        { partition, baseSequence: 0 },
      ])
    assert.deepEqual([...waiting.keys()], [1n, 4n])
  }
})
