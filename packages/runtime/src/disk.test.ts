/** What every disk must do, whichever it is. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { Disk } from './disk.ts'
import { MemoryDisk } from './memory/memory-disk.ts'
import { NodeDisk } from './node/node-disk.ts'
import { simulation } from './testing/index.ts'

interface World extends AsyncDisposable {
  readonly disk: Disk
  /** An existing directory. */
  readonly directory: string
  readonly run: <T>(promise: Promise<T>) => Promise<T>
}

const worlds: Record<string, () => World> = {
  node: () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
    return {
      disk: new NodeDisk(),
      directory,
      run: (promise) => promise,
      [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true }),
    }
  },
  memory: () => {
    const disk = new MemoryDisk({ capacityBytes: 1 << 30 })
    disk.makeDirectorySync('/data')
    return { disk, directory: '/data', run: (promise) => promise, [Symbol.asyncDispose]: async () => {} }
  },
  simulated: () => {
    const world = simulation(7)
    const disk = world.disk()
    disk.makeDirectorySync('/data')
    return {
      disk,
      directory: '/data',
      run: (promise) => world.time.run(promise),
      [Symbol.asyncDispose]: async () => {},
    }
  },
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (content: Uint8Array): string => new TextDecoder().decode(content)
const withCode = (code: string) => (error: NodeJS.ErrnoException) => error.code === code

