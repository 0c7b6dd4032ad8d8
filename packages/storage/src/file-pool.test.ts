import { test } from 'node:test'
import assert from 'node:assert/strict'
import { MemoryDisk, type DiskFile, type OpenMode } from '@millrace/runtime'
import fc from 'fast-check'
import { FilePool } from './file-pool.ts'

class CountingDisk extends MemoryDisk {
  open = 0
  most = 0
  override openSync(path: string, mode: OpenMode): DiskFile {
    const file = super.openSync(path, mode)
    this.open++
    this.most = Math.max(this.most, this.open)
    const close = file.closeSync.bind(file)
    let isOpen = true
    file.closeSync = () => {
      if (isOpen) this.open--
      isOpen = false
      close()
    }
    return file
  }
}

function setUp(maxOpenFiles: number) {
  const disk = new CountingDisk()
  disk.makeDirectorySync('/d')
  return { disk, pool: new FilePool({ disk, maxOpenFiles }) }
}

const one = (value: number): Uint8Array => Uint8Array.of(value)

test('nothing is opened before the first use', () => {
  const { disk, pool } = setUp(2)
  const file = pool.file('/d/a', 'create')
  assert.equal(disk.existsSync('/d/a'), false)
  file.writeSync([one(1)], 0)
  assert.equal(disk.existsSync('/d/a'), true)
})

test('the file used longest ago is closed first', () => {
  const { pool } = setUp(2)
  const [a, b, c] = ['a', 'b', 'c'].map((name) => pool.file(`/d/${name}`, 'create'))
  a!.writeSync([one(1)], 0)
  b!.writeSync([one(2)], 0)
  a!.readSync(new Uint8Array(1), 0)
  c!.writeSync([one(3)], 0)
  assert.deepEqual([a!.isOpen, b!.isOpen, c!.isOpen], [true, false, true])
  const read = new Uint8Array(1)
  b!.readSync(read, 0)
  assert.deepEqual([...read], [2])
  assert.equal(a!.isOpen, false)
})

test('a pinned file stays open; what is over the bound closes when pins go', () => {
  const { disk, pool } = setUp(1)
  const a = pool.file('/d/a', 'create')
  const b = pool.file('/d/b', 'create')
  const pinned = a.pin()
  b.pin()
  assert.equal(pool.openFiles, 2)
  pinned.writeSync([one(1)], 0)
  b.unpin()
  assert.equal(pool.openFiles, 1)
  assert.equal(b.isOpen, false)
  a.unpin()
  assert.equal(disk.open, 1)
})

test('close waits for the pins', () => {
  const { disk, pool } = setUp(4)
  const a = pool.file('/d/a', 'create')
  const first = a.pin()
  a.pin()
  a.close()
  a.close()
  first.writeSync([one(1)], 0)
  a.unpin()
  assert.equal(a.isOpen, true)
  a.unpin()
  assert.equal(a.isOpen, false)
  assert.equal(disk.open, 0)
})

test('a file asked to close and used again before its pins went still closes', () => {
  const { disk, pool } = setUp(4)
  const a = pool.file('/d/a', 'create')
  a.pin()
  a.close()
  a.writeSync([one(1)], 0)
  assert.equal(disk.open, 1)
  a.unpin()
  assert.equal(disk.open, 0)
})

test('a file is found under its new name after a rename, open or not', () => {
  for (const maxOpenFiles of [1, 8]) {
    const { disk, pool } = setUp(maxOpenFiles)
    const a = pool.file('/d/a', 'create')
    a.writeSync([one(7)], 0)
    pool.file('/d/other', 'create').writeSync([one(0)], 0)
    disk.renameSync('/d/a', '/d/b')
    a.moved('/d/b')
    const read = new Uint8Array(1)
    assert.equal(a.readSync(read, 0), 1)
    assert.deepEqual([...read], [7])
  }
})

test('a file that cannot be opened is not pinned and counts for nothing', () => {
  const { pool } = setUp(1)
  const absent = pool.file('/d/absent', 'read')
  assert.throws(() => absent.readSync(new Uint8Array(1), 0), { code: 'ENOENT' })
  assert.throws(() => pool.withFile('/d/absent', 'read', () => 0), { code: 'ENOENT' })
  assert.equal(pool.openFiles, 0)
})

test('whatever the order of uses, the bound holds and content is what was written', () => {
  const step = fc.tuple(fc.nat(9), fc.constantFrom('use', 'pin', 'unpin', 'close'))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 80 }), (bound, steps) => {
      const { disk, pool } = setUp(bound)
      const files = Array.from({ length: 10 }, (_, index) => pool.file(`/d/${index}`, 'create'))
      const pins = Array.from({ length: 10 }, () => 0)
      for (const [index, action] of steps) {
        const file = files[index]!
        if (action === 'use') {
          file.writeSync([one(index)], 0)
          const read = new Uint8Array(1)
          file.readSync(read, 0)
          assert.equal(read[0], index)
        } else if (action === 'pin') {
          file.pin()
          pins[index]!++
        } else if (action === 'unpin' && pins[index]! > 0) {
          file.unpin()
          pins[index]!--
        } else if (action === 'close') file.close()
        const pinned = pins.filter((count) => count > 0).length
        assert.equal(pool.openFiles, disk.open)
        assert.ok(disk.open <= Math.max(bound, pinned), `${disk.open} open, bound ${bound}, ${pinned} pinned`)
      }
      pins.forEach((count, index) => {
        for (let i = 0; i < count; i++) files[index]!.unpin()
      })
      for (const file of files) file.close()
      assert.equal(disk.open, 0)
    }),
  )
})

test('asynchronous operations wait for a descriptor and all come through', async () => {
  const { disk, pool } = setUp(3)
  const files = Array.from({ length: 50 }, (_, index) => pool.file(`/d/${index}`, 'create'))
  await Promise.all(files.map((file, index) => file.write([one(index)], 0)))
  assert.equal(disk.most, 3)
  const read = files.map(() => new Uint8Array(1))
  await Promise.all(files.map((file, index) => Promise.all([file.read(read[index]!, 0), file.sync()])))
  assert.equal(disk.most, 3)
  assert.deepEqual(
    read.map(([value]) => value),
    files.map((_, index) => index),
  )
})

test('when the process runs out of descriptors, unused ones are given up', () => {
  const disk = new CountingDisk()
  disk.makeDirectorySync('/d')
  const limited = new Proxy(disk, {
    get(target, name) {
      if (name === 'openSync')
        return (path: string, mode: OpenMode) => {
          if (target.open >= 10) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
          return target.openSync(path, mode)
        }
      return Reflect.get(target, name, target) as unknown
    },
  })
  const pool = new FilePool({ disk: limited, maxOpenFiles: 1000 })
  const files = Array.from({ length: 40 }, (_, index) => pool.file(`/d/${index}`, 'create'))
  for (const file of files) file.writeSync([one(1)], 0)
  assert.ok(disk.open <= 10)
  const pinned = files.slice(0, 10).map((file) => file.pin())
  assert.equal(pinned.length, 10)
  assert.throws(() => files[20]!.sizeSync(), { code: 'EMFILE' })
})
