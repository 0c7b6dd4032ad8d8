import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  consumerOffsetsRecords,
  ErrorCode,
  GroupMetadataRecord,
  KafkaError,
  MalformedMessageError,
  OffsetCommitRecord,
  recordTypeOf,
  shareGroupStateRecords,
  transactionStateRecords,
  TransactionLogRecord,
  ConsumerGroupMemberMetadataRecord,
  ConsumerGroupMetadataRecord,
  ShareUpdateRecord,
} from '../index.ts'
import type { RecordKey, RecordType, RecordTypes, RecordValue } from '../index.ts'
import { messageValue } from '../testing/index.ts'
import { kafkaRecords } from './kafka-records.testdata.ts'

const topics: readonly RecordTypes[] = [consumerOffsetsRecords, transactionStateRecords, shareGroupStateRecords]
const types = topics.flatMap((each) => [...each.values()].map((type) => ({ each, type })))

/** Structs decode to objects of a fixed shape, bytes to Buffers: compared as what they hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

test('every type and version: keys and values come back as they were, behind their type and version', () => {
  for (const { each, type } of types) {
    const [oldest, newest] = type.value.versions
    const input = fc
      .integer({ min: oldest, max: newest })
      .chain((version) => fc.tuple(fc.constant(version), messageValue(type.key, 0), messageValue(type.value, version)))
    fc.assert(
      fc.property(input, ([version, key, value]) => {
        const keyBytes = type.encodeKey(key as never)
        const valueBytes = type.encodeValue(value as never, version)
        assert.equal(Buffer.from(keyBytes).readInt16BE(0), type.id)
        assert.equal(Buffer.from(valueBytes).readInt16BE(0), version)
        assert.equal(recordTypeOf(each, keyBytes), type)
        assert.deepEqual(plain(type.decodeKey(keyBytes)), plain(key))
        assert.deepEqual(plain(type.decodeValue(valueBytes)), plain(value))
      }),
      { numRuns: 30 },
    )
  }
})

test('values of 4 KiB and more come back too: subscriptions and assignments of large groups', () => {
  const member = { memberId: 'm', clientId: 'c', clientHost: '/127.0.0.1', sessionTimeout: 1 }
  const large = { ...member, subscription: new Uint8Array(5000).fill(1), assignment: new Uint8Array(9000).fill(2) }
  const value = { protocolType: 'consumer', generation: 1, protocol: 'range', leader: 'm', members: [large] }
  const decoded = GroupMetadataRecord.decodeValue(GroupMetadataRecord.encodeValue(value, 3))
  assert.deepEqual(plain(decoded.members[0]!.subscription), plain(large.subscription))
  assert.deepEqual(plain(decoded.members[0]!.assignment), plain(large.assignment))
})

test('a version that Kafka writes is one that is declared', () => {
  for (const { type } of types) {
    if (type.writes !== null) assert.ok(type.writes >= type.value.versions[0] && type.writes <= type.value.versions[1])
  }
})

test('the type of a newer broker is told apart, its key is not decoded', () => {
  const key = Buffer.from('0011 0001 67'.replaceAll(' ', ''), 'hex')
  assert.equal(recordTypeOf(consumerOffsetsRecords, key), null)
  assert.throws(() => OffsetCommitRecord.decodeKey(key), {
    name: 'RangeError',
    message: 'a key of OffsetCommit begins with 1, got 17',
  })
  assert.throws(() => recordTypeOf(consumerOffsetsRecords, Buffer.of(0)), MalformedMessageError)
})

test('a value of a newer version fails with UNSUPPORTED_VERSION', () => {
  assert.throws(
    () => OffsetCommitRecord.decodeValue(Buffer.from('00050000', 'hex')),
    (error) =>
      error instanceof KafkaError &&
      error.code === ErrorCode.UNSUPPORTED_VERSION &&
      error.message === 'OffsetCommit value has versions 0 to 4, not 5',
  )
})

test('cut keys and values are malformed', () => {
  for (const { type } of types) {
    const [value] = fc.sample(messageValue(type.value, type.value.versions[1]), { numRuns: 1, seed: type.id })
    const bytes = type.encodeValue(value as never, type.value.versions[1])
    assert.throws(() => type.decodeValue(bytes.subarray(0, bytes.length - 1)), MalformedMessageError, type.name)
    assert.throws(() => type.decodeKey(Buffer.of(0, type.id)), MalformedMessageError, type.name)
  }
})

test('fields that version 0 of a transaction has no room for are refused', () => {
  const value = {
    producerId: 1n,
    producerEpoch: 0,
    transactionTimeoutMs: 1,
    transactionStatus: 0,
    transactionPartitions: null,
    transactionLastUpdateTimestampMs: 1n,
    transactionStartTimestampMs: -1n,
  }
  TransactionLogRecord.encodeValue(value, 0)
  assert.throws(() => TransactionLogRecord.encodeValue({ ...value, previousProducerId: 5n }, 0), {
    code: ErrorCode.UNSUPPORTED_VERSION,
  })
})

interface Golden {
  readonly type: RecordType
  readonly key: Readonly<Record<string, unknown>>
  readonly keyBytes: string
  readonly version: number
  readonly value: Readonly<Record<string, unknown>>
  readonly valueBytes: string
}

/** Composed by hand from Kafka's schemas. */
const goldens: readonly Golden[] = [
  {
    type: OffsetCommitRecord as RecordType,
    key: { group: 'g', topic: 'to', partition: 3 } satisfies RecordKey<typeof OffsetCommitRecord>,
    keyBytes: '0001 0001 67 0002 746f 00000003',
    version: 3,
    value: { offset: 7n, leaderEpoch: 2, metadata: 'm', commitTimestamp: 258n },
    valueBytes: '0003 0000000000000007 00000002 0001 6d 0000000000000102',
  },
  {
    type: OffsetCommitRecord as RecordType,
    key: { group: 'g', topic: 'to', partition: 3 },
    keyBytes: '0001 0001 67 0002 746f 00000003',
    version: 1,
    value: { offset: 7n, metadata: '', commitTimestamp: 258n, expireTimestamp: 259n },
    valueBytes: '0001 0000000000000007 0000 0000000000000102 0000000000000103',
  },
  {
    type: OffsetCommitRecord as RecordType,
    key: { group: 'g', topic: 'to', partition: 3 },
    keyBytes: '0001 0001 67 0002 746f 00000003',
    version: 4,
    value: { offset: 7n, leaderEpoch: -1, metadata: 'm', commitTimestamp: 258n, topicId: 'AAECAwQFBgcICQoLDA0ODw' },
    valueBytes: '0004 0000000000000007 ffffffff 02 6d 0000000000000102 01 00 10 00010203 04050607 08090a0b 0c0d0e0f',
  },
  {
    type: ConsumerGroupMetadataRecord as RecordType,
    key: { groupId: 'g' },
    keyBytes: '0003 0001 67',
    version: 0,
    value: { epoch: 9, metadataHash: 1n },
    valueBytes: '0000 00000009 01 00 08 0000000000000001',
  },
  {
    type: TransactionLogRecord as RecordType,
    key: { transactionalId: 'tx' },
    keyBytes: '0000 0002 7478',
    version: 1,
    value: {
      producerId: 4n,
      previousProducerId: 3n,
      producerEpoch: 1,
      transactionTimeoutMs: 60_000,
      transactionStatus: 1,
      transactionPartitions: [{ topic: 't', partitionIds: [5] }],
      transactionLastUpdateTimestampMs: 258n,
      transactionStartTimestampMs: 257n,
      clientTransactionVersion: 2,
    },
    valueBytes:
      '0001 0000000000000004 0001 0000ea60 01 02 02 74 02 00000005 00 0000000000000102 0000000000000101' +
      '02 00 08 0000000000000003 02 02 0002',
  },
  {
    type: ShareUpdateRecord as RecordType,
    key: { groupId: 'g', topicId: 'AAECAwQFBgcICQoLDA0ODw', partition: 1 },
    keyBytes: '0001 0001 67 00010203 04050607 08090a0b 0c0d0e0f 00000001',
    version: 0,
    value: {
      snapshotEpoch: 1,
      leaderEpoch: 2,
      startOffset: -1n,
      deliveryCompleteCount: 1,
      stateBatches: [{ firstOffset: 10n, lastOffset: 11n, deliveryState: 2, deliveryCount: 1 }],
    } satisfies RecordValue<typeof ShareUpdateRecord>,
    valueBytes:
      '0000 00000001 00000002 ffffffffffffffff 02 000000000000000a 000000000000000b 02 0001 00 01 00 04 00000001',
  },
]

