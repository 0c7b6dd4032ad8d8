import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { ForeignDirectoryError } from './directories/meta-properties.ts'
import { append, LogWorld, otherTopicId, readAll, topicId } from './directories/testing/log-world.ts'

const throwsCode = (code: number) => (error: unknown) => error instanceof KafkaError && error.code === code

test('a new directory gets its identity and a log its directory', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  const log = logs.getOrCreate('t', 3, topicId)
  assert.equal(logs.get('t', 3), log)
  assert.equal(logs.getOrCreate('t', 3, topicId), log)
  assert.equal(logs.get('t', 4), undefined)
  assert.equal(log.directory, '/a/t-3')
  assert.equal(world.text('/a/t-3/partition.metadata'), `version: 0\ntopic_id: ${topicId}`)
  assert.deepEqual(world.names('/a/t-3'), ['partition.metadata'])
  assert.match(
    world.text('/a/meta.properties'),
    /^version=1\ncluster.id=test-cluster\nnode.id=1\ndirectory.id=[\w-]{22}\n$/,
  )
  await world.run(logs.close())
})

test('after a clean stop everything is as it was, and the marker tells the epoch', async () => {
  const world = new LogWorld()
  const first = await world.open()
  await world.run(append(first.getOrCreate('t', 0, topicId), ['a', 'b']))
  await world.run(append(first.getOrCreate('t', 0, topicId), ['c']))
  first.getOrCreate('empty', 0, otherTopicId)
  await world.run(first.close(77n))
  assert.equal(world.text('/a/.kafka_cleanshutdown'), '{"version":0,"brokerEpoch":77}')
  assert.equal(world.text('/a/recovery-point-offset-checkpoint'), '0\n2\nt 0 3\nempty 0 0\n')
  assert.equal(world.text('/a/replication-offset-checkpoint'), '0\n2\nt 0 3\nempty 0 0\n')
  assert.equal(world.host.disk.existsSync('/a/.lock'), false)

  const second = await world.open()
  assert.equal(second.cleanShutdownEpoch, 77n)
  assert.equal(world.host.disk.existsSync('/a/.kafka_cleanshutdown'), false)
  assert.equal(second.size, 2)
  assert.equal(second.topicIdOf('t', 0), topicId)
  const log = second.get('t', 0)!
  assert.equal(log.highWatermark, 3n)
  assert.deepEqual([...readAll(log).values()], ['a', 'b', 'c'])
  await world.run(second.close())
})

test('after a kill every written record is there', async () => {
  const world = new LogWorld()
  const first = await world.open()
  const log = first.getOrCreate('t', 0, topicId)
  for (let i = 0; i < 50; i++) await world.run(append(log, [`v${i}`]))
  world.host.crashProcess()
  const second = await world.open()
  assert.equal(second.cleanShutdownEpoch, null)
  assert.equal(readAll(second.get('t', 0)!).size, 50)
  await world.run(second.close())
})

test('new logs go where the fewest are, and not into cordoned directories', async () => {
  const world = new LogWorld()
  const logs = await world.open({ directories: ['/a', '/b', '/c'] })
  logs.setCordoned(['/b'])
  const places = Array.from({ length: 6 }, (_, i) => logs.getOrCreate('t', i, topicId).directory.slice(0, 2))
  assert.deepEqual(places, ['/a', '/c', '/a', '/c', '/a', '/c'])
  logs.setCordoned(['/a', '/b', '/c'])
  assert.equal(logs.getOrCreate('u', 0, topicId).directory, '/a/u-0')
  logs.setCordoned([])
  assert.equal(logs.getOrCreate('u', 1, topicId).directory, '/b/u-1')
  await world.run(logs.close())
})

test('two managers exclude each other until the first is closed', async () => {
  const world = new LogWorld()
  const first = await world.open({ directories: ['/a', '/b'] })
  await assert.rejects(world.open({ directories: ['/b'] }), /\/b\/.lock is held: another broker/)
  await world.run(first.close())
  await world.run((await world.open({ directories: ['/b'] })).close())
})

