import { test } from 'node:test'
import assert from 'node:assert/strict'
import { MemoryDisk } from '@millrace/runtime'
import {
  decodeMetaProperties,
  encodeMetaProperties,
  ForeignDirectoryError,
  newDirectoryId,
  readMetaProperties,
  verifyMetaProperties,
  writeMetaProperties,
  type MetaProperties,
} from './meta-properties.ts'
import { seededRandom } from './testing/seeded-random.ts'

const id = 'Kz4yv2W1T8qY0AbCdEfGhA'
const own: MetaProperties = { version: 1, clusterId: 'kraft-cluster_1', nodeId: 7, directoryId: id }

test('version 1 has these bytes', () => {
  assert.equal(
    new TextDecoder().decode(encodeMetaProperties(own)),
    `version=1\ncluster.id=kraft-cluster_1\nnode.id=7\ndirectory.id=${id}\n`,
  )
})

test('what Java wrote is read: comments, spaces, escapes, any order', () => {
  const text = `#\n#Thu Nov 20 10:00:00 UTC 2026\r\nnode.id = 7\r\n! note\ndirectory.id:${id}\nversion 1\ncluster.id=kraft\\-cluster_\\u0031\n`
  assert.deepEqual(decodeMetaProperties(text, 'p'), own)
})

test('version 0 calls the node a broker and may say nothing', () => {
  assert.deepEqual(decodeMetaProperties('broker.id=3\n', 'p'), {
    version: 0,
    clusterId: null,
    nodeId: 3,
    directoryId: null,
  })
  assert.deepEqual(decodeMetaProperties('', 'p'), { version: 0, clusterId: null, nodeId: null, directoryId: null })
  assert.equal(
    new TextDecoder().decode(encodeMetaProperties({ version: 0, clusterId: 'c', nodeId: 3, directoryId: null })),
    'version=0\ncluster.id=c\nbroker.id=3\n',
  )
})

test('malformed files name the key that is wrong', () => {
  assert.throws(() => decodeMetaProperties('version=2', 'dir/x'), /dir\/x: expected version 0 or 1, got "2"/)
  assert.throws(() => decodeMetaProperties('version=1\nnode.id=1', 'x'), /cluster.id is missing/)
  assert.throws(() => decodeMetaProperties('version=1\ncluster.id=a', 'x'), /node.id is missing/)
  assert.throws(
    () => decodeMetaProperties('version=1\ncluster.id=a\nnode.id=one', 'x'),
    /number for node.id, got "one"/,
  )
  assert.throws(() => decodeMetaProperties('directory.id=short', 'x'), /22 base64url characters/)
})

test('a file is written, read back and absent where there is none', () => {
  const disk = new MemoryDisk()
  disk.makeDirectorySync('/data')
  assert.equal(readMetaProperties(disk, '/data'), null)
  writeMetaProperties(disk, '/data', own)
  assert.deepEqual(readMetaProperties(disk, '/data'), own)
})

test('directories of another cluster, node or owner are refused by name', () => {
  const verify = (...found: Array<MetaProperties | null>) =>
    verifyMetaProperties(new Map(found.map((properties, index) => [`/d${index}`, properties])), {
      clusterId: 'kraft-cluster_1',
      nodeId: 7,
    })
  verify(own, null, { version: 0, clusterId: null, nodeId: null, directoryId: null })
  assert.throws(
    () => verify(null, { ...own, clusterId: 'other' }),
    (error) =>
      error instanceof ForeignDirectoryError &&
      error.message.includes('/d1/meta.properties: expected cluster.id kraft-cluster_1, got other'),
  )
  assert.throws(() => verify({ ...own, nodeId: 8 }), /\/d0\/meta.properties: expected node id 7, got 8/)
  assert.throws(() => verify(own, own), /\/d1.*is also that of \/d0/)
  assert.throws(() => verify({ ...own, directoryId: 'AAAAAAAAAAAAAAAAAAAAAQ' }), /reserved/)
})

test('new directory ids are 22 characters, differ, and never look like an option', () => {
  const random = seededRandom(1)
  const ids = Array.from({ length: 500 }, () => newDirectoryId(random))
  assert.equal(new Set(ids).size, ids.length)
  for (const one of ids) assert.match(one, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
})
