import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import type { LogConfig } from '../log-config.ts'
import type { LogManagerOptions } from '../log-manager-options.ts'
import { backoffMs, CompactedLog, type KeyValue } from './testing/compacted-log.ts'

const oneRecordPerSegment = { segmentBytes: 100, minCleanableDirtyRatio: 0.01, deleteRetentionMs: 60_000 }
const soon = backoffMs + 100

async function open(config: Partial<LogConfig> = {}, options: Partial<LogManagerOptions> = {}): Promise<CompactedLog> {
  return new CompactedLog({ ...oneRecordPerSegment, ...config }, 1, options).open()
}

async function write(log: CompactedLog, ...records: readonly KeyValue[]): Promise<void> {
  for (const record of records) await log.append({ records: [record] })
}

function contents(log: CompactedLog): string[] {
  return log.read().flatMap(({ records }) => records.map(({ key, value, offset }) => `${offset} ${key}=${value}`))
}

test('the last value of each key stays, at its offset; the active segment is left alone', async () => {
  const log = await open()
  await write(log, ['a', '1'], ['b', '1'], ['a', '2'], ['c', '1'], ['a', '3'])
  await log.advance(soon)
  assert.deepEqual(contents(log), ['1 b=1', '2 a=2', '3 c=1', '4 a=3'])
  assert.equal(log.log.logStartOffset, 0n)
  log.check()
})

test('segments that became small are joined', async () => {
  const log = await open({ segmentBytes: 300 })
  for (let cleaning = 0; cleaning < 3; cleaning++) {
    for (let round = 0; round < 12; round++) await write(log, ['a', `${round}`])
    await log.advance(soon)
  }
  // Joined ones, three that were full before the last cleaning, the active one: without joining nine.
  assert.ok(log.log.segmentCount <= 5, log.log.segmentStarts().join())
  log.check()
})

test('a reader that located its bytes before a cleaning reads them after it', async () => {
  const log = await open()
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  const slice = log.log.locate(0n, { maxBytes: 1000, minOneBatch: true, upTo: 'log-end' })
  await log.advance(soon)
  assert.ok(log.names('.deleted').length > 0)
  const bytes = new Uint8Array(slice.length)
  slice.readSync(bytes)
  assert.match(Buffer.from(bytes).toString('latin1'), /a.*1/)
  await log.advance(log.log.config.fileDeleteDelayMs)
  assert.deepEqual(log.names('.deleted'), [])
  // The records are still there, so that the client has to ask again and not to reset its offset.
  assert.throws(() => slice.readSync(bytes), { code: 6 })
})

test('a tombstone goes delete.retention.ms after the cleaning that met it first', async () => {
  const log = await open()
  await write(log, ['a', '1'], ['a', null], ['b', '1'], ['b', '2'])
  await log.advance(soon)
  assert.deepEqual(contents(log).slice(0, 2), ['1 a=null', '2 b=1'])
  await log.advance(50_000)
  await write(log, ['b', '3'])
  await log.advance(soon)
  assert.equal(contents(log)[0], '1 a=null', 'the horizon is not passed yet')
  await log.advance(10_000)
  await write(log, ['b', '4'])
  await log.advance(soon)
  assert.ok(!contents(log).some((line) => line.includes('a=')), contents(log).join())
  log.check()
})

test('nothing is cleaned up to min.cleanable.dirty.ratio', async () => {
  const log = await open({ minCleanableDirtyRatio: 0.6 })
  await write(log, ['a', '1'], ['b', '1'], ['c', '1'], ['a', '2'])
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, 3n)
  await write(log, ['a', '3'], ['a', '4'], ['a', '5'])
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, 3n, 'half of the log is dirty')
  await write(log, ['a', '6'], ['a', '7'], ['a', '8'])
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, 9n)
})

