/**
 * The compiled codec against code written by hand for one version: `node --conditions=source bench/src/codec.ts`.
 * Measures decoding and encoding of a Fetch v12 with 50 partitions and of a Metadata v12 response with 200 topics, checks
 * first that both sides agree, and prints the ratios; the target is 1.3.
 * The code by hand leaves out what it may for one known version and for bytes it trusts: it checks no bounds.
 */
import assert from 'node:assert/strict'
import { Fetch, Metadata, Reader, Writer } from '@millrace/protocol'
import type { Request, Response } from '@millrace/protocol'
import { bench, do_not_optimize, run } from 'mitata'

type FetchRequest = Request<typeof Fetch>
type FetchResponse = Response<typeof Fetch>
type MetadataResponse = Response<typeof Metadata>

const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'
const { utf8Slice, utf8Write, base64urlSlice } = Buffer.prototype as unknown as {
  readonly utf8Slice: (this: Uint8Array, start: number, end: number) => string
  readonly utf8Write: (this: Uint8Array, text: string, position: number) => number
  readonly base64urlSlice: (this: Uint8Array, start: number, end: number) => string
}

/** Reading by hand. */
class Cursor {
  readonly bytes: Uint8Array
  readonly view: DataView
  position = 0
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  int8(): number {
    return this.view.getInt8(this.position++)
  }
  int16(): number {
    const value = this.view.getInt16(this.position)
    this.position += 2
    return value
  }
  int32(): number {
    const value = this.view.getInt32(this.position)
    this.position += 4
    return value
  }
  int64(): bigint {
    const value = this.view.getBigInt64(this.position)
    this.position += 8
    return value
  }
  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.position++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  string(): string | null {
    const length = this.varint() - 1
    if (length < 0) return null
    const start = this.position
    this.position += length
    return utf8Slice.call(this.bytes, start, start + length)
  }
  uuid(): string {
    const start = this.position
    this.position += 16
    return base64urlSlice.call(this.bytes, start, start + 16)
  }
  int32s(): number[] {
    const list: number[] = []
    for (let count = this.varint() - 1; count > 0; count--) list.push(this.int32())
    return list
  }
  tags(): void {
    for (let count = this.varint(); count > 0; count--) {
      this.varint()
      const size = this.varint()
      this.position += size
    }
  }
}

/** Writing by hand. */
class Sink {
  readonly bytes: Buffer
  readonly view: DataView
  position = 0
  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, capacity)
  }
  int8(value: number): void {
    this.bytes[this.position++] = value
  }
  int16(value: number): void {
    this.view.setInt16(this.position, value)
    this.position += 2
  }
  int32(value: number): void {
    this.view.setInt32(this.position, value)
    this.position += 4
  }
  int64(value: bigint): void {
    this.view.setBigInt64(this.position, value)
    this.position += 8
  }
  varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.bytes[this.position++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[this.position++] = rest
  }
  /** At most 126 bytes. */
  string(value: string | null): void {
    if (value === null) return this.int8(0)
    const written = utf8Write.call(this.bytes, value, this.position + 1)
    this.bytes[this.position] = written + 1
    this.position += written + 1
  }
  uuid(value: string): void {
    this.bytes.write(value, this.position, 16, 'base64url')
    this.position += 16
  }
  int32s(list: readonly number[]): void {
    this.varint(list.length + 1)
    for (let i = 0; i < list.length; i++) this.int32(list[i]!)
  }
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.position)
  }
}

