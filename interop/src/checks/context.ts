// What the checks of one run share.
import type { RunningBroker } from '../brokers/broker.ts'
import type { Codec, ForeignClient, Session } from '../clients/foreign-client.ts'
import type { Header, TestRecord } from '../corpus.ts'
import type { Expected, ReadRecord } from '../expect.ts'
import type { Report } from '../report.ts'

/** A partition that a client filled, and what must be read from it. */
export interface WrittenPartition {
  readonly writer: string
  readonly topic: string
  readonly partition: number
  readonly codec: Codec
  readonly expected: Expected
}

export interface Context {
  readonly broker: RunningBroker
  readonly report: Report
  readonly written: WrittenPartition[]
  /** Timestamp of the first record of every corpus: an hour ago, so that retention keeps it. */
  readonly corpusStartMs: number
  /** An empty folder for small files. */
  readonly scratchDirectory: string
}

export interface OpenClient {
  readonly client: ForeignClient
  readonly session: Session
}

const encode = (bytes: Buffer | null) => bytes?.toString('base64') ?? null
const decode = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'))

/** A record as the client programs take it. */
export function toJob({ timestamp, key, value, headers }: TestRecord) {
  const encodeHeader = ({ name, value }: Header) => ({ name, value: encode(value) })
  return { timestamp, key: encode(key), value: encode(value), headers: headers.map(encodeHeader) }
}

interface JobRecord {
  offset: number
  timestamp: number
  key: string | null
  value: string | null
  headers: { name: string; value: string | null }[] | null
}

/** The records of a `consume` answer. */
export function fromAnswer(answer: unknown): ReadRecord[] {
  const { records } = answer as { records: JobRecord[] }
  return records.map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: decode(key),
    value: decode(value),
    headers: (headers ?? []).map((header) => ({ name: header.name, value: decode(header.value) })),
  }))
}

/** A client's name as a part of a topic name. */
export const topicPart = (name: string) => name.replaceAll(/[^a-zA-Z0-9-]/g, '')
