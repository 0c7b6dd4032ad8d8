import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loads } from './loads.ts'
import { mediansOf, resultsText, tables, type Result } from './summary.ts'

const load = loads.find(({ kind }) => kind === 'arrays')!
const report = (cpuSeconds: number, peakBytes: number) => ({ records: 2e6, seconds: 4, cpuSeconds, peakBytes })

test('medians are taken figure by figure', () => {
  assert.deepEqual(mediansOf([report(4, 10e6), report(2, 30e6), report(9, 20e6)]), {
    cpu: 2,
    recordsPerSecond: 500_000,
    peakBytes: 20e6,
  })
})

const results: readonly Result[] = [
  { load, key: 'millrace', name: 'millrace (a)', reports: [report(2, 100e6)] },
  { load, key: 'millrace', name: 'millrace (b)', reports: [report(3, 50e6)] },
  { load, key: 'kafkajs', name: 'kafkajs', reports: [report(7, 150e6)] },
  { load, key: 'librdkafka', name: 'librdkafka', reports: [report(1, 50e6)] },
]

test('others are compared with the first way of using ours, and with what is wanted', () => {
  const lines = tables(results, 3).split('\n')
  assert.ok(lines.includes(`| ${load.title} | millrace (b) | 1.50 | 500 k | 50 |`))
  assert.ok(lines.includes(`| ${load.title} | kafkajs | 3.50 | 4.00 | **no** | 1.50 |`))
  assert.ok(lines.includes(`| ${load.title} | librdkafka | 0.500 | 0.400 | yes | 0.500 |`))
})

test('only the tables of the clients are written anew', () => {
  const first = resultsText('# Brokers\n\n## Notes\n\n- mine\n', tables(results, 3))
  assert.match(first, /^# Brokers\n\n## Notes\n\n- mine\n\n## Clients\n/)
  const noted = `${first}\n- on clients\n`
  const second = resultsText(noted, tables(results.slice(2), 3))
  assert.match(second, /^# Brokers\n\n## Notes\n\n- mine\n\n## Clients\n/)
  assert.match(second, /### Notes on the clients\n\n- on clients\n$/)
  assert.ok(!second.includes('millrace (a)'))
})