test('a directory of another cluster or node is refused and left unlocked', async () => {
  const world = new LogWorld()
  await world.run((await world.open()).close())
  await assert.rejects(world.open({ clusterId: 'other' }), ForeignDirectoryError)
  await assert.rejects(world.open({ nodeId: 2 }), /expected node id 2, got 1/)
  await world.run((await world.open()).close())
})

test('a directory that cannot be read goes offline, and the others start', async () => {
  const world = new LogWorld()
  const first = await world.open({ directories: ['/a', '/b'] })
  first.getOrCreate('t', 0, topicId)
  first.getOrCreate('t', 1, topicId)
  await world.run(first.close())
  using _ = world.host.disk.fail({ operation: 'list', path: (path) => path === '/b', code: 'EIO' })
  const logs = await world.open({ directories: ['/a', '/b'] })
  assert.equal(logs.size, 1)
  assert.deepEqual(
    world.failures.map(({ directory, remaining, lost }) => ({ directory, remaining, lost })),
    [{ directory: '/b', remaining: 1, lost: [] }],
  )
  assert.throws(() => logs.getOrCreate('t', 1, topicId), throwsCode(ErrorCode.KAFKA_STORAGE_ERROR))
  assert.equal(logs.getOrCreate('new', 0, topicId, { isNew: true }).directory, '/a/new-0')
  const [a, b] = await world.run(logs.directories())
  assert.equal(a!.errorCode, ErrorCode.NONE)
  assert.equal(b!.errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  await world.run(logs.close())
})

test('a malformed meta.properties takes its directory offline', async () => {
  const world = new LogWorld()
  world.host.disk.makeDirectorySync('/b')
  world.host.disk.replaceFileSync('/b/meta.properties', new TextEncoder().encode('version=9\n'))
  const logs = await world.open({ directories: ['/a', '/b'] })
  assert.match(world.failures[0]!.error.message, /\/b\/meta.properties: expected version 0 or 1, got "9"/)
  await world.run(logs.close())
})

test('with all directories offline the manager does not start', async () => {
  const world = new LogWorld()
  using _ = world.host.disk.fail({ operation: 'any', code: 'EACCES' })
  await assert.rejects(
    world.open({ directories: ['/a', '/b'] }),
    /none of the log directories can be used: \/a: EACCES/,
  )
})

test('a partition in two directories stops the start and names both', async () => {
  const world = new LogWorld()
  await world.run((await world.open({ directories: ['/a', '/b'] })).close())
  world.host.disk.makeDirectorySync('/a/t-0')
  world.host.disk.makeDirectorySync('/b/t-0')
  await assert.rejects(
    world.open({ directories: ['/a', '/b'] }),
    /two logs of one partition: \/[ab]\/t-0 and \/[ab]\/t-0/,
  )
})

test('directories that are no partitions are left alone', async () => {
  const world = new LogWorld()
  for (const name of ['lost+found', '.hidden', 'notes', '__cluster_metadata-0', 'remote-log-index-cache'])
    world.host.disk.makeDirectorySync(`/a/${name}`)
  const logs = await world.open()
  assert.equal(logs.size, 0)
  assert.deepEqual(
    world.lines.filter(({ message }) => message.startsWith('Ignoring')).map(({ fields }) => fields['name']),
    ['notes'],
  )
  await world.run(logs.close())
})

test('a removed log frees its name at once and its files after the delay', async () => {
  const world = new LogWorld()
  world.configs.set('t', { fileDeleteDelayMs: 1000 })
  const logs = await world.open()
  const old = logs.getOrCreate('t', 0, topicId)
  await world.run(append(old, ['old']))
  assert.equal(logs.remove('t', 0), true)
  assert.equal(logs.remove('t', 0), false)
  const fresh = logs.getOrCreate('t', 0, otherTopicId)
  assert.notEqual(fresh, old)
  assert.equal(fresh.logEndOffset, 0n)
  // A reader that found the old log before goes on.
  assert.deepEqual([...readAll(old).values()], ['old'])
  assert.deepEqual(world.partitionNames('/a'), ['t-0', 't-0.*-delete'])
  await world.simulation.time.advance(900)
  assert.deepEqual(world.partitionNames('/a'), ['t-0', 't-0.*-delete'])
  await world.simulation.time.advance(200)
  assert.deepEqual(world.partitionNames('/a'), ['t-0'])
  await world.run(logs.close())
})

test('a log is removed while its leader epochs are being written', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new LogWorld(seed)
    world.configs.set('t', { retentionMs: -1, fileDeleteDelayMs: 500 })
    const logs = await world.open()
    const log = logs.getOrCreate('t', 0, topicId)
    for (let epoch = 0; epoch < 8; epoch++) void append(log, ['x'.repeat(6000)], epoch).catch(() => {})
    await world.simulation.time.advance(world.simulation.random.next() * 6)
    logs.remove('t', 0)
    await world.simulation.time.advance(1000)
    assert.deepEqual(world.failures, [], `seed ${seed}`)
    assert.deepEqual(world.partitionNames('/a'), [], `seed ${seed}`)
    await world.run(logs.close())
  }
})

