import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { LogBench } from '../testing/log-bench.ts'

const large = 'x'.repeat(1_200_000)
const roomy = { maxMessageBytes: 10_000_000 }

test('the appends of a turn are written together, in order, and acknowledged when written', async () => {
  const bench = new LogBench()
  const order: number[] = []
  for (let index = 0; index < 3000; index++)
    void bench.start(bench.batch([`${index}`])).written.then(() => order.push(index))
  assert.equal(bench.log.logEndOffset, 3000n)
  assert.equal(bench.log.writtenEndOffset, 0n)
  assert.deepEqual(bench.fetch(0n), [], 'nothing is readable before it is written')
  assert.deepEqual(bench.fetch(1500n), [])
  await bench.settle()
  assert.equal(bench.log.writtenEndOffset, 3000n)
  assert.deepEqual(
    order,
    Array.from({ length: 3000 }, (_, index) => index),
  )
  assert.equal(bench.readAll().length, 3000)
})

test('what is appended during an asynchronous write follows it', async () => {
  const bench = new LogBench(roomy)
  bench.host.disk.latencyMs = [5, 5]
  let order: readonly string[] = []
  void bench.start(bench.batch([large])).written.then(() => (order = [...order, 'large']))
  await bench.settle(1)
  assert.deepEqual(order, [])
  void bench.start(bench.batch(['small'])).written.then(() => (order = [...order, 'small']))
  await bench.settle(1)
  assert.deepEqual(order, [])
  assert.throws(() => bench.log.truncateTo(0n), /staged/)
  await bench.run(bench.log.drained())
  await bench.settle(0)
  assert.deepEqual(order, ['large', 'small'])
  assert.deepEqual(
    bench.readAll().map(({ value }) => value.length),
    [large.length, 5],
  )
})

test('a failed write fails every append that waits, and the log with it', async () => {
  for (const value of ['small', large]) {
    const bench = new LogBench(roomy)
    await bench.append(['before'])
    const fault = bench.host.disk.fail({ operation: 'write', code: 'EIO' })
    const errors: string[] = []
    for (let index = 0; index < 3; index++)
      bench.start(bench.batch([value])).written.catch((error: Error) => errors.push(error.message))
    await bench.settle()
    assert.equal(errors.length, 3)
    assert.equal((bench.failure as { code?: unknown } | null)?.code, 'EIO')
    assert.throws(() => bench.start(bench.batch(['more'])), { code: ErrorCode.KAFKA_STORAGE_ERROR })
    assert.throws(() => bench.fetch(0n), { code: ErrorCode.KAFKA_STORAGE_ERROR })
    fault[Symbol.dispose]()
    await bench.kill()
    assert.deepEqual(bench.readAll().map((record) => record.value)[0], 'before')
    await bench.append(['after'])
  }
})

test('flush.messages: an acknowledged record survives a power failure', async () => {
  const bench = new LogBench({ flushMessages: 1 })
  for (let index = 0; index < 5; index++) await bench.append([`${index}`])
  assert.equal(bench.log.recoveryPoint, 5n)
  await bench.crash('nothing')
  assert.equal(bench.log.logEndOffset, 5n)
})

test('flush.messages above 1 holds back only the append that reaches it', async () => {
  const bench = new LogBench({ flushMessages: 3 })
  bench.host.disk.syncLatencyMs = [50, 50]
  const done: number[] = []
  for (let index = 0; index < 4; index++)
    void bench.start(bench.batch([`${index}`])).written.then(() => done.push(index))
  await bench.settle(1)
  assert.deepEqual(done, [0, 1, 3])
  await bench.settle(100)
  assert.deepEqual(done, [0, 1, 3, 2])
})

test('appends that come during a sync share the next one', async () => {
  const bench = new LogBench({ flushMessages: 1 })
  bench.host.disk.syncLatencyMs = [10, 10]
  let syncs = 0
  const log = bench.log
  const seen: bigint[] = []
  for (let index = 0; index < 20; index++) {
    void bench.start(bench.batch([`${index}`])).written.then(() => {
      if (seen.at(-1) !== log.recoveryPoint) syncs++
      seen.push(log.recoveryPoint)
    })
    await bench.settle(1)
  }
  await bench.settle(100)
  assert.equal(seen.length, 20)
  assert.ok(syncs <= 4, `${syncs} syncs for 20 appends in 20 ms`)
})

test('a failed sync acknowledges nothing', async () => {
  const bench = new LogBench({ flushMessages: 1 })
  await bench.append(['a'])
  bench.host.disk.fail({ operation: 'sync', code: 'EIO' })
  await assert.rejects(bench.append(['b']), { code: 'EIO' })
  assert.ok(bench.failure !== null)
  await assert.rejects(bench.run(bench.log.flush()), { code: ErrorCode.KAFKA_STORAGE_ERROR })
})

test('abandoning a log fails what is staged and leaves the files alone', async () => {
  const bench = new LogBench()
  const { written } = bench.start(bench.batch(['a']))
  bench.log.abandon(new Error('deleted'))
  await assert.rejects(bench.run(written), /deleted/)
  await bench.settle()
  assert.deepEqual(bench.host.disk.listSync(bench.directory), [])
})
