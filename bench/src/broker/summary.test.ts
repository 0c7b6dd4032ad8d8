import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Measure } from './measure.ts'
import { compare, median, resultsText, row } from './summary.ts'

const measure: Measure = {
  name: 'm',
  figures: [{ key: 'cpu', title: 'CPU', target: 0.5, unit: 'CPU-s/GB' }],
  run: () => Promise.reject(new Error('not run here')),
}

test('the median of an even number of values is between the middle two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(median([3, 1, 2]), 2)
})

test('a row says the ratio of the medians and whether the target is reached', () => {
  const [reached] = compare(measure, [{ cpu: 1 }, { cpu: 9 }, { cpu: 1 }], [{ cpu: 4 }])
  assert.equal(row(reached!), '| CPU | 0.250 | 0.50 | yes | 1.00 / 4.00 CPU-s/GB |')
  const [missed] = compare(measure, [{ cpu: 3 }], [{ cpu: 4 }])
  assert.equal(row(missed!), '| CPU | 0.750 | 0.50 | **no** | 3.00 / 4.00 CPU-s/GB |')
})

test('a run of some measures keeps the other rows and the notes', () => {
  const titles = ['CPU', 'memory']
  const first = `${resultsText('', ['| CPU | 0.250 |', '| memory | 0.9 |'], titles, 3).trimEnd()}\nWritten by hand.\n`
  const second = resultsText(first, ['| CPU | 0.500 |'], titles, 5)
  assert.match(second, /\| CPU \| 0\.500 \|\n\| memory \| 0\.9 \|/)
  assert.match(second, /## Notes\nWritten by hand\.\n$/)
  assert.match(second, /medians of 5 interleaved rounds/)
})
