/**
 * Messages of magic 0 and 1, from before Kafka 0.11: offset int64 · size int32 · crc int32 (CRC-32 IEEE of the rest) · magic int8 ·
 * attributes int8 (bits 0-2 codec, 3 LogAppendTime) · [magic 1: timestamp int64] · key int32 length (-1 null) + bytes · value alike.
 *
 * A compressed set is one wrapper message whose value unpacks to messages. Inner offsets of magic 0 are absolute; of magic 1 they
 * count from 0 and the wrapper has the absolute offset of the last one. A wrapper with LogAppendTime gives its timestamp to all.
 */
import { ErrorCode, KafkaError } from '../errors.ts'
import { BASE_OFFSET_AT, BATCH_LENGTH_AT, LOG_OVERHEAD, MAGIC_AT, type TimestampType } from './batch.ts'
import { wholeBatchSize } from './batches.ts'
import { readInt32, readInt64, readUint32, writeInt32, writeInt64 } from './big-endian.ts'
import { compress, Compression, decompress } from './compression.ts'
import type { RecordView } from './record.ts'
import { zlib } from './zlib.ts'

const messageCrcAt = LOG_OVERHEAD
export const MESSAGE_ATTRIBUTES_AT = MAGIC_AT + 1
export const MESSAGE_TIMESTAMP_AT = MESSAGE_ATTRIBUTES_AT + 1
const logAppendTimeFlag = 0x08
const firstSetCapacity = 1024

/** Position of the key's length in an entry. */
const keyAt = (magic: number): number => MESSAGE_TIMESTAMP_AT + (magic === 0 ? 0 : 8)

/** Of an entry with null key and value. */
export const emptyEntrySize = (magic: number): number => keyAt(magic) + 8

export const messageCompression = (bytes: Uint8Array, at: number): number => bytes[at + MESSAGE_ATTRIBUTES_AT]! & 0x07

/** -1n for magic 0. */
export const messageTimestamp = (bytes: Uint8Array, at: number): bigint =>
  bytes[at + MAGIC_AT] === 0 ? -1n : readInt64(bytes, at + MESSAGE_TIMESTAMP_AT)

export const messageTimestampType = (bytes: Uint8Array, at: number): TimestampType =>
  bytes[at + MAGIC_AT] === 0 || (bytes[at + MESSAGE_ATTRIBUTES_AT]! & logAppendTimeFlag) === 0
    ? 'CreateTime'
    : 'LogAppendTime'

/** Whether the stored checksum of the whole entry at `at` is right. */
export function isMessageIntact(bytes: Uint8Array, at: number): boolean {
  const end = at + LOG_OVERHEAD + readInt32(bytes, at + BATCH_LENGTH_AT)
  return zlib().crc32(bytes.subarray(at + MAGIC_AT, end)) === readUint32(bytes, at + messageCrcAt)
}

/** A message as read, with what only matters for checking it. */
export interface MessageView extends RecordView {
  readonly magic: number
  readonly timestampType: TimestampType
}

/**
 * The messages of the whole entry at `at`, one by one: itself, or all inside it when it is a wrapper. Checksums of inner messages
 * are verified, its own is not.
 * @throws KafkaError CORRUPT_MESSAGE for a bad inner checksum or bad compressed data, INVALID_RECORD for a malformed entry, a
 * wrapper in a wrapper, zstd (which these formats do not have) or an empty wrapper, MESSAGE_TOO_LARGE as `decompress`.
 */
export function* readMessages(
  bytes: Uint8Array,
  at: number,
  maxDecompressedBytes: number,
): Generator<MessageView, void> {
  const end = at + LOG_OVERHEAD + readInt32(bytes, at + BATCH_LENGTH_AT)
  const outer = readMessage(bytes, at, end)
  const codec = messageCompression(bytes, at)
  if (codec === Compression.NONE) {
    yield outer
    return
  }
  if (codec === Compression.ZSTD) throw invalid(at, `magic ${outer.magic} does not have zstd`)
  if (outer.value === null) throw invalid(at, 'a compressed message has no value')
  const inner = decompress(codec, outer.value, maxDecompressedBytes, outer.magic)
  const lastAt = checkInner(inner)
  if (lastAt < 0) throw invalid(at, 'a compressed set holds no messages')
  // Some versions of librdkafka produce wrappers with offset 0.
  const lastOffset = readInt64(inner, lastAt)
  const isRelative = outer.magic === 1
  const first = isRelative && outer.offset !== 0n ? outer.offset - lastOffset : 0n
  if (first < 0n)
    throw invalid(at, `the wrapper's offset ${outer.offset} is below that of its last message, ${lastOffset}`)
  for (let innerAt = 0; innerAt < inner.length;) {
    const innerEnd = innerAt + wholeBatchSize(inner, innerAt, inner.length)
    const message = readMessage(inner, innerAt, innerEnd)
    yield isRelative
      ? {
          ...message,
          offset: first + message.offset,
          timestamp: outer.timestampType === 'LogAppendTime' ? outer.timestamp : message.timestamp,
          timestampType: outer.timestampType,
        }
      : message
    innerAt = innerEnd
  }
}

