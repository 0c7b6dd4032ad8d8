import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeRuntime, silentLogger } from '@millrace/runtime'
import { Accumulator } from './accumulator.ts'
import { ForgottenSend } from './acknowledgement.ts'

const { clock, random } = nodeRuntime()
const value = Buffer.alloc(6000, 1)

function accumulator(): Accumulator {
  return new Accumulator({
    clock,
    random,
    batchSize: 16_384,
    bufferMemory: 1 << 20,
    deliveryTimeoutMs: 120_000,
    packing: { compression: 0, compressionLevel: undefined },
    onSettled: null,
  })
}

/** Fills a batch, and gives its bytes as they are sent for the `attempts`th time. */
function sent(records: Accumulator, attempts: number) {
  const queue = records.topic('t').queue(0)
  const receiver = new ForgottenSend({ onError: null, logger: silentLogger })
  for (let count = 0; count < 2; count++) records.append(queue, 5, null, value, undefined, receiver, 0)
  const batch = records.take(queue)
  const bytes = batch.finish(false)
  batch.attempts = attempts
  return { batch, bytes }
}

test('memory of a batch that was sent once and acknowledged is used again', () => {
  const records = accumulator()
  // The first one grows, as nobody knows yet how large batches are.
  records.deliver(sent(records, 1).batch, 0n, -1)
  const first = sent(records, 1)
  const meanwhile = sent(records, 1)
  assert.notEqual(meanwhile.bytes.buffer, first.bytes.buffer)
  records.deliver(first.batch, 0n, -1)
  assert.equal(sent(records, 1).bytes.buffer, first.bytes.buffer)
  assert.notEqual(sent(records, 1).bytes.buffer, first.bytes.buffer)
})

test('memory of a batch that was sent twice, or has failed, may still be read by a connection, and is not used again', () => {
  const records = accumulator()
  records.deliver(sent(records, 1).batch, 0n, -1)
  const twice = sent(records, 2)
  records.deliver(twice.batch, 0n, -1)
  assert.notEqual(sent(records, 1).bytes.buffer, twice.bytes.buffer)
  const failed = sent(records, 1)
  records.fail(failed.batch, new Error('no'))
  assert.notEqual(sent(records, 1).bytes.buffer, failed.bytes.buffer)
})