test('checkpoints forget a removed log at once', async () => {
  const world = new LogWorld()
  world.configs.set('t', { retentionMs: -1 })
  const logs = await world.open()
  const log = logs.getOrCreate('t', 0, topicId)
  await world.run(append(log, ['a', 'b', 'c']))
  log.deleteRecordsBefore(2n)
  await world.simulation.time.advance(120_000)
  assert.equal(world.text('/a/log-start-offset-checkpoint'), '0\n1\nt 0 2\n')
  logs.remove('t', 0)
  await world.simulation.time.advance(100)
  assert.equal(world.text('/a/log-start-offset-checkpoint'), '0\n0\n')
  assert.equal(world.text('/a/replication-offset-checkpoint'), '0\n0\n')
  await world.run(logs.close())
})

test('what a stop left to be deleted goes at the next start', async () => {
  const world = new LogWorld()
  const first = await world.open()
  first.getOrCreate('t', 0, topicId)
  first.remove('t', 0)
  await world.run(first.close())
  assert.deepEqual(world.partitionNames('/a'), ['t-0.*-delete'])
  const second = await world.open()
  await world.simulation.time.advance(100)
  assert.deepEqual(world.partitionNames('/a'), [])
  await world.run(second.close())
})

test('the topic id of a log is checked and an absent one is written', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  logs.getOrCreate('t', 0, null)
  assert.equal(world.host.disk.existsSync('/a/t-0/partition.metadata'), false)
  logs.getOrCreate('t', 0, topicId)
  assert.equal(logs.topicIdOf('t', 0), topicId)
  assert.throws(() => logs.getOrCreate('t', 0, otherTopicId), throwsCode(ErrorCode.INCONSISTENT_TOPIC_ID))
  logs.getOrCreate('t', 0, null)
  await world.run(logs.close())
})

test('logs that belong to no topic of the cluster are set aside', async () => {
  const world = new LogWorld()
  const first = await world.open()
  await world.run(append(first.getOrCreate('kept', 0, topicId), ['a']))
  await world.run(append(first.getOrCreate('again', 0, otherTopicId), ['b']))
  await world.run(append(first.getOrCreate('gone', 0, otherTopicId), ['c']))
  await world.run(first.close())
  const logs = await world.open()
  const strays = logs.reconcile((log) => log.topic !== 'gone' && log.topicId === topicId)
  assert.deepEqual(strays.map(({ topic }) => topic).toSorted(), ['again', 'gone'])
  assert.deepEqual(world.partitionNames('/a'), ['again-0.*-stray', 'gone-0.*-stray', 'kept-0'])
  assert.equal(logs.getOrCreate('again', 0, topicId).logEndOffset, 0n)
  await world.run(logs.close())
  const third = await world.open()
  assert.equal(third.size, 2)
  await world.run(third.close())
})

test('a crash of the system right after the creation may cost the topic id, never the start', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new LogWorld(seed)
    const first = await world.open()
    first.getOrCreate('t', 0, topicId)
    await world.run(append(first.getOrCreate('t', 1, topicId), ['a']))
    world.host.crash()
    const second = await world.open()
    for (const partition of [0, 1]) assert.equal(second.getOrCreate('t', partition, topicId).failure, null)
    assert.equal(second.topicIdOf('t', 0), topicId)
    await world.run(second.close())
  }
})

