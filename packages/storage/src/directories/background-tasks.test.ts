import { test } from 'node:test'
import assert from 'node:assert/strict'
import { append, LogWorld, topicId } from './testing/log-world.ts'

test('the high watermark is checkpointed every 5 s, and only when it has moved', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  const log = logs.getOrCreate('t', 0, topicId)
  await world.simulation.time.advance(5_100)
  assert.equal(world.text('/a/replication-offset-checkpoint'), '0\n1\nt 0 0\n')
  await world.run(append(log, ['a', 'b']))
  await world.simulation.time.advance(5_100)
  assert.equal(world.text('/a/replication-offset-checkpoint'), '0\n1\nt 0 2\n')
  const { modifiedMs } = world.host.disk.statusSync('/a/replication-offset-checkpoint')!
  await world.simulation.time.advance(60_000)
  assert.equal(world.host.disk.statusSync('/a/replication-offset-checkpoint')!.modifiedMs, modifiedMs)
  await world.run(logs.close())
})

test('a log much written to is synced and its recovery point checkpointed', async () => {
  const world = new LogWorld()
  for (const topic of ['big', 'small']) world.configs.set(topic, { retentionMs: -1 })
  const logs = await world.open()
  const big = logs.getOrCreate('big', 0, topicId)
  const small = logs.getOrCreate('small', 0, topicId)
  await world.run(append(small, ['x']))
  for (let i = 0; i < 36; i++) await world.run(append(big, ['y'.repeat(1_000_000)]))
  await world.simulation.time.advance(61_000)
  assert.equal(big.recoveryPoint, 36n)
  assert.equal(small.recoveryPoint, 0n)
  // One below the end: the log is synced, the indexes of its active segment are not.
  assert.equal(world.text('/a/recovery-point-offset-checkpoint'), '0\n2\nbig 0 35\nsmall 0 0\n')
  await world.run(logs.close())
})

test('flush.ms is kept even though the broker has no flush interval', async () => {
  const world = new LogWorld()
  world.configs.set('t', { flushMs: 3000 })
  const logs = await world.open()
  const log = logs.getOrCreate('t', 0, topicId)
  await world.run(append(log, ['a']))
  await world.simulation.time.advance(1500)
  assert.equal(log.recoveryPoint, 0n)
  await world.simulation.time.advance(3000)
  assert.equal(log.recoveryPoint, 1n)
  await world.run(logs.close())
})

test('retention deletes old segments of every log', async () => {
  const world = new LogWorld()
  world.configs.set('t', { segmentBytes: 200, retentionBytes: 300, retentionMs: -1 })
  const logs = await world.open()
  const all = Array.from({ length: 5 }, (_, i) => logs.getOrCreate('t', i, topicId))
  for (const log of all) for (let i = 0; i < 10; i++) await world.run(append(log, ['z'.repeat(100)]))
  assert.ok(all.every(({ logStartOffset }) => logStartOffset === 0n))
  await world.simulation.time.advance(31_000)
  for (const log of all) {
    assert.ok(log.logStartOffset > 0n)
    assert.ok(log.sizeBytes <= 600)
  }
  await world.run(logs.close())
})

test('a log that a task cannot handle does not keep it from the others', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  const bad = logs.getOrCreate('t', 0, topicId)
  const good = logs.getOrCreate('t', 1, topicId)
  const seen: string[] = []
  bad.applyRetention = () => {
    throw new Error('a bug')
  }
  good.applyRetention = () => {
    seen.push('good')
    return []
  }
  await world.simulation.time.advance(31_000)
  assert.deepEqual(seen, ['good'])
  assert.deepEqual(
    world.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['log']),
    ['/a/t-0'],
  )
  await world.run(logs.close())
})

test('nothing runs after the end', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  logs.getOrCreate('t', 0, topicId)
  await world.run(logs.close())
  const before = world.names('/a')
  await world.simulation.time.runUntilIdle()
  assert.deepEqual(world.names('/a'), before)
})
