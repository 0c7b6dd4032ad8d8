import { test } from 'node:test'
import assert from 'node:assert/strict'
import { MemoryDisk } from '@millrace/runtime'
import { simulation } from '@millrace/runtime/testing'
import fc from 'fast-check'
import { isSameBoot, writeBootMarker } from './boot-marker.ts'
import { takeCleanShutdownMarker, writeCleanShutdownMarker } from './clean-shutdown-marker.ts'
import { decodeOffsetCheckpoint, encodeOffsetCheckpoint, OffsetCheckpoint } from './offset-checkpoint.ts'
import {
  decodePartitionMetadata,
  encodePartitionMetadata,
  MalformedPartitionMetadataError,
  writePartitionMetadata,
} from './partition-metadata.ts'
import { CorruptCheckpointError } from '../text-checkpoint.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

function diskWith(files: Readonly<Record<string, string>>): MemoryDisk {
  const disk = new MemoryDisk()
  disk.makeDirectorySync('/d')
  for (const [name, content] of Object.entries(files)) disk.replaceFileSync(`/d/${name}`, bytes(content))
  return disk
}

test('the clean-shutdown marker has these bytes and is taken once', () => {
  const disk = diskWith({})
  writeCleanShutdownMarker(disk, '/d', 9007199254740993n)
  assert.equal(text(disk.readFileSync('/d/.kafka_cleanshutdown')), '{"version":0,"brokerEpoch":9007199254740993}')
  assert.deepEqual(takeCleanShutdownMarker(disk, '/d'), { brokerEpoch: 9007199254740993n })
  assert.equal(takeCleanShutdownMarker(disk, '/d'), null)
})

test('an empty marker, as old Kafkas wrote it, is a clean stop without an epoch', () => {
  const disk = diskWith({ '.kafka_cleanshutdown': '' })
  assert.deepEqual(takeCleanShutdownMarker(disk, '/d'), { brokerEpoch: null })
})

test('the boot marker tells a crash of the process from one of the system', () => {
  class Rebootable extends MemoryDisk {
    boot: string | null = 'boot-1'
    override bootId(): string {
      return this.boot as string
    }
  }
  const disk = new Rebootable()
  disk.makeDirectorySync('/d')
  assert.equal(isSameBoot(disk, '/d'), false)
  writeBootMarker(disk, '/d')
  assert.equal(text(disk.readFileSync('/d/.millrace-boot')), 'boot-1\n')
  assert.equal(isSameBoot(disk, '/d'), true)
  disk.boot = 'boot-2'
  assert.equal(isSameBoot(disk, '/d'), false)
  disk.boot = null
  assert.equal(isSameBoot(disk, '/d'), false)
  writeBootMarker(disk, '/d')
  assert.equal(disk.existsSync('/d/.millrace-boot'), false)
})

const topicId = 'Kz4yv2W1T8qY0AbCdEfGhA'

test('partition.metadata has these bytes', () => {
  assert.equal(text(encodePartitionMetadata(topicId)), `version: 0\ntopic_id: ${topicId}`)
})

test('partition.metadata is read from newer versions and with a line end', () => {
  assert.equal(decodePartitionMetadata(bytes(`version: 0\ntopic_id: ${topicId}`), 'p'), topicId)
  assert.equal(decodePartitionMetadata(bytes(`version: 1\ntopic_id: ${topicId}\n`), 'p'), topicId)
})

test('a torn, empty or foreign partition.metadata is a known error', () => {
  const whole = `version: 0\ntopic_id: ${topicId}`
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => decodePartitionMetadata(bytes(whole.slice(0, length)), 'p'), MalformedPartitionMetadataError)
  assert.throws(() => decodePartitionMetadata(bytes('version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA'), 'p'), /zero/)
})

test('partition.metadata replaces a longer one', () => {
  const disk = diskWith({ 'partition.metadata': `version: 0\ntopic_id: ${topicId}\nmore and more\n` })
  writePartitionMetadata(disk, '/d', topicId)
  assert.equal(text(disk.readFileSync('/d/partition.metadata')), `version: 0\ntopic_id: ${topicId}`)
})

