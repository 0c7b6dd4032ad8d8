import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { PartitionLog } from '@millrace/storage'
import type { PartitionImage } from '../metadata/image.ts'
import { Partition } from './partition.ts'

const me = 1
const another = 2

function imageWith(changes: Partial<PartitionImage> = {}): PartitionImage {
  return {
    leader: me,
    leaderEpoch: 3,
    partitionEpoch: 0,
    replicas: [me, another],
    isr: [me, another],
    addingReplicas: [],
    removingReplicas: [],
    leaderRecovering: false,
    ...changes,
  } as PartitionImage
}

/** As much of a log as a partition needs, with records up to 10 of which others are known to have those below 5. */
function logOf(minInsyncReplicas: number) {
  return {
    config: { minInsyncReplicas },
    logEndOffset: 10n,
    settledEndOffset: 10n,
    highWatermark: 5n,
    leaderEpochs: { assign: () => {} },
    setHighWatermark(offset: bigint): bigint {
      return (this.highWatermark = offset)
    },
  }
}

function partitionWith(image: Partial<PartitionImage> = {}, minInsyncReplicas = 1) {
  const log = logOf(minInsyncReplicas)
  const partition = new Partition({
    topic: 't',
    topicId: 'id',
    index: 0,
    nodeId: me,
    image: imageWith(image),
    log: log as unknown as PartitionLog,
  })
  const heard: number[] = []
  return { partition, log, heard, hear: (errorCode: number) => void heard.push(errorCode) }
}

const codeOf = (call: () => unknown): number => {
  try {
    call()
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
  return ErrorCode.NONE
}

test('acks=all waits until the replicas that are left in sync have the records', () => {
  const { partition, heard, hear } = partitionWith()
  assert.notEqual(partition.whenReplicated(10n, hear), null)
  assert.equal(partition.whenReplicated(5n, hear), null)
  assert.deepEqual(heard, [ErrorCode.NONE])
  partition.update(imageWith({ isr: [me], partitionEpoch: 1 }))
  assert.deepEqual(heard, [ErrorCode.NONE, ErrorCode.NONE])
})

test('with too few replicas in sync nothing is taken, and nothing more becomes readable', () => {
  const { partition, log, heard, hear } = partitionWith({}, 2)
  partition.whenReplicated(10n, hear)
  partition.update(imageWith({ isr: [me], partitionEpoch: 1 }))
  assert.deepEqual([heard.length, log.highWatermark], [0, 5n])
  assert.equal(
    codeOf(() => partition.logToAppendTo(-1)),
    ErrorCode.NOT_ENOUGH_REPLICAS,
  )
  assert.equal(
    codeOf(() => partition.logToAppendTo(1)),
    ErrorCode.NONE,
  )
  assert.equal(partition.whenReplicated(5n, hear), null)
  assert.deepEqual(heard, [ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND])
})

test('more replicas than there are cannot be demanded', () => {
  const { partition } = partitionWith({ replicas: [me], isr: [me] }, 3)
  assert.equal(partition.effectiveMinInsyncReplicas(), 1)
  assert.equal(
    codeOf(() => partition.logToAppendTo(-1)),
    ErrorCode.NONE,
  )
})

test('who no longer waits hears nothing', () => {
  const { partition, heard, hear } = partitionWith()
  partition.whenReplicated(10n, hear)!()
  partition.update(imageWith({ isr: [me], partitionEpoch: 1 }))
  assert.deepEqual(heard, [])
})

for (const [what, change, errorCode] of [
  [
    'loses the lead',
    (one) => one.update(imageWith({ leader: another, leaderEpoch: 4 })),
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ],
  ['loses its directory', (one) => one.goOffline(), ErrorCode.KAFKA_STORAGE_ERROR],
  ['is deleted', (one) => one.retire(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ['goes elsewhere', (one) => one.retire(ErrorCode.NOT_LEADER_OR_FOLLOWER), ErrorCode.NOT_LEADER_OR_FOLLOWER],
] as [string, (partition: Partition) => void, number][])
  test(`a partition that ${what} tells those who wait, and those who come later`, () => {
    const { partition, heard, hear } = partitionWith()
    let woken = 0
    partition.addFetchWaiter({ partitionMoved: () => woken++ })
    partition.whenReplicated(10n, hear)
    change(partition)
    assert.deepEqual([heard, woken], [[errorCode], 1])
    partition.whenReplicated(1n, hear)
    assert.deepEqual(heard, [errorCode, errorCode])
    assert.equal(
      codeOf(() => partition.leaderLog(-1)),
      errorCode,
    )
  })

test('after an election offsets are not to be relied on until the high watermark has caught up', () => {
  const { partition } = partitionWith()
  assert.equal(partition.isHighWatermarkBehind, true)
  partition.update(imageWith({ isr: [me], partitionEpoch: 1 }))
  assert.equal(partition.isHighWatermarkBehind, false)
})

test('a request must know the leader epoch of now, or none', () => {
  const { partition } = partitionWith()
  assert.equal(
    codeOf(() => partition.leaderLog(-1)),
    ErrorCode.NONE,
  )
  assert.equal(
    codeOf(() => partition.leaderLog(3)),
    ErrorCode.NONE,
  )
  assert.equal(
    codeOf(() => partition.leaderLog(2)),
    ErrorCode.FENCED_LEADER_EPOCH,
  )
  assert.equal(
    codeOf(() => partition.leaderLog(4)),
    ErrorCode.UNKNOWN_LEADER_EPOCH,
  )
  partition.update(imageWith({ leader: another, leaderEpoch: 4 }))
  assert.equal(
    codeOf(() => partition.leaderLog(3)),
    ErrorCode.FENCED_LEADER_EPOCH,
  )
  assert.equal(
    codeOf(() => partition.leaderLog(4)),
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
  )
})