/** Checks the messages of an unpacked set. Returns where the last one is, -1 without any. */
function checkInner(inner: Uint8Array): number {
  let last = -1
  for (let at = 0; at < inner.length;) {
    const size = wholeBatchSize(inner, at, inner.length)
    if (size === 0) throw invalid(at, 'the last message of a compressed set is cut off')
    if (inner[at + MAGIC_AT]! > 1) throw invalid(at, 'a compressed set holds a batch of magic 2')
    if (!isMessageIntact(inner, at))
      throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `the message at ${at} of a compressed set has a wrong checksum`)
    if (messageCompression(inner, at) !== Compression.NONE)
      throw invalid(at, 'a message within a compressed set is compressed itself')
    last = at
    at += size
  }
  return last
}

function readMessage(bytes: Uint8Array, at: number, end: number): MessageView {
  const magic = bytes[at + MAGIC_AT]!
  if (end - at < emptyEntrySize(magic)) throw invalid(at, `a message of magic ${magic} cannot have ${end - at} bytes`)
  let position = at + keyAt(magic)
  const keyLength = readInt32(bytes, position)
  position += 4
  const key = keyLength < 0 ? null : bytes.subarray(position, position + keyLength)
  if (keyLength > 0) position += keyLength
  if (end - position < 4) throw invalid(at, `its key of ${keyLength} bytes does not fit`)
  const valueLength = readInt32(bytes, position)
  position += 4
  const value = valueLength < 0 ? null : bytes.subarray(position, position + valueLength)
  if (position + Math.max(0, valueLength) !== end)
    throw invalid(at, `its value has ${valueLength} bytes, ${end - position} are left`)
  return {
    magic,
    offset: readInt64(bytes, at + BASE_OFFSET_AT),
    timestamp: messageTimestamp(bytes, at),
    timestampType: messageTimestampType(bytes, at),
    key,
    value,
    headers: [],
  }
}

export interface MessageSetOptions {
  readonly magic: 0 | 1
  readonly compression?: number
  readonly compressionLevel?: number
  /** With LogAppendTime all messages get `logAppendTime`. */
  readonly timestampType?: TimestampType
  readonly logAppendTime?: bigint
}

/** Messages with the offsets of the records; one wrapper when compressed. Headers do not exist here and are left out. */
export function writeMessageSet(records: Iterable<RecordView>, options: MessageSetOptions): Uint8Array {
  const { magic, compression = Compression.NONE } = options
  if (compression === Compression.ZSTD)
    throw new KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, `magic ${magic} does not have zstd`)
  const appendTime = options.timestampType === 'LogAppendTime' ? (options.logAppendTime ?? -1n) : null
  const typeFlag = appendTime === null ? 0 : logAppendTimeFlag
  const isWrapped = compression !== Compression.NONE

  let set = new Uint8Array(firstSetCapacity)
  let size = 0
  let firstOffset: bigint | null = isWrapped && magic === 1 ? null : 0n
  let lastOffset = -1n
  let maxTimestamp = -1n
  for (const { offset, timestamp, key, value } of records) {
    firstOffset ??= offset
    lastOffset = offset
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    const needed = size + emptyEntrySize(magic) + (key?.length ?? 0) + (value?.length ?? 0)
    if (needed > set.length) {
      const grown = new Uint8Array(Math.max(needed, set.length * 2))
      grown.set(set.subarray(0, size))
      set = grown
    }
    const stamp = appendTime ?? timestamp
    size = writeMessage(set, size, magic, {
      offset: offset - firstOffset,
      attributes: typeFlag,
      timestamp: stamp,
      key,
      value,
    })
  }
  if (!isWrapped || size === 0) return set.subarray(0, size)
  const value = compress(compression, set.subarray(0, size), options.compressionLevel, magic)
  const wrapper = new Uint8Array(emptyEntrySize(magic) + value.length)
  const attributes = compression | typeFlag
  writeMessage(wrapper, 0, magic, {
    offset: lastOffset,
    attributes,
    timestamp: appendTime ?? maxTimestamp,
    key: null,
    value,
  })
  return wrapper
}

interface NewMessage {
  readonly offset: bigint
  readonly attributes: number
  readonly timestamp: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

function writeMessage(bytes: Uint8Array, at: number, magic: 0 | 1, message: NewMessage): number {
  let position = at + keyAt(magic)
  for (const part of [message.key, message.value]) {
    writeInt32(bytes, position, part === null ? -1 : part.length)
    if (part !== null) bytes.set(part, position + 4)
    position += 4 + (part?.length ?? 0)
  }
  writeInt64(bytes, at, message.offset)
  writeInt32(bytes, at + BATCH_LENGTH_AT, position - at - LOG_OVERHEAD)
  bytes[at + MAGIC_AT] = magic
  bytes[at + MESSAGE_ATTRIBUTES_AT] = magic === 0 ? message.attributes & 0x07 : message.attributes
  if (magic === 1) writeInt64(bytes, at + MESSAGE_TIMESTAMP_AT, message.timestamp)
  writeInt32(bytes, at + messageCrcAt, zlib().crc32(bytes.subarray(at + MAGIC_AT, position)))
  return position
}

function invalid(at: number, problem: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_RECORD, `message at ${at}: ${problem}`)
}