test('an offset checkpoint has these bytes', () => {
  const offsets = new Map([
    ['a 0', 12n],
    ['b.c-d 41', 9223372036854775807n],
  ])
  assert.equal(text(encodeOffsetCheckpoint(offsets)), '0\n2\na 0 12\nb.c-d 41 9223372036854775807\n')
  assert.equal(text(encodeOffsetCheckpoint(new Map())), '0\n0\n')
  assert.equal(decodeOffsetCheckpoint(new Uint8Array(0), 'p').size, 0)
})

test('offset checkpoints are read back as written', () => {
  const key = fc.tuple(fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/), fc.nat()).map(([topic, n]) => `${topic} ${n}`)
  const entries = fc.array(fc.tuple(key, fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })))
  fc.assert(
    fc.property(entries, (list) => {
      const offsets = new Map(list)
      assert.deepEqual(decodeOffsetCheckpoint(encodeOffsetCheckpoint(offsets), 'p'), offsets)
    }),
  )
})

test('every cut of an offset checkpoint but the last line end is noticed', () => {
  const whole = '0\n3\na 0 12\na 1 5\nb 0 777\n'
  for (let length = 1; length < whole.length - 4; length++)
    assert.throws(() => decodeOffsetCheckpoint(bytes(whole.slice(0, length)), 'p'), CorruptCheckpointError, `${length}`)
})

test('a checkpoint file is only written when it would change', async () => {
  const disk = diskWith({ c: '0\n1\na 0 12\n' })
  const checkpoint = new OffsetCheckpoint(disk, '/d/c')
  assert.deepEqual(checkpoint.read(), new Map([['a 0', 12n]]))
  assert.equal(await checkpoint.write(() => new Map([['a 0', 12n]])), false)
  assert.equal(await checkpoint.write(() => new Map([['a 0', 13n]])), true)
  assert.equal(text(disk.readFileSync('/d/c')), '0\n1\na 0 13\n')
})

test('a checkpoint whose write failed is written again with the same offsets', () => {
  const disk = simulation(1).disk()
  disk.makeDirectorySync('/d')
  const checkpoint = new OffsetCheckpoint(disk, '/d/c')
  const offsets = new Map([['a 0', 1n]])
  disk.fail({ operation: 'rename', code: 'ENOSPC', times: 1 })
  assert.throws(() => checkpoint.writeNow(offsets), { code: 'ENOSPC' })
  assert.equal(checkpoint.mentions('a 0'), false)
  checkpoint.writeNow(offsets)
  assert.deepEqual(new OffsetCheckpoint(disk, '/d/c').read(), offsets)
})

test('a write that is overtaken comes to nothing', async () => {
  const world = simulation(1)
  const disk = world.disk()
  disk.makeDirectorySync('/d')
  const checkpoint = new OffsetCheckpoint(disk, '/d/c')
  const slow = checkpoint.write(() => new Map([['old 0', 1n]]))
  await Promise.resolve()
  assert.equal(checkpoint.mentions('old 0'), true)
  checkpoint.writeNow(new Map([['new 0', 2n]]))
  assert.equal(await world.time.run(slow), false)
  assert.equal(checkpoint.mentions('old 0'), false)
  assert.equal(text(disk.readFileSync('/d/c')), '0\n1\nnew 0 2\n')
  assert.deepEqual(
    disk.listSync('/d').map(({ name }) => name),
    ['c'],
  )
  assert.equal(await world.time.run(checkpoint.write(() => new Map([['newer 0', 3n]]))), true)
})

test('whatever the moment of a crash, the old offsets or the new are there', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const world = simulation(seed)
    const disk = world.disk()
    disk.makeDirectorySync('/d')
    disk.syncDirectorySync('/')
    const checkpoint = new OffsetCheckpoint(disk, '/d/c')
    checkpoint.writeNow(new Map([['a 0', 1n]]))
    void checkpoint.write(() => new Map([['a 0', 2n]]))
    await world.time.advance(world.random.next() * 8)
    disk.crash()
    const found = new OffsetCheckpoint(disk, '/d/c').read().get('a 0')
    assert.ok(found === 1n || found === 2n, `seed ${seed}: ${found}`)
  }
})
