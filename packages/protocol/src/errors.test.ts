import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultErrorMessage, ErrorCode, errorName, isRetriable, KafkaError } from './index.ts'

test('the codes run from -1 to 133 without a gap, each with a name and a message of its own', () => {
  const codes = Object.values(ErrorCode).toSorted((a, b) => a - b)
  assert.deepEqual(
    codes,
    Array.from({ length: 135 }, (_, i) => i - 1),
  )
  assert.equal(new Set(codes.map(defaultErrorMessage)).size, codes.length)
  for (const [name, code] of Object.entries(ErrorCode)) assert.equal(errorName(code), name)
})

test('an error knows its code, whether it may be retried, and its cause', () => {
  const code: 6 = ErrorCode.NOT_LEADER_OR_FOLLOWER
  const cause = new Error('underneath')
  const error = new KafkaError(code, 'partition t-0 has moved', { cause })
  assert.deepEqual([error.name, error.code, error.retriable, error.cause], ['KafkaError', 6, true, cause])
  assert.equal(new KafkaError(ErrorCode.INVALID_RECORD).message, defaultErrorMessage(87))
  assert.equal(new KafkaError(ErrorCode.INVALID_RECORD).retriable, false)
})

test('codes newer than the table have a name and are not retriable', () => {
  assert.equal(errorName(999), 'UNKNOWN_ERROR_999')
  assert.equal(isRetriable(999), false)
  assert.match(defaultErrorMessage(999), /999/)
})