test('records younger than min.compaction.lag.ms are not cleaned', async () => {
  const log = await open({ minCompactionLagMs: 30_000 })
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  await log.advance(20_000)
  await write(log, ['a', '4'], ['a', '5'])
  assert.equal(contents(log).length, 5)
  await log.advance(12_000)
  assert.deepEqual(contents(log), ['2 a=3', '3 a=4', '4 a=5'])
  assert.equal(log.log.cleaning.firstDirtyOffset, 3n)
})

test('records older than max.compaction.lag.ms are cleaned however little they are, and roll their segment', async () => {
  const log = await open({ segmentBytes: 10_000, minCleanableDirtyRatio: 1, maxCompactionLagMs: 10_000 })
  await write(log, ['a', '1'], ['a', '2'])
  await log.advance(9_000)
  await write(log, ['a', '3'])
  assert.equal(log.log.segmentCount, 1)
  await log.advance(2_000)
  await write(log, ['b', '1'])
  assert.equal(log.log.segmentCount, 2)
  await log.advance(soon)
  assert.deepEqual(contents(log), ['2 a=3', '3 b=1'])
})

test('data of open transactions is not cleaned, of aborted ones it goes, and the markers after it', async () => {
  const log = await open({ segmentBytes: 200 })
  await log.append({ records: [['a', '1']], producer: 1, isTransactional: true })
  await write(log, ['b', '1'], ['b', '2'], ['b', '3'])
  await log.advance(soon)
  assert.equal(contents(log).length, 4)
  await log.endTransaction(1, 'ABORT')
  await write(log, ['b', '4'], ['b', '5'])
  await log.advance(soon)
  assert.ok(!contents(log).some((line) => line.includes('a=')))
  assert.deepEqual(
    log
      .read()
      .filter(({ marker }) => marker !== null)
      .map(({ lastOffset }) => lastOffset),
    [4n],
    'the marker stays, as the batch it belongs to was there',
  )
  log.check()
  await log.append({ records: [['c', '1']], producer: 1, isTransactional: true })
  await log.endTransaction(1, 'COMMIT')
  for (let round = 0; round < 6; round++) {
    await write(log, ['b', `${round}`], ['b', `${round}.`], ['b', `${round}..`])
    await log.advance(log.log.config.deleteRetentionMs + soon)
  }
  assert.ok(!log.read().some(({ lastOffset, marker }) => lastOffset === 4n && marker !== null))
  log.check()
})

test('the map bounds how much is cleaned in a round; the next one goes on', async () => {
  const log = await open({ segmentBytes: 1_000 })
  log.cleanerConfig = { ...log.cleanerConfig, dedupeBufferBytes: 24 * 12, loadFactor: 0.9 }
  for (let round = 0; round < 40; round++) await write(log, [`key-${round % 30}`, `${round}`])
  await log.advance(soon)
  const { firstDirtyOffset } = log.log.cleaning
  assert.ok(firstDirtyOffset !== null && firstDirtyOffset >= 10n)
  log.check()
  await log.advance(10 * soon)
  const below = log
    .read()
    .flatMap(({ records }) => records)
    .map(({ key }) => key)
  assert.ok(new Set(below).size === 30 && below.length < 40)
  log.check()
})

test("where the log is clean survives a restart and is in Kafka's file", async () => {
  const log = await open()
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  await log.advance(soon)
  assert.equal(log.world.text('/a/cleaner-offset-checkpoint'), '0\n1\nt 0 2\n')
  await log.reopen()
  assert.equal(log.log.cleaning.firstDirtyOffset, 2n)
  await write(log, ['a', '4'])
  await log.kill()
  assert.equal(log.log.cleaning.firstDirtyOffset, 2n)
  log.check()
})

test('a truncation makes what comes back dirty, and ends a cleaning that is under way', async () => {
  const log = await open()
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'], ['a', '4'], ['b', '1'])
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, 4n)
  log.log.truncateTo(3n)
  const { firstDirtyOffset } = log.log.cleaning
  assert.ok(firstDirtyOffset !== null && firstDirtyOffset <= 3n)
  await log.advance(10)
  assert.equal(log.world.text('/a/cleaner-offset-checkpoint'), `0\n1\nt 0 ${firstDirtyOffset}\n`)
})