for (const kind of ['process', 'system'] as const)
  test(`a crash of the ${kind} while a topic is deleted and made again leaves the one or the other`, async () => {
    for (let seed = 1; seed <= 80; seed++) {
      const world = new LogWorld(seed)
      world.configs.set('t', { retentionMs: -1, flushMessages: 1, fileDeleteDelayMs: 5 })
      const first = await world.open()
      const old = first.getOrCreate('t', 0, topicId)
      for (let i = 0; i < 5; i++) await world.run(append(old, [`old${i}`]))
      old.deleteRecordsBefore(3n)
      // The checkpoints know the old log, its start too.
      await world.simulation.time.advance(100_000)
      let acknowledged = 0
      const recreate = async (): Promise<void> => {
        first.remove('t', 0)
        const fresh = first.getOrCreate('t', 0, otherTopicId)
        for (let i = 0; i < 10; i++) {
          await append(fresh, [`new${i}`])
          acknowledged++
        }
      }
      void recreate()
      await world.simulation.time.advance(world.simulation.random.next() * 40)
      if (kind === 'process') world.host.crashProcess()
      else world.host.crash()
      const again = await world.open()
      const found = again.get('t', 0)!
      const values = [...readAll(found).values()]
      if (again.topicIdOf('t', 0) === topicId) {
        assert.equal(acknowledged, 0, `seed ${seed}`)
        assert.deepEqual(values.slice(-2), ['old3', 'old4'], `seed ${seed}`)
      } else {
        assert.equal(again.topicIdOf('t', 0), otherTopicId, `seed ${seed}`)
        assert.ok(values.length >= acknowledged, `seed ${seed}: ${acknowledged} acknowledged, ${values.length} found`)
        assert.deepEqual(
          values,
          Array.from(values, (_, i) => `new${i}`),
          `seed ${seed}`,
        )
      }
      await world.simulation.time.advance(1000)
      assert.deepEqual(world.partitionNames('/a'), ['t-0'], `seed ${seed}`)
      await world.run(again.close())
    }
  })

test('DescribeLogDirs tells sizes, lags and space', async () => {
  const world = new LogWorld()
  const logs = await world.open({ directories: ['/a', '/b'] })
  const log = logs.getOrCreate('t', 0, topicId)
  await world.run(append(log, ['a', 'b']))
  logs.getOrCreate('t', 1, topicId)
  const [a, b] = await world.run(logs.directories())
  assert.deepEqual(a!.logs, [{ topic: 't', partition: 0, sizeBytes: log.sizeBytes, offsetLag: 0n, isFuture: false }])
  assert.ok(log.sizeBytes > 60)
  assert.equal(a!.totalBytes, 2n ** 40n)
  assert.ok(a!.usableBytes < a!.totalBytes && a!.usableBytes > 0n)
  assert.deepEqual([b!.path, b!.logs.length, a!.directoryId === b!.directoryId, a!.isCordoned], ['/b', 1, false, false])
  await world.run(logs.close())
})

test('a new configuration reaches the logs of its topic', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  const log = logs.getOrCreate('t', 0, topicId)
  const other = logs.getOrCreate('u', 0, topicId)
  world.configs.set('t', { retentionMs: 5 })
  world.configs.set('u', { retentionMs: 6 })
  logs.updateConfig('t')
  assert.deepEqual([log.config.retentionMs, other.config.retentionMs], [5, 7 * 24 * 3600 * 1000])
  logs.updateConfig()
  assert.equal(other.config.retentionMs, 6)
  await world.run(logs.close())
})

test('closing twice, or by dispose, is closing once', async () => {
  const world = new LogWorld()
  const logs = await world.open()
  const closing = logs.close(5n)
  await world.run(Promise.all([closing, logs.close(), logs[Symbol.asyncDispose]()]))
  assert.equal(world.text('/a/.kafka_cleanshutdown'), '{"version":0,"brokerEpoch":5}')
})
