/** What the codecs refuse, and how they say so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  array,
  bytes,
  CreateTopics,
  ErrorCode,
  Fetch,
  int32,
  int8,
  KafkaError,
  MalformedMessageError,
  message,
  Metadata,
  Produce,
  Reader,
  records,
  string,
  struct,
  Writer,
} from '../index.ts'
import type { Message, Shape } from '../index.ts'

function malformed(message_: Message, version: number, hex: string): MalformedMessageError {
  const frame = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  try {
    message_.decode(new Reader(frame), version)
  } catch (error) {
    assert.ok(error instanceof MalformedMessageError, String(error))
    return error
  }
  assert.fail('nothing was thrown')
}

test('an element that ends too early is named with its indexes, its field and its position', () => {
  const first = '00000000 00000000 00000007 00100000'
  const error = malformed(
    Fetch.request as Message,
    4,
    `ffffffff 000001f4 00000001 03200000 01 00000001 0001 74 00000002 ${first} 00000001 0000000000000008 0000`,
  )
  assert.equal(error.path, 'Fetch request v4: topics[0].partitions')
  const short = malformed(
    Fetch.request as Message,
    4,
    `ffffffff 000001f4 00000001 03200000 01 00000002 0001 74 00000002 ${first} 00000001 00000000 00000008 00100000 ffff 0000`,
  )
  assert.equal(short.path, 'Fetch request v4: topics[1].topic')
  assert.equal(short.position, 62)
  assert.match(short.message, /null is not allowed at byte 62/)
  const missing = malformed(Metadata.response as Message, 1, '00000001 00000001 0006 686868686868')
  assert.equal(missing.path, 'Metadata response v1: brokers[0].port')
  assert.equal(missing.position, 16)
})

test('a count beyond the bytes left is refused before anything is allocated', () => {
  for (const [message_, version, hex] of [
    [Metadata.request, 1, '7fffffff 0001 74'],
    [Metadata.request, 9, 'ffffffff0f 02 74 00'],
    [Metadata.response, 1, '00000000 00000001 7fffffff 0000'],
    [Fetch.request, 4, 'ffffffff 000001f4 00000001 03200000 01 3fffffff'],
    [Produce.request, 9, '00 0001 00007530 ffffffff0f 00'],
  ] as const) {
    const { heapUsed } = process.memoryUsage()
    assert.match(malformed(message_ as Message, version, hex).message, /count is \d+ with \d+ bytes left/)
    assert.ok(process.memoryUsage().heapUsed - heapUsed < 4 << 20)
  }
})

test('the count of elements is held against their least size', () => {
  // 4 bytes are left for 2 int32 of 4 bytes each.
  const error = malformed(
    CreateTopics.request as Message,
    2,
    '00000001 0001 74 00000001 0001 00000001 00000000 00000002 00000001',
  )
  assert.match(error.message, /assignments\[0\]\.brokerIds: count is 2 with 4 bytes left/)
})

test('lengths below -1 are refused even where null is allowed', () => {
  assert.match(malformed(Metadata.request as Message, 1, 'fffffffe').message, /length is -2/)
  assert.match(malformed(Produce.request as Message, 3, 'fffe 0001 00007530').message, /length is -2/)
})

test('null is refused in the versions that do not allow it', () => {
  assert.match(malformed(Metadata.request as Message, 0, 'ffffffff').message, /topics: null is not allowed/)
  assert.match(
    malformed(Metadata.request as Message, 9, '02 00 00 00').message,
    /topics\[0\]\.name: null is not allowed/,
  )
})

test('unknown tags that do not fit the bytes left are refused, also where nothing follows', () => {
  const start = '00 01 00 00'
  Metadata.request.decode(new Reader(Buffer.from('000100000105027f7f', 'hex')), 9)
  for (const tags of ['01', '0105', '010502', '0105027f', '8001', '0105ffffffff0f', '020502 7f7f'])
    assert.match(malformed(Metadata.request as Message, 9, start + tags).message, /<tags>/)
})

test('varints of more than 32 bits are refused', () => {
  assert.match(malformed(Metadata.request as Message, 9, '8080808010').message, /varint/)
  assert.match(malformed(Metadata.request as Message, 9, 'ffffffffffff').message, /varint/)
  assert.throws(() => new Reader(Buffer.from('8080808010', 'hex')).unsignedVarint(), MalformedMessageError)
  assert.equal(new Reader(Buffer.from('ffffffff0f', 'hex')).unsignedVarint(), 0xffff_ffff)
})

test('a compact string of more than 32767 bytes is refused, as Kafka does', () => {
  const long = Buffer.alloc(40_000, 0x61)
  const hex = `00000000 02 00000001 c1b802 ${long.toString('hex')}`
  assert.match(malformed(Metadata.response as Message, 9, hex).message, /length is 40000 with at most 32767 allowed/)
})

test('unknown tagged fields are skipped at every depth, and the known ones around them are read', () => {
  const hex = [
    'ffffffff 000001f4 00000001 03200000 00 00000000 ffffffff',
    '02 02 74',
    '02 00000001 00000003 0000000000000007 ffffffff ffffffffffffffff 00100000',
    '02 05 03 aabbcc c801 00',
    '01 07 01 00',
    '01 01',
    '03 00 02 02 63 63 00 ffff03 02 dddd',
  ]
  const request = Fetch.request.decode(new Reader(Buffer.from(hex.join('').replaceAll(' ', ''), 'hex')), 12)
  assert.equal(request.clusterId, 'c')
  assert.equal(request.topics[0]!.partitions[0]!.fetchOffset, 7n)
})

test('a tag of a later version and a tagged value of another size are refused', () => {
  const start = 'ffffffff 000001f4 00000001 03200000 00 00000000 ffffffff 01 01 01'
  assert.match(malformed(Fetch.request as Message, 12, `${start} 01 01 0d`).message, /length is 13 with 0 bytes left/)
  assert.match(malformed(Fetch.request as Message, 12, `${start} 01 01 00`).message, /tag 1 does not belong/)
  assert.match(malformed(Fetch.request as Message, 12, `${start} 01 00 03 02 63 00`).message, /1 bytes off its size/)
  assert.match(malformed(Fetch.request as Message, 12, `${start} 01 00 01 02 63`).message, /clusterId/)
})

test('bytes after the message are found by expectEnd', () => {
  const reader = new Reader(Buffer.from('ffffffff00', 'hex'))
  Metadata.request.decode(reader, 1)
  assert.throws(() => reader.expectEnd(), /1 bytes too many at byte 4/)
})

test('decoded records are a view of the frame, bytes a copy', () => {
  const both = message({
    name: 'Both',
    versions: [0, 0],
    flexible: null,
    fields: { first: bytes, list: array(string), second: bytes.nullable() },
  })
  const frame = Buffer.from('00000002 0102 00000000 ffffffff'.replaceAll(' ', ''), 'hex')
  const { first, second } = both.decode(new Reader(frame), 0)
  frame[4] = 9
  assert.deepEqual(first, Uint8Array.of(1, 2))
  assert.equal(second, null)
  const produce = Buffer.from(
    'ffff 0001 00000000 00000001 0001 74 00000001 00000000 00000002 0102'.replaceAll(' ', ''),
    'hex',
  )
  const { topicData } = Produce.request.decode(new Reader(produce), 3)
  produce[produce.length - 1] = 7
  assert.deepEqual([...topicData[0]!.partitionData[0]!.records!], [1, 7])
})

test('large records are referenced by the frame, small ones copied', () => {
  const large = Buffer.alloc(4096, 1)
  const small = Buffer.alloc(4095, 2)
  const writer = new Writer()
  const partitions = [large, small, large].map((each, index) => ({ index, records: each }))
  Produce.request.encode(writer, { acks: 1, timeoutMs: 1, topicData: [{ name: 't', partitionData: partitions }] }, 9)
  const parts = writer.finish()
  assert.deepEqual(
    parts.map((part) => part === large),
    [false, true, false, true, false],
  )
  assert.equal(
    parts.reduce((sum, { length }) => sum + length, 0),
    writer.length,
  )
  const decoded = Produce.request.decode(new Reader(Buffer.concat(parts)), 9)
  assert.deepEqual(
    decoded.topicData[0]!.partitionData.map((each) => each.records!.length),
    [4096, 4095, 4096],
  )
})

function unsupported(encode: () => void): string {
  try {
    encode()
  } catch (error) {
    assert.ok(error instanceof KafkaError, String(error))
    assert.equal(error.code, ErrorCode.UNSUPPORTED_VERSION)
    return error.message
  }
  assert.fail('nothing was thrown')
}

test('a value that the version has no field for is refused, unless the field is ignorable', () => {
  const request = { maxWaitMs: 1, minBytes: 1, topics: [] }
  assert.equal(
    unsupported(() =>
      Fetch.request.encode(new Writer(), { ...request, forgottenTopicsData: [{ partitions: [1] }] }, 6),
    ),
    'Fetch request v6 has no field forgottenTopicsData, which was set',
  )
  assert.match(
    unsupported(() => Fetch.request.encode(new Writer(), { ...request, replicaState: { replicaId: 3 } }, 14)),
    /has no field replicaState/,
  )
  Fetch.request.encode(new Writer(), { ...request, replicaState: { replicaId: -1 }, rackId: 'ignored' }, 10)
})

test('null is refused where the version does not allow it', () => {
  assert.equal(
    unsupported(() => Metadata.request.encode(new Writer(), { topics: null }, 0)),
    'Metadata request v0 does not allow null for topics',
  )
  assert.match(
    unsupported(() => Metadata.request.encode(new Writer(), { topics: [{ name: null }] }, 9)),
    /topics\[\]\.name/,
  )
})

test('versions that a message does not have are refused on both sides', () => {
  for (const version of [-1, 14, Number.NaN]) {
    const text = `Metadata request has versions 0 to 13, not ${version}`
    assert.equal(
      unsupported(() => Metadata.request.encode(new Writer(), { topics: null }, version)),
      text,
    )
    assert.equal(
      unsupported(() => Metadata.request.decode(new Reader(Buffer.alloc(4)), version)),
      text,
    )
  }
})

test('strings of more than 32767 bytes and bad uuids are refused', () => {
  for (const version of [1, 9]) {
    const encode = (length: number): void =>
      Metadata.request.encode(new Writer(), { topics: [{ name: 'é'.repeat(length) }] }, version)
    encode(16_383)
    assert.throws(() => encode(16_384), /may have 32767 bytes of UTF-8, got 32768/)
  }
  const bad = (topicId: string): void =>
    Metadata.request.encode(new Writer(), { topics: [{ topicId, name: null }] }, 12)
  assert.throws(() => bad('short'), /expected a uuid/)
  assert.throws(() => bad('AAAAAAAAAAAAAAAAAAAA+A'), /expected a uuid/)
})

test('invalid UTF-8 decodes to replacement characters', () => {
  const request = Metadata.request.decode(new Reader(Buffer.from('000000010003ff61c3', 'hex')), 1)
  assert.equal(request.topics![0]!.name, '\ufffda\ufffd')
})

test('nullable structs are marked by a byte, and by a varint when tagged', () => {
  const shape = { value: int8 }
  const both = message({
    name: 'Both',
    versions: [0, 0],
    flexible: 0,
    fields: { plain: struct(shape).nullable(), tagged: struct(shape).nullable().default(null).tag(3), last: int32 },
  })
  const encode = (value: Parameters<typeof both.encode>[1]): string => {
    const writer = new Writer()
    both.encode(writer, value, 0)
    const encoded = Buffer.concat(writer.finish())
    const { plain, tagged = null } = value
    assert.deepEqual(both.decode(new Reader(encoded), 0), { plain, tagged, last: 5 })
    return encoded.toString('hex')
  }
  assert.equal(encode({ plain: null, last: 5 }), 'ff0000000500')
  assert.equal(encode({ plain: { value: 7 }, tagged: { value: 9 }, last: 5 }), '010700' + '00000005' + '010303010900')
})

test('declarations that cannot be on the wire are refused when they are first used', () => {
  const declare = (fields: Shape, flexible: number | null): void =>
    message({ name: 'Bad', versions: [0, 3], flexible, fields }).encode(new Writer(), {}, 0)
  assert.throws(() => declare({ a: int32.tag(0) }, null), /a is tagged in a version that is not flexible/)
  assert.throws(() => declare({ a: int32.since(1).tag(0) }, 2), /a is tagged in a version that is not flexible/)
  assert.throws(() => declare({ a: int32.tag(0), b: int32.tag(0) }, 0), /tag 0 is taken/)
  assert.throws(() => declare({ a: records.tag(0) }, 0), /records cannot be tagged/)
})

test('arrays of strings, of arrays and of nullable elements', () => {
  const lists = message({
    name: 'Lists',
    versions: [0, 1],
    flexible: 1,
    fields: { strings: array(string.nullable()), nested: array(array(int8)) },
  })
  const value = { strings: ['a', null], nested: [[1, 2], []] }
  for (const [version, hex] of [
    [0, '00000002 0001 61 ffff 00000002 00000002 0102 00000000'],
    [1, '03 02 61 00 03 03 0102 01 00'],
  ] as const) {
    const writer = new Writer(0)
    lists.encode(writer, value, version)
    const encoded = Buffer.concat(writer.finish())
    assert.equal(encoded.toString('hex'), hex.replaceAll(' ', ''))
    assert.deepEqual(lists.decode(new Reader(encoded), version), value)
  }
})
