import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeRuntime, silentLogger } from '@millrace/runtime'
import { answerMemory } from './answer-memory.ts'

const frame = { frameBytes: 1_048_700, arrivedBytes: 0, stoppedByOwner: false, granted: () => {}, stalled: () => {} }

test('a large answer takes memory of just its size, which its reader gets without a copy', () => {
  const memory = answerMemory(nodeRuntime().clock, silentLogger)
  const buffer = memory.tryLend(frame, frame.frameBytes)!
  assert.equal(buffer.bytes.buffer.byteLength, frame.frameBytes)
  memory.complete(frame, buffer)
  const answer = buffer.bytes.subarray(0, frame.frameBytes)
  assert.equal(buffer.keep(answer), answer)
  assert.equal(memory.usedBytes, 0)
})

test('memory of small answers is used again', () => {
  const memory = answerMemory(nodeRuntime().clock, silentLogger)
  const first = memory.lendSmall(10_000)
  const { buffer } = first.bytes
  first.release()
  assert.equal(memory.lendSmall(10_000).bytes.buffer, buffer)
})
