import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inParallel } from './in-parallel.ts'

test('all tasks run, no more than the limit at a time', async () => {
  let running = 0
  let most = 0
  const done: number[] = []
  const tasks = Array.from({ length: 7 }, (_, i) => async () => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    done.push(i)
    running--
  })
  await inParallel(tasks, 3)
  assert.equal(most, 3)
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6])
})

test('the first failure is thrown after the tasks that were begun have ended', async () => {
  const done: number[] = []
  const tasks = [
    () => Promise.reject(new Error('the first')),
    async () => {
      await Promise.resolve()
      done.push(1)
    },
  ]
  await assert.rejects(inParallel(tasks, 2), /the first/)
  assert.deepEqual(done, [1])
})