test('what a truncation, or retention after a change of policy, does to a log that is being cleaned harms nothing', async () => {
  for (const disturb of [
    (log: CompactedLog) => void log.log.truncateTo(3n),
    (log: CompactedLog) => {
      log.log.config = { ...log.log.config, cleanupPolicies: { compact: false, delete: true }, retentionMs: 0 }
      log.log.applyRetention(log.nowMs + 1)
    },
  ]) {
    const log = await open({ fileDeleteDelayMs: 1 })
    for (let round = 0; round < 20; round++) await write(log, ['a', `${round}`])
    log.cleanerConfig = { ...log.cleanerConfig, maxBytesPerSecond: 300 }
    await log.advance(2000)
    assert.equal(log.log.cleaning.firstDirtyOffset, null, 'it is at it')
    disturb(log)
    await log.advance(20_000)
    assert.deepEqual(log.world.failures, [])
    assert.equal(log.log.cleaning.isUncleanable, false)
    assert.ok(!log.world.lines.some(({ level }) => level === 'error'))
    assert.deepEqual(log.names('.cleaned'), [])
  }
})

test('a throttled cleaning takes its time, and gives way to the deletion of the topic', async () => {
  const log = await open()
  for (let round = 0; round < 20; round++) await write(log, ['a', `${round}`])
  log.cleanerConfig = { ...log.cleanerConfig, maxBytesPerSecond: 200 }
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, null, 'it is still at it')
  const { topic } = log.log
  log.manager.remove(topic, 0)
  await log.advance(soon)
  assert.deepEqual(log.world.failures, [])
  assert.ok(!log.world.lines.some(({ level }) => level === 'error' || level === 'warn'))
})

test('closing ends a cleaning that is under way and leaves no half-written files', async () => {
  const log = await open()
  for (let round = 0; round < 20; round++) await write(log, ['a', `${round}`])
  log.cleanerConfig = { ...log.cleanerConfig, maxBytesPerSecond: 300 }
  await log.advance(7000)
  assert.ok(log.names('.cleaned').length > 0)
  await log.world.run(log.manager.close())
  assert.deepEqual(log.names('.cleaned'), [])
  await log.open()
  log.check()
})

test('compact,delete does both; compact alone lets go of what lies before the log start', async () => {
  for (const deletes of [true, false]) {
    const log = await open({
      cleanupPolicies: { compact: true, delete: deletes },
      retentionMs: 40_000,
      minCleanableDirtyRatio: 1,
    })
    await write(log, ['a', '1'], ['b', '1'], ['c', '1'])
    await log.advance(45_000)
    if (deletes) assert.equal(log.log.logStartOffset, 3n)
    else {
      assert.equal(contents(log).length, 3)
      log.log.deleteRecordsBefore(2n)
      await log.advance(soon)
      assert.deepEqual(log.log.segmentStarts(), [2n])
    }
  }
})

test('a log with a damaged batch is left alone, is told of, and keeps nobody else from being cleaned', async () => {
  const log = await open()
  log.world.configs.set('other', { ...log.log.config, cleanupPolicies: { compact: true, delete: false } })
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  const { disk } = log.world.host
  const file = disk.openSync('/a/t-0/00000000000000000001.log', 'write')
  file.writeSync([new Uint8Array([0x55])], 66)
  file.closeSync()
  await log.advance(soon)
  assert.equal(log.log.cleaning.isUncleanable, true)
  assert.equal(log.log.failure, null)
  assert.ok(log.world.lines.some(({ level, message }) => level === 'warn' && message.includes('is not cleaned before')))
  assert.deepEqual(log.names('.cleaned'), [])
  assert.equal(log.log.segmentCount, 3)
})

test('no room for the cleaned copy is no failure of the disk: it is tried again', async () => {
  const log = await open()
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  const fault = log.world.host.disk.fail({
    operation: 'write',
    code: 'ENOSPC',
    path: (path) => path.endsWith('.log.cleaned'),
  })
  await log.advance(3 * soon)
  assert.deepEqual(log.world.failures, [])
  assert.equal(contents(log).length, 3)
  fault[Symbol.dispose]()
  await log.advance(soon)
  assert.equal(contents(log).length, 2)
  log.check()
})

