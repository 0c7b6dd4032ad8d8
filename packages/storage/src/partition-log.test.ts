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

test('with flush.messages what waits for its sync is not settled, though it is written', async () => {
  const bench = new LogBench({ flushMessages: 1 })
  bench.host.disk.syncLatencyMs = [100, 100]
  const first = bench.start(bench.batch(['a']))
  await bench.settle(50)
  const second = bench.start(bench.batch(['b']))
  await bench.settle(20)
  assert.deepEqual([bench.log.writtenEndOffset, bench.log.settledEndOffset], [2n, 0n])
  await bench.run(first.written)
  assert.equal(bench.log.settledEndOffset, 1n)
  await bench.run(second.written)
  assert.equal(bench.log.settledEndOffset, 2n)
  bench.log.config = { ...bench.config, flushMessages: 10 }
  await bench.run(bench.start(bench.batch(['c'])).written)
  assert.equal(bench.log.settledEndOffset, 3n)
})
