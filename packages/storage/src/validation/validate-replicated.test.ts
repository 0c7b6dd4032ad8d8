import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  endTransactionMarker,
  ErrorCode,
  KafkaError,
  RecordBatchBuilder,
  setBaseOffset,
  setPartitionLeaderEpoch,
  writeMessageSet,
} from '@millrace/protocol'
import { defaultLogConfig } from '../log-config.ts'
import { validateRecords } from './validate-records.ts'
import type { ValidatedBatches, ValidationRules } from './validated-batches.ts'

const validate = (bytes: Uint8Array, more: Partial<ValidationRules> = {}): ValidatedBatches => {
  const validated = validateRecords(bytes, {
    origin: 'replica',
    config: { ...defaultLogConfig, maxMessageBytes: 10 },
    nowMs: 0,
    ...more,
  })
  assert.ok(!(validated instanceof Promise))
  return validated
}

function batch(baseOffset: bigint, count: number, epoch = 1): Uint8Array {
  const builder = new RecordBatchBuilder({ baseOffset, partitionLeaderEpoch: epoch, compression: 1 })
  for (let index = 0; index < count; index++) builder.append({ timestamp: baseOffset * 100n, value: Buffer.from('x') })
  return builder.build()
}

const code = (expected: number) => (error: unknown) => error instanceof KafkaError && error.code === expected

test('many batches pass with their offsets, control batches and gaps too, of any size', () => {
  const marker = endTransactionMarker({
    type: 'ABORT',
    coordinatorEpoch: 0,
    producerId: 5n,
    producerEpoch: 0,
    timestamp: 7n,
  })
  setBaseOffset(marker, 0, 20n)
  const bytes = Buffer.concat([batch(10n, 3), marker, batch(50n, 2), batch(60n, 1).subarray(0, 30)])
  const validated = validate(bytes)
  assert.equal(validated.bytes.length, bytes.length - 30)
  assert.deepEqual(
    validated.batches.map(({ baseOffset, lastOffsetDelta, isControl }) => [baseOffset, lastOffsetDelta, isControl]),
    [
      [10n, 2, false],
      [20n, 0, true],
      [50n, 1, false],
    ],
  )
  assert.equal(validated.offsetsCount, 6)
  assert.equal(validated.maxTimestamp, 5000n)
  assert.ok(validated.isTransactional)
})

test('batches of a later leader epoch, and all after them, are left out', () => {
  const bytes = Buffer.concat([batch(0n, 1, 3), batch(1n, 1, 4), batch(2n, 1, 3)])
  assert.equal(validate(bytes, { leaderEpoch: 3 }).batches.length, 1)
  assert.equal(validate(bytes, { leaderEpoch: 4 }).batches.length, 3)
  assert.equal(validate(bytes, { leaderEpoch: 2 }).bytes.length, 0)
})

test('offsets out of order, bad checksums and garbage are refused', () => {
  assert.throws(() => validate(Buffer.concat([batch(5n, 3), batch(7n, 1)])), code(ErrorCode.UNKNOWN_SERVER_ERROR))
  const flipped = new Uint8Array(batch(5n, 3))
  flipped[flipped.length - 1]! ^= 1
  assert.throws(() => validate(flipped), code(ErrorCode.CORRUPT_MESSAGE))
  setPartitionLeaderEpoch(flipped, 0, 9)
  assert.throws(() => validate(flipped), code(ErrorCode.CORRUPT_MESSAGE))
  assert.throws(() => validate(new Uint8Array(100)), code(ErrorCode.CORRUPT_MESSAGE))
  assert.equal(validate(new Uint8Array(0)).batches.length, 0)
})

test('messages of old formats pass as they are', () => {
  const views = [4n, 5n].map((offset) => ({ offset, timestamp: 9n, key: null, value: null, headers: [] }))
  const plain = validate(writeMessageSet(views, { magic: 1 }))
  assert.deepEqual(
    plain.batches.map(({ magic, baseOffset, recordsCount }) => [magic, baseOffset, recordsCount]),
    [
      [1, 4n, 1],
      [1, 5n, 1],
    ],
  )
  const packed = validate(writeMessageSet(views, { magic: 0, compression: 1 }))
  assert.deepEqual(
    packed.batches.map(({ magic, baseOffset, recordsCount }) => [magic, baseOffset, recordsCount]),
    [[0, 5n, -1]],
  )
})
