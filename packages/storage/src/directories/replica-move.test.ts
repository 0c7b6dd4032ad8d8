import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { LogManager } from '../log-manager.ts'
import type { PartitionLog } from '../partition-log.ts'
import { append, LogWorld, readAll, topicId } from './testing/log-world.ts'

const throwsCode = (code: number) => (error: unknown) => error instanceof KafkaError && error.code === code
const directories = ['/a', '/b']

async function movedTo(world: LogWorld, count = 1): Promise<void> {
  for (let i = 0; world.replaced.length < count && i < 1000; i++) await world.simulation.time.advance(20)
  assert.equal(world.replaced.length, count, 'the replica was not moved')
}

test('a replica moves with its records, offsets, epochs and producers', async () => {
  const world = new LogWorld()
  world.configs.set('t', { segmentBytes: 300, retentionMs: -1, fileDeleteDelayMs: 1000 })
  const logs = await world.open({ directories })
  const log = logs.getOrCreate('t', 0, topicId)
  for (let i = 0; i < 30; i++) await world.run(append(log, [`v${i}`, `w${i}`], i < 10 ? 0 : 3))
  log.leaderEpochs.assign(5, log.logEndOffset)
  log.deleteRecordsBefore(5n)
  logs.moveReplica('t', 0, '/b')
  assert.equal(logs.getFuture('t', 0)!.directory.startsWith('/b/t-0.'), true)
  await movedTo(world)
  const moved = logs.get('t', 0)!
  assert.equal(world.replaced[0], moved)
  assert.notEqual(moved, log)
  assert.equal(moved.directory, '/b/t-0')
  assert.equal(logs.getFuture('t', 0), undefined)
  assert.deepEqual(readAll(moved), readAll(log))
  assert.deepEqual([moved.logStartOffset, moved.highWatermark, moved.logEndOffset], [5n, 60n, 60n])
  assert.deepEqual(
    moved.leaderEpochs.entries.map(({ epoch, startOffset }) => [epoch, startOffset]),
    [
      [0, 5n],
      [3, 20n],
      [5, 60n],
    ],
  )
  assert.equal(logs.topicIdOf('t', 0), topicId)
  assert.deepEqual(world.partitionNames('/a'), ['t-0.*-delete'])
  assert.deepEqual(world.partitionNames('/b'), ['t-0'])
  await world.simulation.time.advance(2000)
  assert.deepEqual(world.partitionNames('/a'), [])
  await world.run(append(moved, ['after'], 5))
  await world.run(logs.close())
  const again = await world.open({ directories })
  assert.equal(readAll(again.get('t', 0)!).size, 56)
  await world.run(again.close())
})

test('a replica moves while it is written to, and nothing is lost or doubled', async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const world = new LogWorld(seed)
    world.configs.set('t', { segmentBytes: 20_000, retentionMs: -1, ...(seed % 3 === 0 ? { flushMessages: 1 } : {}) })
    const logs = await world.open({ directories })
    logs.getOrCreate('t', 0, topicId)
    const acknowledged: string[] = []
    const load = async (): Promise<void> => {
      for (let i = 0; i < 300; i++) {
        // As the broker: whatever log is the partition's one now.
        const offset = append(logs.get('t', 0)!, [`v${i}`.padEnd(200, '.')])
        void offset.then((at) => (acknowledged[Number(at)] = `v${i}`.padEnd(200, '.')))
        if (i === 100) logs.moveReplica('t', 0, '/b')
        if (i % 4 === 0) await world.host.clock.sleep(1)
      }
    }
    await world.run(load())
    await movedTo(world)
    const moved = logs.get('t', 0)!
    assert.equal(moved.directory, '/b/t-0')
    assert.deepEqual([...readAll(moved).values()], acknowledged, `seed ${seed}`)
    assert.equal(acknowledged.length, 300)
    await world.run(logs.close())
  }
})

test('errors come in the order Kafka gives them', async () => {
  const world = new LogWorld()
  const logs = await world.open({ directories: ['/a', '/b', '/c'] })
  const long = 't'.repeat(215)
  assert.throws(() => logs.moveReplica(long, 0, '/nowhere'), throwsCode(ErrorCode.INVALID_TOPIC_EXCEPTION))
  assert.throws(() => logs.moveReplica('t', 0, '/nowhere'), throwsCode(ErrorCode.LOG_DIR_NOT_FOUND))
  logs.setCordoned(['/c'])
  assert.throws(() => logs.moveReplica('t', 0, '/c'), throwsCode(ErrorCode.INVALID_REPLICA_ASSIGNMENT))
  assert.throws(() => logs.moveReplica('t', 0, '/b'), throwsCode(ErrorCode.REPLICA_NOT_AVAILABLE))
  // Remembered for when the log is made.
  assert.equal(logs.getOrCreate('t', 0, topicId).directory, '/b/t-0')
  assert.equal(logs.getOrCreate('u', 0, topicId).directory, '/a/u-0')
  logs.moveReplica('t', 0, '/b')
  assert.equal(logs.getFuture('t', 0), undefined)
  using _ = world.host.disk.fail({ operation: 'write', path: (path) => path.startsWith('/a/'), code: 'EIO' })
  await assert.rejects(world.run(append(logs.get('u', 0)!, ['x'])))
  assert.throws(() => logs.moveReplica('t', 0, '/a'), throwsCode(ErrorCode.KAFKA_STORAGE_ERROR))
  assert.throws(() => logs.moveReplica('u', 0, '/b'), throwsCode(ErrorCode.KAFKA_STORAGE_ERROR))
  logs.setCordoned([])
  // With a directory offline no copy is made: it could be one of two.
  assert.throws(() => logs.moveReplica('t', 0, '/c'), throwsCode(ErrorCode.KAFKA_STORAGE_ERROR))
  await world.run(logs.close())
})