test('a disk that fails under the cleaner takes its directory offline', async () => {
  const log = await open()
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  log.world.host.disk.fail({ operation: 'write', code: 'EIO', path: (path) => path.endsWith('.log.cleaned') })
  await log.advance(soon)
  assert.equal(log.world.failures.length, 1)
})

test('a replica on the move is not cleaned; the offset of its cleaning moves with it', async () => {
  const log = await open({}, { directories: ['/a', '/b'], moveBytesPerSecond: 100 })
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, 2n)
  log.manager.moveReplica('t', 0, '/b')
  await write(log, ['a', '4'], ['a', '5'])
  await log.advance(2 * soon)
  assert.equal(log.log.directory, '/a/t-0', 'still on the move')
  assert.equal(log.log.cleaning.firstDirtyOffset, 2n)
  await log.advance(60_000)
  assert.equal(log.log.directory, '/b/t-0')
  log.check()
  await log.advance(soon)
  assert.equal(log.log.cleaning.firstDirtyOffset, 4n)
  assert.match(log.world.text('/b/cleaner-offset-checkpoint'), /^t 0 4$/m)
  assert.equal(log.world.text('/a/cleaner-offset-checkpoint'), '0\n0\n')
  log.check()
})

test('lookups by time find the records that are left', async () => {
  const log = await open({ segmentBytes: 400 })
  for (let round = 0; round < 20; round++) {
    await write(log, [`key-${round % 3}`, `${round}`])
    await log.advance(10)
  }
  await log.advance(soon)
  const left = log.read().flatMap(({ records }) => records)
  for (const { timestamp } of log.batches) {
    const expected = left.find((record) => record.timestamp >= timestamp)!
    const found = await log.world.run(log.log.offsetForTimestamp(timestamp))
    assert.equal(found?.offset, expected.offset)
  }
  assert.equal((await log.world.run(log.log.maxTimestampOffset()))?.offset, 19n)
})

test('the largest timestamp is that of a record, also where an empty batch has kept a larger one', async () => {
  const log = await open({ segmentBytes: 300 })
  const timestamp = BigInt(log.nowMs)
  await log.append({ records: [['a', '1']], producer: 0, timestamp: timestamp + 1000n })
  await log.append({ records: [['a', '2']], timestamp: timestamp + 1n })
  await log.append({ records: [['b', '1']], timestamp: timestamp + 1n })
  await log.append({ records: [['c', 'x'.repeat(200)]], timestamp })
  await log.advance(soon)
  assert.deepEqual(
    log.read().map(({ records }) => records.length),
    [0, 1, 1, 1],
  )
  assert.deepEqual(await log.world.run(log.log.maxTimestampOffset()), {
    timestamp: timestamp + 1n,
    offset: 1n,
    leaderEpoch: 0,
  })
  assert.equal((await log.world.run(log.log.offsetForTimestamp(timestamp + 2n)))?.offset, undefined)
})

test('more threads clean more logs at once, and a setting changes their number', async () => {
  const log = await open()
  log.world.configs.set('u', log.world.configs.get('t')!)
  log.cleanerConfig = { ...log.cleanerConfig, threads: 2 }
  log.manager.cleanerConfigChanged()
  await write(log, ['a', '1'], ['a', '2'], ['a', '3'])
  await log.advance(soon)
  assert.equal(contents(log).length, 2)
  log.cleanerConfig = { ...log.cleanerConfig, threads: 0 }
  await log.advance(soon)
  await write(log, ['a', '4'], ['a', '5'])
  await log.advance(3 * soon)
  assert.equal(contents(log).length, 4, 'without threads nothing is cleaned')
  log.cleanerConfig = { ...log.cleanerConfig, threads: 1 }
  log.manager.cleanerConfigChanged()
  await log.advance(soon)
  assert.equal(contents(log).length, 2)
})
