import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProducerIds } from './producer-ids.ts'

function source(): {
  allocate: () => Promise<{ start: bigint; length: number }>
  calls: () => number
  fail: () => void
} {
  let calls = 0
  let failures = 0
  return {
    allocate: async () => {
      if (failures > 0) {
        failures--
        throw new Error('not now')
      }
      return { start: BigInt(calls++ * 1000), length: 1000 }
    },
    calls: () => calls,
    fail: () => failures++,
  }
}

test('ids are given out once, whoever asks at the same time', async () => {
  const { allocate } = source()
  const ids = new ProducerIds({ brokerId: 1, allocate })
  const given = await Promise.all(Array.from({ length: 3500 }, () => ids.next()))
  assert.equal(new Set(given).size, 3500)
  assert.deepEqual(given.slice(0, 2), [0n, 1n])
})

test('the next block is asked for before the last id is given', async () => {
  const { allocate, calls } = source()
  const ids = new ProducerIds({ brokerId: 1, allocate })
  for (let n = 0; n < 800; n++) await ids.next()
  assert.equal(calls(), 1)
  for (let n = 0; n < 150; n++) await ids.next()
  assert.equal(calls(), 2)
})

test('a failure reaches who needs the block, and the next one tries again', async () => {
  const { allocate, fail } = source()
  const ids = new ProducerIds({ brokerId: 1, allocate })
  fail()
  await assert.rejects(ids.next(), /not now/)
  assert.equal(await ids.next(), 0n)
  fail()
  for (let n = 1; n < 1000; n++) await ids.next()
  assert.equal(await ids.next(), 1000n)
})
