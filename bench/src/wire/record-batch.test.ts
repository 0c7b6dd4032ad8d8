import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRecords } from '@millrace/protocol'
import { crc32c } from './crc32c.ts'
import { singleRecordBatch } from './record-batch.ts'

test('CRC-32C of the check string', () => assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283))

test('a batch written by hand is read by the protocol package', () => {
  for (const length of [0, 5, 63, 64, 100, 8191, 8192, 100_000]) {
    const value = Buffer.alloc(length, 'x')
    const [record, ...others] = [...readRecords(singleRecordBatch(value))]
    assert.equal(others.length, 0)
    assert.deepEqual(Buffer.from(record!.value!), value)
    assert.equal(record!.key, null)
  }
})