for (const { type, key, keyBytes, version, value, valueBytes } of goldens) {
  test(`${type.name} v${version} has these bytes`, () => {
    assert.equal(Buffer.from(type.encodeKey(key)).toString('hex'), keyBytes.replaceAll(' ', ''))
    assert.equal(Buffer.from(type.encodeValue(value, version)).toString('hex'), valueBytes.replaceAll(' ', ''))
  })
}

const byName = new Map(types.map(({ type }) => [type.name, type]))
const ofKafka = new Map(kafkaRecords.map(([name, key, value]) => [name, { key: hex(key), value: hex(value) }]))

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}

for (const [name, { key, value }] of ofKafka) {
  test(`${name} as Kafka has written it: its version is the one we would write, and reading and writing keep its bytes`, () => {
    const type = byName.get(name)!
    assert.equal(value.readInt16BE(0), type.writes)
    assert.deepEqual(Buffer.from(type.encodeKey(type.decodeKey(key) as never)), key)
    assert.deepEqual(Buffer.from(type.encodeValue(type.decodeValue(value) as never, type.writes!)), value)
  })
}

test('what Kafka has written is understood', () => {
  const topicId = 'x_Pr6XwARASb4KOCJca-Aw'
  const memberId = 'inst-faa8c8d3-5579-437d-8677-9e18b88decd9'
  const group = GroupMetadataRecord.decodeValue(ofKafka.get('GroupMetadata')!.value)
  assert.deepEqual(plain(group), {
    protocolType: 'consumer',
    generation: 1,
    protocol: 'range',
    leader: memberId,
    currentStateTimestamp: 1795833995465n,
    members: [
      {
        memberId,
        groupInstanceId: 'inst',
        clientId: 'console-consumer',
        clientHost: '/127.0.0.1',
        rebalanceTimeout: 300_000,
        sessionTimeout: 45_000,
        subscription: [...hex('0003000000010001 74ffffffff00000000ffffffffffff'.replace(' ', ''))],
        assignment: [...hex('000300000001000174 00000002 00000000 00000001 ffffffff'.replaceAll(' ', ''))],
      },
    ],
  })
  assert.deepEqual(OffsetCommitRecord.decodeValue(ofKafka.get('OffsetCommit')!.value), {
    offset: 21n,
    leaderEpoch: 0,
    metadata: '',
    commitTimestamp: 1795833995560n,
    expireTimestamp: -1n,
    topicId,
  })
  assert.deepEqual(ConsumerGroupMemberMetadataRecord.decodeValue(ofKafka.get('ConsumerGroupMemberMetadata')!.value), {
    instanceId: null,
    rackId: null,
    clientId: 'console-consumer',
    clientHost: '/127.0.0.1',
    subscribedTopicNames: ['t'],
    subscribedTopicRegex: '',
    rebalanceTimeoutMs: 300_000,
    serverAssignor: null,
    classicMemberMetadata: null,
  })
  assert.deepEqual(TransactionLogRecord.decodeValue(ofKafka.get('TransactionLog')!.value), {
    producerId: 0n,
    previousProducerId: 0n,
    nextProducerId: -1n,
    producerEpoch: 0,
    nextProducerEpoch: -1,
    transactionTimeoutMs: 60_000,
    transactionStatus: 1,
    transactionPartitions: [{ topic: 't', partitionIds: [1] }],
    transactionLastUpdateTimestampMs: 1795833994479n,
    transactionStartTimestampMs: 1795833994479n,
    clientTransactionVersion: 2,
  })
  assert.deepEqual(ShareUpdateRecord.decodeValue(ofKafka.get('ShareUpdate')!.value), {
    snapshotEpoch: 0,
    leaderEpoch: 0,
    startOffset: 0n,
    deliveryCompleteCount: 6,
    stateBatches: [
      { firstOffset: 0n, lastOffset: 4n, deliveryState: 2, deliveryCount: 1 },
      { firstOffset: 20n, lastOffset: 20n, deliveryState: 4, deliveryCount: 1 },
    ],
  })
})

test('a member of the consumer protocol says so: left out, Kafka would take it for one of the classic protocol', () => {
  const { value } = ofKafka.get('ConsumerGroupMemberMetadata')!
  const withoutTag = Buffer.concat([value.subarray(0, -4), Buffer.of(0)])
  assert.deepEqual(ConsumerGroupMemberMetadataRecord.decodeValue(withoutTag).classicMemberMetadata, {
    sessionTimeoutMs: 0,
    supportedProtocols: [],
  })
})
