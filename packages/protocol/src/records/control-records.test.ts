import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '../errors.ts'
import { computeCrc, isControl, isTransactional, producerEpoch, producerId, storedCrc } from './batch.ts'
import { controlBatch, ControlType, endTransactionMarker, readControlRecord } from './control-records.ts'
import { readRecords } from './read-records.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

const isInvalid = (error: unknown) => error instanceof KafkaError && error.code === ErrorCode.INVALID_RECORD

for (const type of ['COMMIT', 'ABORT'] as const) {
  test(`${type} markers say who ended the transaction`, () => {
    const marker = endTransactionMarker({
      type,
      coordinatorEpoch: 12,
      producerId: 5n,
      producerEpoch: 3,
      timestamp: 99n,
    })
    assert.ok(isControl(marker, 0) && isTransactional(marker, 0))
    assert.equal(computeCrc(marker, 0), storedCrc(marker, 0))
    assert.deepEqual([producerId(marker, 0), producerEpoch(marker, 0)], [5n, 3])
    const read = readControlRecord(marker)
    assert.deepEqual([read?.type, read?.coordinatorEpoch], [ControlType[type], 12])
    const [record] = readRecords(marker)
    assert.equal(Buffer.from(record!.key!).toString('hex'), type === 'COMMIT' ? '00000001' : '00000000')
    assert.equal(Buffer.from(record!.value!).toString('hex'), '00000000000c')
  })
}

test('other types, known or not, keep their value undecoded', () => {
  for (const type of [ControlType.LEADER_CHANGE, ControlType.KRAFT_VOTERS, 99]) {
    const read = readControlRecord(controlBatch({ type, value: Buffer.from('message'), timestamp: 1n }))
    assert.equal(read?.type, type)
    assert.equal(read.coordinatorEpoch, -1)
    assert.equal(Buffer.from(read.value!).toString(), 'message')
  }
})

test('malformed keys and markers are INVALID_RECORD; an emptied batch has no record', () => {
  const withRecord = (key: Uint8Array | null, value: Uint8Array | null) => {
    const builder = new RecordBatchBuilder({ isControl: true })
    builder.append({ timestamp: 1n, key, value })
    return builder.build()
  }
  for (const [key, value] of [
    [null, null],
    ['0000', null],
    ['ffff0001', '000000000000'],
    ['00000001', null],
    ['00000000', '0000000000'],
    ['00000001', 'ffff00000000'],
  ] as const) {
    const batch = withRecord(
      key === null ? null : Buffer.from(key, 'hex'),
      value === null ? null : Buffer.from(value, 'hex'),
    )
    assert.throws(() => readControlRecord(batch), isInvalid, `${key} ${value}`)
  }
  assert.equal(readControlRecord(new RecordBatchBuilder({ isControl: true }).build()), null)
})