function decodeFetchRequestByHand(bytes: Uint8Array): FetchRequest {
  const c = new Cursor(bytes)
  const replicaId = c.int32()
  const maxWaitMs = c.int32()
  const minBytes = c.int32()
  const maxBytes = c.int32()
  const isolationLevel = c.int8()
  const sessionId = c.int32()
  const sessionEpoch = c.int32()
  const topics = []
  for (let topicCount = c.varint() - 1; topicCount > 0; topicCount--) {
    const topic = c.string()!
    const partitions = []
    for (let count = c.varint() - 1; count > 0; count--) {
      const partition = c.int32()
      const currentLeaderEpoch = c.int32()
      const fetchOffset = c.int64()
      const lastFetchedEpoch = c.int32()
      const logStartOffset = c.int64()
      const partitionMaxBytes = c.int32()
      c.tags()
      partitions.push({
        partition,
        currentLeaderEpoch,
        fetchOffset,
        lastFetchedEpoch,
        logStartOffset,
        partitionMaxBytes,
        replicaDirectoryId: ZERO_UUID,
        highWatermark: 0x7fff_ffff_ffff_ffffn,
      })
    }
    c.tags()
    topics.push({ topic, topicId: ZERO_UUID, partitions })
  }
  const forgottenTopicsData = []
  for (let count = c.varint() - 1; count > 0; count--) {
    const topic = c.string()!
    const partitions = c.int32s()
    c.tags()
    forgottenTopicsData.push({ topic, topicId: ZERO_UUID, partitions })
  }
  const rackId = c.string()!
  c.tags()
  return {
    clusterId: null,
    replicaId,
    replicaState: { replicaId: -1, replicaEpoch: -1n },
    maxWaitMs,
    minBytes,
    maxBytes,
    isolationLevel,
    sessionId,
    sessionEpoch,
    topics,
    forgottenTopicsData,
    rackId,
  }
}

function encodeFetchRequestByHand(value: FetchRequest): Uint8Array {
  const s = new Sink(4096)
  s.int32(value.replicaId)
  s.int32(value.maxWaitMs)
  s.int32(value.minBytes)
  s.int32(value.maxBytes)
  s.int8(value.isolationLevel)
  s.int32(value.sessionId)
  s.int32(value.sessionEpoch)
  s.varint(value.topics.length + 1)
  for (const { topic, partitions } of value.topics) {
    s.string(topic)
    s.varint(partitions.length + 1)
    for (const each of partitions) {
      s.int32(each.partition)
      s.int32(each.currentLeaderEpoch)
      s.int64(each.fetchOffset)
      s.int32(each.lastFetchedEpoch)
      s.int64(each.logStartOffset)
      s.int32(each.partitionMaxBytes)
      s.int8(0)
    }
    s.int8(0)
  }
  s.varint(value.forgottenTopicsData.length + 1)
  for (const { topic, partitions } of value.forgottenTopicsData) {
    s.string(topic)
    s.int32s(partitions)
    s.int8(0)
  }
  s.string(value.rackId)
  s.int8(0)
  return s.finish()
}

function decodeFetchResponseByHand(bytes: Uint8Array): FetchResponse {
  const c = new Cursor(bytes)
  const throttleTimeMs = c.int32()
  const errorCode = c.int16()
  const sessionId = c.int32()
  const responses = []
  for (let topicCount = c.varint() - 1; topicCount > 0; topicCount--) {
    const topic = c.string()!
    const partitions = []
    for (let count = c.varint() - 1; count > 0; count--) {
      const partitionIndex = c.int32()
      const partitionError = c.int16()
      const highWatermark = c.int64()
      const lastStableOffset = c.int64()
      const logStartOffset = c.int64()
      let abortedTransactions = null
      const aborted = c.varint() - 1
      if (aborted >= 0) {
        abortedTransactions = []
        for (let i = 0; i < aborted; i++) {
          abortedTransactions.push({ producerId: c.int64(), firstOffset: c.int64() })
          c.tags()
        }
      }
      const preferredReadReplica = c.int32()
      const size = c.varint() - 1
      const records = size < 0 ? null : c.bytes.subarray(c.position, c.position + size)
      if (size > 0) c.position += size
      c.tags()
      partitions.push({
        partitionIndex,
        errorCode: partitionError,
        highWatermark,
        lastStableOffset,
        logStartOffset,
        divergingEpoch: { epoch: -1, endOffset: -1n },
        currentLeader: { leaderId: -1, leaderEpoch: -1 },
        snapshotId: { endOffset: -1n, epoch: -1 },
        abortedTransactions,
        preferredReadReplica,
        records,
      })
    }
    c.tags()
    responses.push({ topic, topicId: ZERO_UUID, partitions })
  }
  c.tags()
  return { throttleTimeMs, errorCode, sessionId, responses, nodeEndpoints: [] }
}

