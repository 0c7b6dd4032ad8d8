import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { DiskOperation } from '@millrace/runtime/testing'
import type { PartitionLog } from '../partition-log.ts'
import { append, LogWorld, otherTopicId, readAll, topicId } from './testing/log-world.ts'

const isStorageError = (error: unknown) => error instanceof KafkaError && error.code === ErrorCode.KAFKA_STORAGE_ERROR

async function twoDirectories(world: LogWorld) {
  const logs = await world.open({ directories: ['/a', '/b'] })
  const inA = logs.getOrCreate('t', 0, topicId)
  const inB = logs.getOrCreate('t', 1, topicId)
  assert.deepEqual([inA.directory, inB.directory], ['/a/t-0', '/b/t-1'])
  return { logs, inA, inB }
}

for (const code of ['EIO', 'ENOSPC'])
  test(`${code} on one append takes its directory offline, and the other goes on`, async () => {
    const world = new LogWorld()
    const { logs, inA, inB } = await twoDirectories(world)
    const alsoInA = logs.getOrCreate('u', 0, topicId)
    await world.run(Promise.all([append(inA, ['a']), append(inB, ['b']), append(alsoInA, ['c'])]))
    using _ = world.host.disk.fail({ operation: 'write', path: (path) => path.startsWith('/a/t-0/'), code })
    await assert.rejects(world.run(append(inA, ['lost'])))
    assert.deepEqual(
      world.failures.map(({ directory, lost, remaining }) => ({ directory, lost, remaining })),
      [
        {
          directory: '/a',
          lost: [
            { topic: 't', partition: 0 },
            { topic: 'u', partition: 0 },
          ],
          remaining: 1,
        },
      ],
    )
    assert.equal(logs.get('t', 0), undefined)
    assert.equal(logs.isLost('t', 0), true)
    assert.equal(logs.isLost('t', 1), false)
    await assert.rejects(() => append(alsoInA, ['no']), isStorageError)
    assert.throws(() => alsoInA.locate(0n, { maxBytes: 100, minOneBatch: true, upTo: 'log-end' }), isStorageError)
    assert.throws(() => logs.getOrCreate('t', 0, topicId), isStorageError)
    assert.throws(() => logs.getOrCreate('new', 0, topicId), isStorageError)
    assert.equal(logs.getOrCreate('new', 0, topicId, { isNew: true }).directory, '/b/new-0')
    // A new topic of a lost one's name.
    assert.equal(logs.getOrCreate('t', 0, otherTopicId, { isNew: true }).directory, '/b/t-0')
    assert.equal(logs.isLost('t', 0), false)
    await world.run(append(inB, ['goes on']))
    assert.deepEqual([...readAll(inB).values()], ['b', 'goes on'])
    assert.deepEqual(
      world.lines
        .filter(({ message }) => message.startsWith('Log directory failed'))
        .map(({ fields }) => fields['directory']),
      ['/a'],
    )
    await world.run(logs.close())
    assert.equal(world.host.disk.existsSync('/b/.kafka_cleanshutdown'), true)
    assert.equal(world.host.disk.existsSync('/a/.kafka_cleanshutdown'), false)
  })

test('a directory that fails under load loses nothing that was acknowledged, and comes back with the next start', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new LogWorld(seed)
    const { logs, inA, inB } = await twoDirectories(world)
    const acknowledged: Array<[PartitionLog, bigint, string]> = []
    const appendOne = async (log: PartitionLog, value: string): Promise<void> => {
      try {
        acknowledged.push([log, await append(log, [value]), value])
      } catch {
        // Not acknowledged.
      }
    }
    const load = async (log: PartitionLog): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        void appendOne(log, `${i}`)
        await world.host.clock.sleep(1)
      }
    }
    const failure = world.host.disk.fail({
      operation: 'any',
      path: (path) => path.startsWith('/a/'),
      code: 'EIO',
      probability: 0.02,
    })
    await world.run(Promise.all([load(inA), load(inB)]))
    failure[Symbol.dispose]()
    await world.run(logs.close())
    assert.ok(acknowledged.filter(([log]) => log === inB).length === 100)
    const again = await world.open({ directories: ['/a', '/b'] })
    for (const [log, offset, value] of acknowledged)
      assert.equal(readAll(again.get('t', log.partition)!).get(offset), value, `seed ${seed}`)
    await world.run(again.close())
  }
})

const backgroundFaults: Array<[string, DiskOperation, RegExp]> = [
  ['a checkpoint', 'write', /^\/a\/replication-offset-checkpoint/],
  ['the rename of a removed log', 'rename', /^\/a\/t-0$/],
  ['the removal of a deleted log', 'remove', /^\/a\/t-0.*-delete$/],
  ['the sync of the directory', 'sync', /^\/a$/],
  ['the sync of partition.metadata', 'sync', /^\/a\/u-0\/partition.metadata$/],
]
for (const [what, operation, path] of backgroundFaults)
  test(`a failure of ${what} takes the directory offline`, async () => {
    const world = new LogWorld()
    const { logs, inA, inB } = await twoDirectories(world)
    logs.getOrCreate('u', 0, topicId)
    await world.run(append(inA, ['a']))
    using _ = world.host.disk.fail({ operation, path: (name) => path.test(name), code: 'EIO' })
    logs.remove('t', 0)
    await world.simulation.time.advance(200_000)
    assert.deepEqual(
      world.failures.map(({ directory }) => directory),
      ['/a'],
    )
    await world.run(append(inB, ['goes on']))
    await world.run(logs.close())
  })

test('a directory that cannot take a new log is left for the next one', async () => {
  const world = new LogWorld()
  const logs = await world.open({ directories: ['/a', '/b'] })
  using _ = world.host.disk.fail({ operation: 'make-directory', path: (path) => path.startsWith('/a/'), code: 'EROFS' })
  assert.equal(logs.getOrCreate('t', 0, topicId).directory, '/b/t-0')
  assert.deepEqual(
    world.failures.map(({ directory }) => directory),
    ['/a'],
  )
  using __ = world.host.disk.fail({ operation: 'make-directory', code: 'EROFS' })
  assert.throws(() => logs.getOrCreate('t', 1, topicId, { isNew: true }), isStorageError)
  assert.equal(world.failures.at(-1)!.remaining, 0)
  await world.run(logs.close())
})
