import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, GroupMetadataRecord, KafkaError } from '@millrace/protocol'
import { tombstone } from './decision.ts'
import { encodeRecords } from './coordinator-batch.ts'

const short = tombstone(GroupMetadataRecord, { group: 'g' })

test('records that cannot be one batch are not encoded beyond what fits', () => {
  const beyond = {
    ...short,
    get key(): never {
      throw new Error('encoded all the same')
    },
  }
  const records = [...Array.from({ length: 20 }, () => short), beyond]
  assert.throws(
    () => encodeRecords(records, 99),
    (error) => error instanceof KafkaError && error.code === ErrorCode.RECORD_LIST_TOO_LARGE,
  )
  assert.equal(encodeRecords(records.slice(0, 20), 100).length, 20)
})
