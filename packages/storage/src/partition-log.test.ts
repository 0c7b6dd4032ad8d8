import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { LogBench } from './testing/log-bench.ts'

test('what was appended is read back, across segments and after a clean stop', async () => {
  const bench = new LogBench({ segmentBytes: 2000, indexIntervalBytes: 200 })
  const expected: string[] = []
  for (let index = 0; index < 100; index++) {
    const values = [`a${index}`, `b${index}`.repeat(10)]
    expected.push(...values)
    const appended = await bench.append(values)
    assert.equal(appended.firstOffset, BigInt(index * 2))
  }
  assert.ok(bench.log.segmentCount > 3)
  const values = () => bench.readAll(300).map(({ value }) => value)
  assert.deepEqual(values(), expected)
  await bench.reopen()
  assert.equal(bench.log.logEndOffset, 200n)
  assert.deepEqual(values(), expected)
  await bench.append(['more'])
  await bench.kill()
  assert.deepEqual(values(), [...expected, 'more'])
  await bench.crash('nothing')
  assert.ok(bench.log.logEndOffset >= 200n)
  assert.deepEqual(values().slice(0, 200), expected)
})