async function withMoveUnderWay(world: LogWorld): Promise<{ logs: LogManager; log: PartitionLog }> {
  world.configs.set('t', { retentionMs: -1, fileDeleteDelayMs: 10 })
  const logs = await world.open({ directories: ['/a', '/b', '/c'], moveBytesPerSecond: 20_000 })
  const log = logs.getOrCreate('t', 0, topicId)
  for (let i = 0; i < 20; i++) await world.run(append(log, ['x'.repeat(100_000)]))
  logs.moveReplica('t', 0, '/b')
  await world.simulation.time.advance(1000)
  assert.equal(world.replaced.length, 0)
  return { logs, log }
}

test('a move to a third directory gives up the first', async () => {
  const world = new LogWorld()
  const { logs, log } = await withMoveUnderWay(world)
  logs.moveReplica('t', 0, '/c')
  assert.ok(logs.getFuture('t', 0)!.directory.startsWith('/c/'))
  const values = readAll(log)
  await world.simulation.time.advance(500_000)
  assert.deepEqual(
    world.replaced.map(({ directory }) => directory),
    ['/c/t-0'],
  )
  assert.deepEqual(readAll(logs.get('t', 0)!), values)
  assert.deepEqual(world.partitionNames('/b'), [])
  await world.run(logs.close())
})

test('a move back to where the replica is gives up the copy', async () => {
  const world = new LogWorld()
  const { logs, log } = await withMoveUnderWay(world)
  logs.moveReplica('t', 0, '/a')
  await world.simulation.time.advance(500_000)
  assert.equal(logs.get('t', 0), log)
  assert.deepEqual(world.partitionNames('/b'), [])
  await world.run(logs.close())
})

test('the removal of a partition takes its copy along', async () => {
  const world = new LogWorld()
  const { logs } = await withMoveUnderWay(world)
  logs.remove('t', 0)
  await world.simulation.time.advance(500_000)
  assert.deepEqual([...world.partitionNames('/a'), ...world.partitionNames('/b')], [])
  assert.equal(world.replaced.length, 0)
  await world.run(logs.close())
})

test('a failure of the target leaves the replica where it is', async () => {
  const world = new LogWorld()
  const { logs, log } = await withMoveUnderWay(world)
  using _ = world.host.disk.fail({ operation: 'write', path: (path) => path.startsWith('/b/'), code: 'ENOSPC' })
  await world.simulation.time.advance(500_000)
  assert.deepEqual(
    world.failures.map(({ directory, lost, lostCopies }) => [directory, lost, lostCopies]),
    [['/b', [], [{ topic: 't', partition: 0 }]]],
  )
  assert.equal(logs.get('t', 0), log)
  assert.equal(logs.isLost('t', 0), false)
  await world.run(append(log, ['goes on']))
  await world.run(logs.close())
})

test('a clean stop in the middle of a move is no obstacle: the next start goes on with it', async () => {
  const world = new LogWorld()
  const { logs } = await withMoveUnderWay(world)
  await world.run(logs.close())
  assert.deepEqual(world.partitionNames('/b'), ['t-0.*-future'])
  const again = await world.open({ directories: ['/a', '/b', '/c'] })
  await movedTo(world)
  assert.equal(readAll(again.get('t', 0)!).size, 20)
  await world.run(again.close())
})

test('the current log is truncated and its start moves while it is copied', async () => {
  const world = new LogWorld()
  const { logs, log } = await withMoveUnderWay(world)
  await world.run(log.drained())
  log.truncateTo(10n)
  await world.run(append(log, ['other'], 4))
  log.deleteRecordsBefore(7n)
  const values = readAll(log)
  await world.simulation.time.advance(500_000)
  const moved = world.replaced[0]!
  assert.deepEqual(readAll(moved), values)
  assert.deepEqual([moved.logStartOffset, moved.logEndOffset, moved.leaderEpochs.latest], [7n, 11n, 4])
  await world.run(logs.close())
})

for (const kind of ['process', 'system'] as const)
  test(`a crash of the ${kind} at any moment of a move leaves one whole log`, async () => {
    for (let seed = 1; seed <= 120; seed++) {
      const world = new LogWorld(seed)
      world.configs.set('t', { retentionMs: -1, segmentBytes: 5000, flushMessages: 1 })
      const first = await world.open({ directories })
      const log = first.getOrCreate('t', 0, topicId)
      const values: string[] = []
      for (let i = 0; i < 40; i++) {
        values.push(`v${i}`.padEnd(400, '.'))
        await world.run(append(log, [values[i]!]))
      }
      first.moveReplica('t', 0, '/b')
      // The move takes some 20 simulated milliseconds.
      await world.simulation.time.advance(world.simulation.random.next() * 60)
      if (kind === 'process') world.host.crashProcess()
      else world.host.crash()
      const again = await world.open({ directories })
      await world.simulation.time.advance(2000)
      const found = again.get('t', 0)
      assert.ok(found !== undefined, `seed ${seed}: the log is gone`)
      assert.deepEqual([...readAll(found).values()], values, `seed ${seed}`)
      assert.equal(again.getFuture('t', 0), undefined, `seed ${seed}: the move did not end`)
      assert.equal(found.directory, '/b/t-0', `seed ${seed}: the move was forgotten`)
      await world.run(again.close())
    }
  })