/** As Writer does: small records are copied, large ones referenced. Here all are small. */
function encodeFetchResponseByHand(value: FetchResponse): Uint8Array {
  const s = new Sink(65_536)
  s.int32(value.throttleTimeMs)
  s.int16(value.errorCode)
  s.int32(value.sessionId)
  s.varint(value.responses.length + 1)
  for (const { topic, partitions } of value.responses) {
    s.string(topic)
    s.varint(partitions.length + 1)
    for (const each of partitions) {
      s.int32(each.partitionIndex)
      s.int16(each.errorCode)
      s.int64(each.highWatermark)
      s.int64(each.lastStableOffset)
      s.int64(each.logStartOffset)
      if (each.abortedTransactions === null) s.int8(0)
      else {
        s.varint(each.abortedTransactions.length + 1)
        for (const { producerId, firstOffset } of each.abortedTransactions) {
          s.int64(producerId)
          s.int64(firstOffset)
          s.int8(0)
        }
      }
      s.int32(each.preferredReadReplica)
      if (each.records === null) s.int8(0)
      else {
        s.varint(each.records.length + 1)
        s.bytes.set(each.records, s.position)
        s.position += each.records.length
      }
      s.int8(0)
    }
    s.int8(0)
  }
  s.int8(0)
  return s.finish()
}

function decodeMetadataByHand(bytes: Uint8Array): MetadataResponse {
  const c = new Cursor(bytes)
  const throttleTimeMs = c.int32()
  const brokers = []
  for (let count = c.varint() - 1; count > 0; count--) {
    brokers.push({ nodeId: c.int32(), host: c.string()!, port: c.int32(), rack: c.string() })
    c.tags()
  }
  const clusterId = c.string()
  const controllerId = c.int32()
  const topics = []
  for (let count = c.varint() - 1; count > 0; count--) {
    const errorCode = c.int16()
    const name = c.string()
    const topicId = c.uuid()
    const isInternal = c.int8() !== 0
    const partitions = []
    for (let partitionCount = c.varint() - 1; partitionCount > 0; partitionCount--) {
      partitions.push({
        errorCode: c.int16(),
        partitionIndex: c.int32(),
        leaderId: c.int32(),
        leaderEpoch: c.int32(),
        replicaNodes: c.int32s(),
        isrNodes: c.int32s(),
        offlineReplicas: c.int32s(),
      })
      c.tags()
    }
    const topicAuthorizedOperations = c.int32()
    c.tags()
    topics.push({ errorCode, name, topicId, isInternal, partitions, topicAuthorizedOperations })
  }
  c.tags()
  return {
    throttleTimeMs,
    brokers,
    clusterId,
    controllerId,
    topics,
    clusterAuthorizedOperations: -0x8000_0000,
    errorCode: 0,
  }
}

function encodeMetadataByHand(value: MetadataResponse): Uint8Array {
  const s = new Sink(131_072)
  s.int32(value.throttleTimeMs)
  s.varint(value.brokers.length + 1)
  for (const { nodeId, host, port, rack } of value.brokers) {
    s.int32(nodeId)
    s.string(host)
    s.int32(port)
    s.string(rack)
    s.int8(0)
  }
  s.string(value.clusterId)
  s.int32(value.controllerId)
  s.varint(value.topics.length + 1)
  for (const topic of value.topics) {
    s.int16(topic.errorCode)
    s.string(topic.name)
    s.uuid(topic.topicId)
    s.int8(topic.isInternal ? 1 : 0)
    s.varint(topic.partitions.length + 1)
    for (const partition of topic.partitions) {
      s.int16(partition.errorCode)
      s.int32(partition.partitionIndex)
      s.int32(partition.leaderId)
      s.int32(partition.leaderEpoch)
      s.int32s(partition.replicaNodes)
      s.int32s(partition.isrNodes)
      s.int32s(partition.offlineReplicas)
      s.int8(0)
    }
    s.int32(topic.topicAuthorizedOperations)
    s.int8(0)
  }
  s.int8(0)
  return s.finish()
}

