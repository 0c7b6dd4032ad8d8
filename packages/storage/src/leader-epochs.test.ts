import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { LogBench } from './testing/log-bench.ts'

const starts = (bench: LogBench) =>
  bench.log.leaderEpochs.entries.map(({ epoch, startOffset }) => [epoch, Number(startOffset)])

async function withEpochs(): Promise<LogBench> {
  const bench = new LogBench()
  for (const leaderEpoch of [1, 1, 3, 3, 7]) await bench.append(['x'], {}, { leaderEpoch })
  assert.deepEqual(starts(bench), [
    [1, 0],
    [3, 2],
    [7, 4],
  ])
  return bench
}

test('the end of an epoch is the start of the next known one', async () => {
  const { log } = await withEpochs()
  const endOf = (epoch: number) => {
    const { epoch: found, endOffset } = log.leaderEpochs.endOffsetFor(epoch, log.logEndOffset)
    return [found, Number(endOffset)]
  }
  assert.deepEqual(endOf(-1), [-1, -1])
  assert.deepEqual(endOf(0), [0, 0])
  assert.deepEqual(endOf(1), [1, 2])
  assert.deepEqual(endOf(2), [1, 2])
  assert.deepEqual(endOf(5), [3, 4])
  assert.deepEqual(endOf(7), [7, 5])
  assert.deepEqual(endOf(8), [-1, -1])
  assert.deepEqual(
    [0n, 1n, 2n, 4n, 9n].map((offset) => log.leaderEpochs.epochForOffset(offset)),
    [1, 1, 3, 7, 7],
  )
})

test('a new epoch drops those that contradict it', async () => {
  const bench = await withEpochs()
  bench.log.leaderEpochs.assign(8, 5n)
  bench.log.leaderEpochs.assign(9, 5n)
  assert.deepEqual(starts(bench).at(-1), [9, 5])
  bench.log.leaderEpochs.assign(3, 2n)
  assert.deepEqual(starts(bench), [
    [1, 0],
    [3, 2],
  ])
})

test('truncation and deletion cut the epochs with the records', async () => {
  const bench = await withEpochs()
  bench.commit()
  bench.log.deleteRecordsBefore(3n)
  assert.deepEqual(starts(bench), [
    [3, 3],
    [7, 4],
  ])
  assert.deepEqual(bench.log.earliestOffset(), { offset: 3n, leaderEpoch: 3 })
  bench.log.truncateTo(4n)
  assert.deepEqual(starts(bench), [[3, 3]])
  await bench.reopen()
  assert.deepEqual(starts(bench), [[3, 3]])
})

test('epochs survive clean stops and kills; a corrupt checkpoint is rebuilt from the records', async () => {
  const bench = await withEpochs()
  const before = starts(bench)
  await bench.kill()
  assert.deepEqual(starts(bench), before)
  await bench.reopen()
  assert.deepEqual(starts(bench), before)
  await bench.run(bench.log.close())
  for (const content of ['', '0\n2\n1 0\n', '1\n0\n', '0\nx\n', '0\n1\n1 a\n']) {
    bench.host.disk.replaceFileSync(`${bench.directory}/leader-epoch-checkpoint`, new TextEncoder().encode(content))
    await bench.open({})
    assert.deepEqual(starts(bench), before, JSON.stringify(content))
  }
})

test('an epoch without records costs no write', async () => {
  const bench = new LogBench()
  bench.log.leaderEpochs.assign(4, 0n)
  await bench.settle()
  assert.deepEqual(bench.host.disk.listSync(bench.directory), [])
  await bench.run(bench.log.close())
  assert.deepEqual(bench.host.disk.listSync(bench.directory), [])
})

test('a follower takes offsets and epochs as they are, without the cut end and without later epochs', async () => {
  const leader = await withEpochs()
  const slice = leader.log.locate(0n, { maxBytes: 10_000, minOneBatch: true, upTo: 'log-end' })
  const bytes = new Uint8Array(slice.length)
  slice.readSync(bytes)
  const bench = new LogBench()
  const copy = (part: Uint8Array, leaderEpoch: number) => bench.log.appendAsFollower(part, { leaderEpoch }, () => {})
  assert.equal(copy(bytes.subarray(0, -3), 3)?.lastOffset, 3n)
  await bench.settle()
  assert.deepEqual(starts(bench), [
    [1, 0],
    [3, 2],
  ])
  assert.throws(() => copy(bytes, 7), { code: ErrorCode.OFFSET_OUT_OF_RANGE })
  bench.log.truncateFullyAndStartAt(0n)
  copy(bytes, 7)
  await bench.settle()
  assert.deepEqual(bench.readAll(), leader.readAll())
  const damaged = bytes.slice()
  damaged[65] = damaged[65]! ^ 1
  bench.log.truncateFullyAndStartAt(0n)
  assert.throws(() => copy(damaged, 7), { code: ErrorCode.CORRUPT_MESSAGE })
  assert.equal(bench.log.logEndOffset, 0n)
})
