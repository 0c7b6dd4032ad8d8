import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/client'
import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from '../errors.ts'
import { crashFrom, failureFrom, isWorthRepeating, isWorthRestarting } from './run-failures.ts'

const tried = { retryCount: 5, retryTime: 100 }

test('what a handler throws is the cause of the crash, itself', () => {
  const thrown = new Error('the database is gone')
  const crash = crashFrom(failureFrom(thrown), tried)
  assert.ok(crash instanceof KafkaJSNumberOfRetriesExceeded)
  assert.equal(crash.cause, thrown)
  assert.equal(crash.message, 'the database is gone')
  assert.equal(isWorthRestarting(crash), true)
})

test('mistakes of the program, and errors that say so, are not repeated, and end the consumer', () => {
  const failures = [
    new SyntaxError('Unexpected token'),
    new ReferenceError('x is not defined'),
    new TypeError('x is not a function'),
    new RangeError('too long'),
    Object.assign(new Error('poison'), { retriable: false }),
    new KafkaJSNonRetriableError('no'),
  ]
  for (const failure of failures) {
    assert.equal(isWorthRepeating(failure), false, failure.name)
    const crash = crashFrom(failure, tried)
    assert.equal(crash.name, 'KafkaJSNonRetriableError')
    assert.equal(crash.cause, failure)
    assert.equal(isWorthRestarting(crash), false, failure.name)
  }
})

test('a member that the coordinator has put out joins again, it does not die', () => {
  for (const code of [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION, ErrorCode.REBALANCE_IN_PROGRESS]) {
    const failure = failureFrom(new KafkaError(code))
    assert.ok(failure instanceof KafkaJSProtocolError)
    assert.equal(isWorthRepeating(failure), true)
    assert.equal(isWorthRestarting(crashFrom(failure, tried)), true)
  }
  assert.equal(isWorthRepeating(failureFrom(new KafkaError(ErrorCode.GROUP_AUTHORIZATION_FAILED))), false)
})
