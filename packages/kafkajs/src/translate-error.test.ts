import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/client'
import { KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from './errors.ts'
import { retryFrom } from './retry.ts'
import { exceeding } from './translate-error.ts'

test('an error that may pass is told with the number of repetitions, and is its cause', async () => {
  const work = Promise.reject(new KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS))
  await assert.rejects(exceeding(retryFrom({ retries: 3 }), work), (error) => {
    assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded)
    assert.equal(error.retryCount, 3)
    assert.equal((error.cause as KafkaJSProtocolError).type, 'NOT_ENOUGH_REPLICAS')
    return true
  })
})

test('an error that does not pass is told as it is', async () => {
  const work = Promise.reject(new KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED))
  await assert.rejects(exceeding(retryFrom(), work), {
    name: 'KafkaJSProtocolError',
    type: 'TOPIC_AUTHORIZATION_FAILED',
  })
})
