/**
 * What a record carries on its way to a retry or dead letter topic: where it was read first, how often it was handled, and what went wrong. Names are
 * those of Kafka's own dead letters (KIP-1191, KIP-1034), values are text. See docs/decisions/0017.
 */
import type { ConsumerRecord } from '../../../record.ts'

export const failureHeaders = {
  /** Where the record was read first, in decimal digits as everything that is a number. */
  topic: '__dlq.errors.topic',
  partition: '__dlq.errors.partition',
  offset: '__dlq.errors.offset',
  /** Ms since the epoch. */
  timestamp: '__dlq.errors.timestamp',
  group: '__dlq.errors.group',
  /** Times the record was handled. */
  attempts: '__dlq.errors.delivery.count',
  /** Name, message and stack of what was thrown last; the latter two cut when they are long. */
  exception: '__dlq.errors.exception',
  message: '__dlq.errors.message',
  stacktrace: '__dlq.errors.stacktrace',
  /** When it was thrown, in ms since the epoch. */
  time: '__dlq.errors.time',
  /** Only in retry topics: not to be handled before, in ms since the epoch. */
  due: '__dlq.errors.retry.due',
} as const

const prefix = '__dlq.errors.'
const maxMessageBytes = 1_024
const maxStackBytes = 4_096

/** Where a record was read first. */
export interface Origin {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
}

/** What a record of a retry topic says of itself. */
export interface Passage {
  readonly origin: Origin
  /** Times it was handled. */
  readonly attempts: number
  /** 0: at once. */
  readonly dueMs: number
}

/** Null when the record was not put there by a consumer like this. */
export function passageOf(record: ConsumerRecord<unknown, unknown>): Passage | null {
  const topic = textOf(record, failureHeaders.topic)
  const partition = numberOf(record, failureHeaders.partition)
  const offset = textOf(record, failureHeaders.offset)
  const attempts = numberOf(record, failureHeaders.attempts)
  if (topic === null || partition === null || offset === null || !/^\d{1,19}$/.test(offset) || attempts === null)
    return null
  const timestamp = numberOf(record, failureHeaders.timestamp) ?? record.timestamp
  const dueMs = numberOf(record, failureHeaders.due) ?? 0
  return { origin: { topic, partition, offset: BigInt(offset), timestamp }, attempts, dueMs }
}

export interface FailedRecord {
  readonly record: ConsumerRecord<unknown, unknown>
  readonly origin: Origin
  readonly groupId: string | null
  readonly attempts: number
  /** What was thrown, undefined too. Not there: nothing went wrong with this record itself. */
  readonly error?: unknown
  readonly nowMs: number
  /** Null: it is not to be handled again. */
  readonly dueMs: number | null
}

export type HeaderList = readonly (readonly [name: string, value: string | Uint8Array | null])[]

/** The record's own headers, and behind them those that say what happened. Those of an earlier failure are replaced. */
export function headersFor(failed: FailedRecord): HeaderList {
  const { record, origin, groupId, attempts, nowMs, dueMs } = failed
  const headers: [string, string | Uint8Array | null][] = []
  for (const { key, value } of record.headers) if (!key.startsWith(prefix)) headers.push([key, value])
  headers.push(
    [failureHeaders.topic, origin.topic],
    [failureHeaders.partition, String(origin.partition)],
    [failureHeaders.offset, String(origin.offset)],
    [failureHeaders.timestamp, String(origin.timestamp)],
    [failureHeaders.attempts, String(attempts)],
  )
  if (groupId !== null) headers.push([failureHeaders.group, groupId])
  if ('error' in failed) {
    const { name, message, stack } = described(failed.error)
    headers.push(
      [failureHeaders.exception, cut(name, maxMessageBytes)],
      [failureHeaders.message, cut(message, maxMessageBytes)],
      [failureHeaders.time, String(nowMs)],
    )
    if (stack !== undefined) headers.push([failureHeaders.stacktrace, cut(stack, maxStackBytes)])
  }
  if (dueMs !== null) headers.push([failureHeaders.due, String(dueMs)])
  return headers
}

/** Without what may be long: for records that are near the largest a broker takes. */
export function shortened(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => name !== failureHeaders.stacktrace && name !== failureHeaders.message)
}

/** Whatever may have been thrown, and however it behaves. */
function described(error: unknown): { name: string; message: string; stack?: string } {
  try {
    if (error instanceof Error) {
      const { name, message, stack } = error
      return { name: String(name), message: String(message), ...(stack === undefined ? {} : { stack: String(stack) }) }
    }
    return { name: typeof error, message: String(error) }
  } catch {
    return { name: typeof error, message: 'it cannot be shown' }
  }
}

/** At most so many bytes of UTF-8, ending between characters. */
function cut(text: string, maxBytes: number): string {
  // A character of UTF-16 is one byte at least, so what is beyond does not count.
  const bytes = Buffer.from(text.slice(0, maxBytes), 'utf8')
  if (bytes.length <= maxBytes) return bytes.toString('utf8')
  let end = maxBytes
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

function textOf(record: ConsumerRecord<unknown, unknown>, name: string): string | null {
  const value = record.header(name)
  return value === undefined || value === null ? null : Buffer.from(value).toString('utf8')
}

function numberOf(record: ConsumerRecord<unknown, unknown>, name: string): number | null {
  const text = textOf(record, name)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}