for (const [name, open] of Object.entries(worlds)) {
  test(`${name}: a file reads as an array of bytes written in any order and form`, async () => {
    await using world = open()
    const { disk, directory, run } = world
    const operation = fc.oneof(
      fc.record({
        write: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
        at: fc.oneof(fc.nat(500), fc.nat(200_000)),
        sync: fc.boolean(),
      }),
      fc.record({ truncate: fc.oneof(fc.nat(600), fc.nat(200_000)) }),
      fc.record({ read: fc.nat(1000), at: fc.oneof(fc.nat(600), fc.nat(200_000)), sync: fc.boolean() }),
    )
    let number = 0
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
        const file = disk.openSync(`${directory}/${number++}`, 'create')
        let model = Buffer.alloc(0)
        for (const step of operations) {
          if ('write' in step) {
            const content = Buffer.concat(step.write)
            if (step.sync) file.writeSync(step.write, step.at)
            else await run(file.write(step.write, step.at))
            if (content.length === 0) continue
            const grown = Buffer.alloc(Math.max(model.length, step.at + content.length))
            model.copy(grown)
            content.copy(grown, step.at)
            model = grown
          } else if ('truncate' in step) {
            file.truncateSync(step.truncate)
            const cut = Buffer.alloc(step.truncate)
            model.copy(cut)
            model = cut
          } else {
            const into = Buffer.alloc(step.read, 0xaa)
            const length = step.sync ? file.readSync(into, step.at) : await run(file.read(into, step.at))
            const expected = model.subarray(step.at, step.at + step.read)
            assert.equal(length, expected.length)
            assert.ok(expected.equals(into.subarray(0, length)))
          }
          assert.equal(file.sizeSync(), model.length)
        }
        await run(file.sync())
        file.syncSync()
        file.closeSync()
        file.closeSync()
        assert.ok(model.equals(disk.readFileSync(file.path)))
      }),
      { numRuns: 30 },
    )
  })

  test(`${name}: more buffers than one system call takes are written in order`, async () => {
    await using world = open()
    const { disk, directory, run } = world
    const buffers = Array.from({ length: 2500 }, (_, i) => Uint8Array.of(i & 0xff, i >> 8).subarray(0, i % 3))
    const expected = Buffer.concat(buffers)
    for (const sync of [true, false]) {
      const file = disk.openSync(`${directory}/f-${sync}`, 'create')
      if (sync) file.writeSync(buffers, 0)
      else await run(file.write(buffers, 0))
      assert.ok(expected.equals(disk.readFileSync(file.path)))
      file.closeSync()
    }
  })

  test(`${name}: open modes`, async () => {
    await using world = open()
    const { disk, directory } = world
    const path = `${directory}/file`
    assert.throws(() => disk.openSync(path, 'read'), withCode('ENOENT'))
    assert.throws(() => disk.openSync(path, 'write'), withCode('ENOENT'))
    assert.throws(() => disk.openSync(`${directory}/absent/file`, 'create'), withCode('ENOENT'))
    const created = disk.openSync(path, 'create')
    created.writeSync([bytes('hello')], 0)
    created.closeSync()
    assert.throws(() => created.readSync(new Uint8Array(1), 0), withCode('EBADF'))
    const again = disk.openSync(path, 'create')
    assert.equal(again.sizeSync(), 5, 'create keeps what is there')
    again.closeSync()
    const reader = disk.openSync(path, 'read')
    assert.throws(() => reader.writeSync([bytes('x')], 0), withCode('EBADF'))
    reader.closeSync()
    const writer = disk.openSync(path, 'write')
    writer.writeSync([bytes('J')], 0)
    writer.closeSync()
    assert.equal(text(disk.readFileSync(path)), 'Jello')
  })

  test(`${name}: directories, names and status`, async () => {
    await using world = open()
    const { disk, directory, run } = world
    const deep = `${directory}/a/b`
    disk.makeDirectorySync(deep)
    disk.makeDirectorySync(deep)
    disk.openSync(`${deep}/one`, 'create').closeSync()
    const two = disk.openSync(`${deep}/two`, 'create')
    two.writeSync([bytes('22')], 0)
    assert.deepEqual(
      disk.listSync(deep).toSorted((x, y) => (x.name < y.name ? -1 : 1)),
      [
        { name: 'one', isDirectory: false },
        { name: 'two', isDirectory: false },
      ],
    )
    assert.deepEqual(disk.listSync(directory), [{ name: 'a', isDirectory: true }])
    assert.throws(() => disk.listSync(`${directory}/absent`), withCode('ENOENT'))
    assert.equal(disk.statusSync(`${deep}/two`)?.sizeBytes, 2)
    disk.setModifiedSync(`${deep}/two`, 1_600_000_000_123)
    assert.equal(Math.round(disk.statusSync(`${deep}/two`)!.modifiedMs), 1_600_000_000_123)
    assert.throws(() => disk.setModifiedSync(`${deep}/absent`, 1), { code: 'ENOENT' })
    assert.equal(disk.statusSync(deep)?.isDirectory, true)
    assert.equal(disk.statusSync(`${deep}/absent`), null)

    disk.renameSync(`${deep}/two`, `${deep}/one`)
    assert.equal(text(disk.readFileSync(`${deep}/one`)), '22', 'rename replaces')
    assert.ok(!disk.existsSync(`${deep}/two`))
    two.writeSync([bytes('3')], 1)
    assert.equal(text(disk.readFileSync(`${deep}/one`)), '23', 'an open file follows its rename')
    two.closeSync()
    disk.renameSync(`${directory}/a`, `${directory}/c`)
    assert.ok(disk.existsSync(`${directory}/c/b/one`))
    assert.throws(() => disk.renameSync(`${directory}/a`, `${directory}/d`), withCode('ENOENT'))

    disk.syncDirectorySync(`${directory}/c/b`)
    disk.removeSync(`${directory}/c/b/one`)
    disk.removeSync(`${directory}/c/b/one`)
    assert.deepEqual(disk.listSync(`${directory}/c/b`), [])
    await run(disk.removeTree(`${directory}/c`))
    await run(disk.removeTree(`${directory}/c`))
    assert.ok(!disk.existsSync(`${directory}/c`))
    const space = await run(disk.space(directory))
    assert.ok(space.usableBytes > 0 && space.totalBytes >= space.usableBytes)
  })

  test(`${name}: a file removed while open can still be read`, async () => {
    await using world = open()
    const { disk, directory } = world
    const file = disk.openSync(`${directory}/f`, 'create')
    file.writeSync([bytes('still')], 0)
    disk.removeSync(file.path)
    const into = new Uint8Array(5)
    file.readSync(into, 0)
    assert.equal(text(into), 'still')
    file.closeSync()
  })

  test(`${name}: replacing a file leaves the last content and no trace`, async () => {
    await using world = open()
    const { disk, directory, run } = world
    const path = `${directory}/checkpoint`
    disk.replaceFileSync(path, bytes('a longer first content'))
    disk.replaceFileSync(path, bytes('second'))
    assert.equal(text(disk.readFileSync(path)), 'second')
    await run(Promise.all([disk.replaceFile(path, bytes('third, and long')), disk.replaceFile(path, bytes('fourth'))]))
    assert.match(text(disk.readFileSync(path)), name === 'simulated' ? /^(third, and long|fourth)$/ : /^fourth$/)
    assert.deepEqual(disk.listSync(directory), [{ name: 'checkpoint', isDirectory: false }])
    await assert.rejects(run(disk.replaceFile(`${directory}/absent/x`, bytes('y'))), withCode('ENOENT'))
  })

  test(`${name}: a lock excludes others until it is released`, async () => {
    await using world = open()
    const { disk, directory } = world
    const lock = disk.tryLock(`${directory}/.lock`)
    assert.ok(lock !== null)
    assert.equal(disk.tryLock(`${directory}/.lock`), null)
    lock[Symbol.dispose]()
    const again = disk.tryLock(`${directory}/.lock`)
    assert.ok(again !== null)
    lock[Symbol.dispose]()
    assert.equal(disk.tryLock(`${directory}/.lock`), null, 'releasing twice does not release the next owner')
    again[Symbol.dispose]()
    assert.deepEqual(disk.listSync(directory), [])
  })
}
