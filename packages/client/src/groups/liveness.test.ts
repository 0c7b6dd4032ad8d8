import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Liveness } from './liveness.ts'

test('what is being handled is told by its name, and the batch it came in is not held on to', () => {
  const liveness = new Liveness()
  const batch = { topic: 'orders', partition: 3, records: ['a record'] }
  liveness.handling(batch)
  const error = liveness.exceeded({ kind: 'poll-exceeded', silentMs: 600, handling: 1 }, 500)
  assert.deepEqual(error.partition, { topic: 'orders', partition: 3 })
  assert.match(error.message, /exceeded by 100 ms: handler of orders-3/)
})
