import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partitionForKey } from './partition-for-key.ts'

test('keys go where Kafka looks for them', () => {
  // Java: "my-txn".hashCode() is -1061187895, "group".hashCode() 98629247, "polygenelubricants".hashCode() INT32_MIN.
  assert.equal(partitionForKey('my-txn', 50), 45)
  assert.equal(partitionForKey('group', 50), 47)
  assert.equal(partitionForKey('polygenelubricants', 50), 0)
  assert.equal(partitionForKey('', 50), 0)
})
