/** Messages as KafkaJS has them, and as the client has them. */
import type { ConsumerRecord, ProducerRecord } from '@millrace/client'

export interface IHeaders {
  [key: string]: Buffer | string | (Buffer | string)[] | undefined
}

export interface Message {
  key?: Buffer | string | null
  value: Buffer | string | null
  partition?: number
  headers?: IHeaders
  /** Milliseconds since the epoch. */
  timestamp?: string
}

interface Entry {
  key: Buffer | null
  value: Buffer | null
  timestamp: string
  attributes: number
  offset: string
}

/** Handlers are given the first. The second is what KafkaJS reads from logs older than Kafka 0.11, and what tests of its programs make. */
export type KafkaMessage = (Entry & { headers: IHeaders; size?: never }) | (Entry & { size: number; headers?: never })

export type Bytes = Uint8Array | string

export function recordFrom(
  topic: string,
  message: Message,
  partition = message.partition,
): ProducerRecord<Bytes, Bytes> {
  const { key, value, headers, timestamp } = message
  return {
    topic,
    key: bytesFrom(key),
    value: bytesFrom(value),
    ...(partition === undefined || partition === null ? {} : { partition }),
    ...(headers === undefined || headers === null ? {} : { headers: headerList(headers) }),
    ...(timestamp === undefined || timestamp === null ? {} : { timestamp: Number(timestamp) }),
  }
}

export function messageFrom(record: ConsumerRecord<Uint8Array, Uint8Array>): KafkaMessage {
  return {
    key: asBuffer(record.rawKey),
    value: asBuffer(record.rawValue),
    timestamp: String(record.timestamp),
    attributes: 0,
    offset: record.offset.toString(),
    headers: headersFrom(record),
  }
}

/** Programs in JavaScript give numbers and more; KafkaJS sends what they read as. */
export function bytesFrom(value: unknown): Bytes | null {
  if (value === undefined || value === null) return null
  return value instanceof Uint8Array ? value : `${value as string}`
}

/** A value in a list is a header of its own. */
function headerList(headers: IHeaders): [string, Bytes | null][] {
  const list: [string, Bytes | null][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) list.push([name, bytesFrom(one)])
  }
  return list
}

/** Headers of one name become a list. */
function headersFrom({ headers }: ConsumerRecord<Uint8Array, Uint8Array>): IHeaders {
  const byName: IHeaders = {}
  for (const { key, value } of headers) {
    const bytes = value === null ? undefined : asBuffer(value)!
    const present = byName[key]
    if (!(key in byName)) byName[key] = bytes
    else if (bytes !== undefined)
      byName[key] = Array.isArray(present) ? [...present, bytes] : present === undefined ? bytes : [present, bytes]
  }
  return byName
}

function asBuffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
