import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@millrace/runtime'
import { ArraySend } from '../batches/acknowledgement.ts'
import { TracedReceiver } from './traced-receiver.ts'

const metadata = { topic: 't', partition: 0, offset: 5n, timestamp: 1 }

test('tracing that throws, on a record that goes out or on what became of it, costs nobody an answer', async () => {
  const receiver = new ArraySend(3)
  const warnings: string[] = []
  const traced = new TracedReceiver(receiver, {
    topic: 't',
    logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    tracing: {
      sending: ({ partition }) => {
        if (partition === 2) throw new Error('no span')
        return () => {
          throw new Error('no span to end')
        }
      },
      handling: (_record, _groupId, handler) => handler(),
    },
  })
  for (const partition of [0, 1, 2]) traced.trace(partition, { partition, value: 'v' })
  for (const slot of [0, 2]) traced.delivered(slot, metadata)
  const refusal = new Error('refused')
  traced.failed(1, refusal)
  await assert.rejects(receiver.promise, refusal)
  assert.deepEqual(warnings, [
    'tracing has failed on sending a record',
    'tracing has failed on what became of a record',
    'tracing has failed on what became of a record',
  ])
})
