import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Disk } from '../disk.ts'
import { simulation } from './index.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (disk: Disk, path: string): string => new TextDecoder().decode(disk.readFileSync(path))

function newDisk(seed = 1): SimulatedDisk {
  return simulation(seed).disk()
}

function write(disk: Disk, path: string, text: string, options: { sync: boolean }): void {
  const file = disk.openSync(path, 'create')
  file.writeSync([bytes(text)], file.sizeSync())
  if (options.sync) file.syncSync()
  file.closeSync()
}

/** Counts by outcome over many seeds. */
function outcomes(run: (seed: number) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (let seed = 0; seed < 200; seed++) {
    const outcome = run(seed)
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  return counts
}

test('a crash loses content that was not synced, and keeps what was', () => {
  const disk = newDisk()
  write(disk, '/f', 'synced', { sync: true })
  disk.syncDirectorySync('/')
  write(disk, '/f', ' and not', { sync: false })
  assert.equal(textOf(disk, '/f'), 'synced and not')
  disk.crash('nothing')
  assert.equal(textOf(disk, '/f'), 'synced')
})

test('a crash loses a name whose directory was not synced, though the file was', () => {
  const disk = newDisk()
  write(disk, '/f', 'synced', { sync: true })
  disk.crash('nothing')
  assert.ok(!disk.existsSync('/f'))
})

test('a crash undoes a rename and a removal that were not synced', () => {
  const disk = newDisk()
  disk.makeDirectorySync('/d')
  write(disk, '/d/old', 'old', { sync: true })
  write(disk, '/d/gone', 'gone', { sync: true })
  disk.syncDirectorySync('/')
  disk.syncDirectorySync('/d')
  write(disk, '/d/new', 'new', { sync: true })
  disk.renameSync('/d/new', '/d/old')
  disk.removeSync('/d/gone')
  disk.crash('nothing')
  assert.deepEqual(
    disk.listSync('/d').map((entry) => entry.name),
    ['old', 'gone'],
  )
  assert.equal(textOf(disk, '/d/old'), 'old')
})

test('replaceFile survives a crash as a whole', () => {
  const disk = newDisk()
  disk.replaceFileSync('/checkpoint', bytes('first'))
  disk.replaceFileSync('/checkpoint', bytes('second'))
  disk.crash('nothing')
  assert.equal(textOf(disk, '/checkpoint'), 'second')
})

test('by the seed a crash keeps, tears or loses what was not synced, and what survives was written', () => {
  const counts = outcomes((seed) => {
    const disk = newDisk(seed)
    write(disk, '/f', 'base.', { sync: true })
    disk.syncDirectorySync('/')
    const file = disk.openSync('/f', 'write')
    file.writeSync([bytes('AAAA')], 5)
    file.writeSync([bytes('BBBB')], 9)
    disk.crash()
    return textOf(disk, '/f')
  })
  assert.ok(counts.has('base.AAAABBBB') && counts.has('base.') && counts.has('base.AAAA'), 'whole writes')
  assert.ok(counts.has('base.AAAAB') && counts.has('base.AA'), 'torn ones')
  assert.ok(counts.has('base.\0\0\0\0BBBB'), 'a later one without the earlier')
  for (const outcome of counts.keys()) assert.match(outcome, /^base\.(AAAA|A{0,3}$|\0{4}|A{1,3}\0+)(B{0,4})$/)
})

test('directory operations survive in their order', () => {
  const counts = outcomes((seed) => {
    const disk = newDisk(seed)
    for (const name of ['a', 'b', 'c']) write(disk, `/${name}`, '', { sync: true })
    disk.renameSync('/a', '/d')
    disk.crash()
    return disk
      .listSync('/')
      .map((entry) => entry.name)
      .join('')
  })
  assert.deepEqual([...counts.keys()].toSorted(), ['', 'a', 'ab', 'abc', 'bcd'])
})

test('syncing the target of a rename makes durable what it builds on', () => {
  const disk = newDisk()
  disk.makeDirectorySync('/from')
  disk.makeDirectorySync('/to')
  disk.syncDirectorySync('/')
  write(disk, '/from/f', 'x', { sync: true })
  disk.renameSync('/from/f', '/to/f')
  disk.syncDirectorySync('/to')
  disk.crash('nothing')
  assert.equal(textOf(disk, '/to/f'), 'x')
  assert.ok(!disk.existsSync('/from/f'))
})

test('a process crash keeps completed writes, tears those under way, and ends open files and locks', async () => {
  const counts = outcomes((seed) => {
    const disk = newDisk(seed)
    const file = disk.openSync('/f', 'create')
    file.writeSync([bytes('done.')], 0)
    const boot = disk.bootId()
    assert.ok(disk.tryLock('/lock') !== null)
    void file.write([bytes('under'), bytes('way')], 5).then(() => assert.fail('it never ends'))
    disk.crashProcess()
    assert.equal(disk.bootId(), boot)
    assert.throws(() => file.sizeSync(), { code: 'EBADF' })
    assert.ok(disk.tryLock('/lock') !== null)
    return textOf(disk, '/f')
  })
  for (const outcome of counts.keys()) assert.ok('done.underway'.startsWith(outcome) && outcome.length >= 5, outcome)
  assert.equal(counts.size, 9)
})

test('a machine crash changes the boot id', () => {
  const disk = newDisk()
  const boot = disk.bootId()
  disk.crash()
  assert.notEqual(disk.bootId(), boot)
})

test('faults are injected by operation, path, number and chance, and end when disposed', () => {
  const disk = newDisk()
  write(disk, '/f', 'x', { sync: true })
  const file = disk.openSync('/f', 'write')
  disk.fail({ operation: 'read', code: 'EIO', times: 1, path: (path) => path === '/f' })
  assert.throws(() => file.readSync(new Uint8Array(1), 0), { code: 'EIO', path: '/f' })
  assert.equal(file.readSync(new Uint8Array(1), 0), 1)
  {
    using _ = disk.fail({ operation: 'any', code: 'EROFS' })
    assert.throws(() => file.writeSync([bytes('y')], 0), { code: 'EROFS' })
    assert.throws(() => disk.openSync('/g', 'create'), { code: 'EROFS' })
  }
  disk.openSync('/g', 'create')
  disk.fail({ operation: 'sync', code: 'EIO', probability: 0.5 })
  let failures = 0
  for (let i = 0; i < 100; i++) {
    try {
      file.syncSync()
    } catch {
      failures++
    }
  }
  assert.ok(failures > 20 && failures < 80)
})

test('what a failed sync should have made durable is not, even after a later sync that works', () => {
  const disk = newDisk()
  write(disk, '/f', '', { sync: true })
  disk.syncDirectorySync('/')
  const file = disk.openSync('/f', 'write')
  file.writeSync([bytes('lost')], 0)
  disk.fail({ operation: 'sync', code: 'EIO', times: 1 })
  assert.throws(() => file.syncSync(), { code: 'EIO' })
  file.syncSync()
  assert.equal(textOf(disk, '/f'), 'lost')
  disk.crash('nothing')
  assert.equal(textOf(disk, '/f'), '')
})

test('a full disk takes what fits, and says ENOSPC', async () => {
  const world = simulation(1)
  const disk = world.disk()
  disk.capacityBytes = 10
  const file = disk.openSync('/f', 'create')
  file.writeSync([bytes('12345678')], 0)
  assert.throws(() => file.writeSync([bytes('9abc')], 8), { code: 'ENOSPC' })
  assert.equal(file.sizeSync(), 10)
  file.writeSync([bytes('over')], 0)
  await assert.rejects(world.time.run(file.write([bytes('d')], 10)), { code: 'ENOSPC' })
  assert.deepEqual(await world.time.run(disk.space('/')), { totalBytes: 10, usableBytes: 0 })
  file.truncateSync(5)
  file.writeSync([bytes('abcd')], 5)
})

test('a sync covers what was written before it began', async () => {
  const world = simulation(5)
  const disk = world.disk()
  const file = disk.openSync('/f', 'create')
  disk.syncDirectorySync('/')
  file.writeSync([bytes('before')], 0)
  const syncs = [file.sync(), file.sync()]
  file.writeSync([bytes('after')], 6)
  await world.time.run(Promise.all(syncs))
  disk.crash('nothing')
  assert.equal(textOf(disk, '/f'), 'before')
})

test('the same seed gives the same world', async () => {
  const run = async (seed: number): Promise<string> => {
    const world = simulation(seed)
    const { disk, clock, random } = world.host('a')
    const file = disk.openSync('/f', 'create')
    disk.fail({ operation: 'write', code: 'EIO', probability: 0.3 })
    const log: unknown[] = []
    for (let i = 0; i < 30; i++) {
      const content = random.bytes(1 + random.integer(50))
      await world.time.run(file.write([content], i * 20).catch((error: NodeJS.ErrnoException) => log.push(error.code)))
      log.push(clock.monotonicMs())
    }
    disk.crash()
    log.push(disk.existsSync('/f') ? Buffer.from(disk.readFileSync('/f')).toString('hex') : null)
    return JSON.stringify(log)
  }
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      assert.equal(await run(seed), await run(seed))
      assert.notEqual(await run(seed), await run(seed + 1))
    }),
    { numRuns: 10 },
  )
})