const fetchRequest = {
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 52_428_800,
  topics: Array.from({ length: 5 }, (_, t) => ({
    topic: `orders-of-region-${t}`,
    partitions: Array.from({ length: 10 }, (_unused, partition) => ({
      partition,
      currentLeaderEpoch: 3,
      fetchOffset: 1_000_000n + BigInt(partition),
      partitionMaxBytes: 1_048_576,
    })),
  })),
}
const fetchResponse = {
  responses: fetchRequest.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({
      partitionIndex: partition,
      errorCode: 0,
      highWatermark: 2_000_000n,
      lastStableOffset: 2_000_000n,
      logStartOffset: 0n,
      abortedTransactions: null,
      records: Buffer.alloc(500, partition),
    })),
  })),
}
const metadataResponse = {
  brokers: Array.from({ length: 6 }, (_, nodeId) => ({
    nodeId,
    host: `broker-${nodeId}.kafka.example.org`,
    port: 9092,
    rack: `zone-${nodeId % 3}`,
  })),
  clusterId: 'MkU3OEVBNTcwNTJENDM2Qg',
  controllerId: 1,
  topics: Array.from({ length: 200 }, (_, t) => ({
    errorCode: 0,
    name: `topic-number-${t}`,
    topicId: Buffer.from(Array.from({ length: 16 }, (_unused, i) => (t * 31 + i * 7) & 0xff)).toString('base64url'),
    partitions: Array.from({ length: 6 }, (_unused, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: partitionIndex % 6,
      leaderEpoch: 12,
      replicaNodes: [0, 1, 2].map((i) => (partitionIndex + i) % 6),
      isrNodes: [0, 1, 2].map((i) => (partitionIndex + i) % 6),
    })),
  })),
}

const VERSION = 12

interface Subject {
  readonly name: string
  readonly bytes: Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
  readonly encode: (value: never) => Uint8Array[]
  readonly decodeByHand: (bytes: Uint8Array) => unknown
  readonly encodeByHand: (value: never) => Uint8Array
}

function subject<Value>(
  name: string,
  message: {
    decode(reader: Reader, version: number): Value
    encode(writer: Writer, value: never, version: number): void
  },
  example: unknown,
  capacity: number,
  byHand: { decode(bytes: Uint8Array): Value; encode(value: Value): Uint8Array },
): Subject {
  const encode = (value: never): Uint8Array[] => {
    const writer = new Writer(capacity)
    message.encode(writer, value, VERSION)
    return writer.finish()
  }
  return {
    name,
    bytes: Buffer.concat(encode(example as never)),
    decode: (bytes) => message.decode(new Reader(bytes), VERSION),
    encode,
    decodeByHand: (bytes) => byHand.decode(bytes),
    encodeByHand: (value) => byHand.encode(value),
  }
}

const subjects: readonly Subject[] = [
  subject('Fetch v12 request, 50 partitions', Fetch.request, fetchRequest, 4096, {
    decode: decodeFetchRequestByHand,
    encode: encodeFetchRequestByHand,
  }),
  subject('Fetch v12 response, 50 partitions', Fetch.response, fetchResponse, 65_536, {
    decode: decodeFetchResponseByHand,
    encode: encodeFetchResponseByHand,
  }),
  subject('Metadata v12 response, 200 topics', Metadata.response, metadataResponse, 131_072, {
    decode: decodeMetadataByHand,
    encode: encodeMetadataByHand,
  }),
]

for (const { name, bytes, decode, encode, decodeByHand, encodeByHand } of subjects) {
  const value = decode(bytes) as never
  assert.deepEqual(decodeByHand(bytes), value)
  assert.deepEqual(Buffer.from(encodeByHand(value)), Buffer.concat(encode(value)))
  bench(`${name} decode, compiled`, () => do_not_optimize(decode(bytes)))
  bench(`${name} decode, by hand`, () => do_not_optimize(decodeByHand(bytes)))
  bench(`${name} encode, compiled`, () => do_not_optimize(encode(value)))
  bench(`${name} encode, by hand`, () => do_not_optimize(encodeByHand(value)))
}

const { benchmarks } = await run({ format: 'quiet' })
const micros = (name: string): number => {
  const result = benchmarks.find(({ alias }) => alias === name)?.runs[0]?.stats
  assert.ok(result !== undefined, `${name} was not measured`)
  // The least disturbed sample: the machine may be busy otherwise.
  return result.min / 1000
}
for (const { name } of subjects) {
  const [decode, decodeByHand, encode, encodeByHand] = ['decode', 'encode'].flatMap((step) => [
    micros(`${name} ${step}, compiled`),
    micros(`${name} ${step}, by hand`),
  ]) as [number, number, number, number]
  const ratio = (decode + encode) / (decodeByHand + encodeByHand)
  const show = (compiled: number, byHand: number): string =>
    `${compiled.toFixed(2)} µs, by hand ${byHand.toFixed(2)} µs, ratio ${(compiled / byHand).toFixed(2)}`
  console.log(
    `${name}: decode ${show(decode, decodeByHand)}; encode ${show(encode, encodeByHand)}; both ${ratio.toFixed(2)}`,
  )
}
