import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  configNameOf,
  configPath,
  decodeBroker,
  decodeConfig,
  decodeFeatures,
  decodeState,
  decodeTopic,
  encode,
  encodeBroker,
  encodeConfig,
  encodeFeatures,
  encodeState,
  encodeTopic,
} from './znodes.ts'

const ids = fc.uniqueArray(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 4 })
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('a partition state is what Kafka writes, and is read back', () => {
  const partition = {
    leader: 1,
    leaderEpoch: 5,
    partitionEpoch: 0,
    replicas: [1, 2],
    isr: [1, 2],
    addingReplicas: [],
    removingReplicas: [],
    leaderRecovering: false,
  }
  assert.equal(
    text(encodeState(partition, 3)),
    '{"controller_epoch":3,"leader":1,"version":1,"leader_epoch":5,"isr":[1,2]}',
  )
  assert.match(text(encodeState({ ...partition, leaderRecovering: true }, 3)), /"leader_recovery_state":1}$/)
  fc.assert(
    fc.property(ids, fc.integer({ min: -1 }), fc.nat(), fc.boolean(), (isr, leader, leaderEpoch, leaderRecovering) => {
      const bytes = encodeState({ ...partition, isr, leader, leaderEpoch, leaderRecovering }, 1)
      assert.deepEqual(decodeState('/s', bytes), { leader, leaderEpoch, isr, leaderRecovering })
    }),
  )
})

test('a topic is read back with its reassignments', () => {
  const some = fc.oneof(fc.constant([]), ids)
  const assignment = fc
    .tuple(ids, some, some)
    .map(([replicas, addingReplicas, removingReplicas]) => ({ replicas, addingReplicas, removingReplicas }))
  fc.assert(
    fc.property(fc.array(assignment, { minLength: 1, maxLength: 12 }), (partitions) => {
      const { id, partitions: read } = decodeTopic('/t', encodeTopic('abc', partitions))
      assert.equal(id, 'abc')
      assert.deepEqual(read, partitions)
    }),
  )
})

test('a topic with a gap, and data that is no JSON object, are errors that name the node', () => {
  assert.throws(
    () => decodeTopic('/brokers/topics/t', encode({ partitions: { 0: [1], 2: [1] } })),
    /\/brokers\/topics\/t .*partition 1/,
  )
  assert.throws(() => decodeTopic('/brokers/topics/t', encode({ partitions: {} })), /\/brokers\/topics\/t/)
  assert.throws(() => decodeState('/s', encode('{"leader":')), /\/s does not hold JSON/)
  assert.throws(() => decodeState('/s', encode('[1]')), /\/s does not hold a JSON object/)
  assert.throws(() => decodeState('/s', encode({ leader: 1 })), /\/s lacks/)
})

test('a broker is registered as Kafka does it, IPv6 addresses in brackets', () => {
  const endpoints = new Map([
    ['OUTSIDE', { host: '::1', port: 9093, securityProtocol: 'SSL' }],
    ['INSIDE', { host: 'example.org', port: 9092, securityProtocol: 'PLAINTEXT' }],
  ])
  const features = new Map([['group.version', { min: 0, max: 1 }]])
  const bytes = encodeBroker({ rack: 'r1', endpoints, features }, 1234)
  assert.deepEqual(JSON.parse(text(bytes)), {
    version: 5,
    host: 'example.org',
    port: 9092,
    endpoints: ['OUTSIDE://[::1]:9093', 'INSIDE://example.org:9092'],
    jmx_port: -1,
    timestamp: '1234',
    rack: 'r1',
    listener_security_protocol_map: { OUTSIDE: 'SSL', INSIDE: 'PLAINTEXT' },
    features: { 'group.version': { min_version: 0, max_version: 1 } },
  })
  assert.deepEqual(decodeBroker(7, bytes, 42n), { id: 7, epoch: 42n, rack: 'r1', endpoints, fenced: false, features })
  const withoutRack = encodeBroker(
    { rack: null, endpoints: new Map([...endpoints].slice(0, 1)), features: new Map() },
    1,
  )
  assert.deepEqual(JSON.parse(text(withoutRack)).host, null)
  assert.equal(decodeBroker(7, withoutRack, 1n).rack, null)
})

test('finalized features are what Kafka writes, and are read back; disabled they are none', () => {
  const levels = new Map([
    ['group.version', 1],
    ['transaction.version', 2],
  ])
  const bytes = encodeFeatures(levels)
  assert.equal(
    text(bytes),
    '{"version":2,"status":1,"features":{"group.version":{"max_version_level":1},"transaction.version":{"max_version_level":2}}}',
  )
  const features = decodeFeatures(bytes, 7)
  assert.deepEqual([features.epoch, features.levels], [7, levels])
  // As brokers before 3.3 wrote them, and a level of 0.
  const older = { version: 1, status: 1, features: { a: { min_version_level: 1, max_version_level: 3 } } }
  assert.deepEqual(decodeFeatures(encode(older), 0).levels, new Map([['a', 3]]))
  assert.deepEqual(decodeFeatures(encode({ ...older, status: 0 }), 0).levels, new Map())
  const off = { version: 2, status: 1, features: { a: { max_version_level: 0 } } }
  assert.deepEqual(decodeFeatures(encode(off), 0).levels, new Map())
  const broken = encode({ ...off, features: { a: {} } })
  assert.throws(() => decodeFeatures(broken, 0), /\/feature has no max_version_level for a/)
})

test('a configuration is read back; nothing is an empty one', () => {
  const entries = new Map([
    ['a.b', '1'],
    ['c', 'x,y'],
  ])
  assert.equal(text(encodeConfig(entries)), '{"version":1,"config":{"a.b":"1","c":"x,y"}}')
  assert.deepEqual(decodeConfig('/c', encodeConfig(entries)), entries)
  assert.deepEqual(decodeConfig('/c', new Uint8Array(0)), new Map())
})

test('any name of a group has a node of its own', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (name) => {
      const path = configPath(`groups/${name}`)
      const nodeName = path.slice('/config/groups/'.length)
      assert.match(nodeName, /^[A-Za-z0-9._%-]+$/)
      assert.equal(configNameOf('groups', nodeName), name)
    }),
  )
  assert.equal(configPath('brokers/'), '/config/brokers/<default>')
  assert.equal(configNameOf('brokers', '<default>'), '')
})
