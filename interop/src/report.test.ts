import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Report } from './report.ts'

const client = { name: 'client', version: '1' }

test('the rows of a part stand where it was begun, though others end before', async () => {
  const report = new Report(() => {})
  await report.check(client, 'first', async () => {})
  const part = report.part()
  await report.check(client, 'last', async () => {})
  await part.check(client, 'in between', () => Promise.reject(new Error('a | b')))
  assert.deepEqual(
    report.rows.map(({ what, passed, note }) => [what, passed, note]),
    [
      ['first', true, ''],
      ['in between', false, 'a \\| b'],
      ['last', true, ''],
    ],
  )
  assert.deepEqual([report.passed, report.failed], [2, 1])
})
