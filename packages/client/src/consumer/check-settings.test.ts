import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kafka } from '../kafka.ts'

const kafka = new Kafka({ brokers: 'localhost:9092' })
const group = { groupId: 'g', topics: ['orders'] }

test('options of one group protocol are refused with the other', async () => {
  const consumer = { ...group, groupProtocol: 'consumer' } as const
  for (const [options, message] of [
    [{ ...consumer, partitionAssignmentStrategy: ['range'] }, /partitionAssignmentStrategy is of the classic protocol/],
    [{ ...consumer, sessionTimeoutMs: 30_000 }, /sessionTimeoutMs is of the classic protocol/],
    [{ ...consumer, heartbeatIntervalMs: 100 }, /heartbeatIntervalMs is of the classic protocol/],
    [{ ...group, groupProtocol: 'classic', groupRemoteAssignor: 'range' }, /groupRemoteAssignor is of the consumer/],
  ] as const)
    assert.throws(() => kafka.consumer(options), { name: 'TypeError', message })
  await kafka.consumer({ ...consumer, groupRemoteAssignor: 'range' }).close()
})

test('heartbeats that would come too late for the session are refused', async () => {
  for (const options of [{ sessionTimeoutMs: 3_000 }, { heartbeatIntervalMs: 60_000 }])
    assert.throws(() => kafka.consumer({ ...group, ...options }), /heartbeatIntervalMs \(\d+\) should be well below/)
  await kafka.consumer({ ...group, sessionTimeoutMs: 3_001 }).close()
})
