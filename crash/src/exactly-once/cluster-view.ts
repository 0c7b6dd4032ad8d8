/** What the broker under test says, asked over connections that are opened anew when it was away. */
import { connectToBroker, type BrokerConnection } from '@millrace/network'
import {
  CreateTopics,
  ErrorCode,
  errorName,
  forEachBatch,
  isControl,
  isTransactional,
  ListOffsets,
  Metadata,
  OffsetFetch,
  producerEpoch,
  producerId,
  ControlType,
  readControlRecord,
  readRecords,
} from '@millrace/protocol'
import { nodeRuntime } from '@millrace/runtime'
import { fetchPartition } from '../fetch-partition.ts'
import type { LogEntry } from './log-entry.ts'

const { clock, transport } = nodeRuntime()
const requestTimeoutMs = 10_000
/** The last versions that name topics by name. */
const metadataVersion = 9
const offsetFetchVersion = 8

export class ClusterView implements AsyncDisposable {
  readonly #port: number
  #connection: BrokerConnection | null = null

  constructor(port: number) {
    this.#port = port
  }

  /** @throws Error when it was not created. */
  async createTopic(name: string, partitions: number): Promise<void> {
    const { topics } = await this.#ask((broker) =>
      broker.send(CreateTopics, {
        topics: [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: topicConfigs }],
        timeoutMs: requestTimeoutMs,
        validateOnly: false,
      }),
    )
    const { errorCode, errorMessage } = topics[0]!
    if (errorCode !== ErrorCode.NONE) throw new Error(`creating ${name}: ${errorName(errorCode)} ${errorMessage}`)
  }

  /** The high watermark of each partition, or the last stable offset of each. */
  async ends(topic: string, isolation: 'read_uncommitted' | 'read_committed'): Promise<bigint[]> {
    const partitions = await this.#partitionCount(topic)
    const { topics } = await this.#ask((broker) =>
      broker.send(ListOffsets, {
        replicaId: -1,
        isolationLevel: isolation === 'read_committed' ? 1 : 0,
        topics: [
          { name: topic, partitions: indexes(partitions).map((at) => ({ partitionIndex: at, timestamp: -1n })) },
        ],
        timeoutMs: requestTimeoutMs,
      }),
    )
    const answers = topics[0]!.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    for (const { partitionIndex, errorCode } of answers)
      if (errorCode !== ErrorCode.NONE) throw new Error(`${topic}-${partitionIndex}: ${errorName(errorCode)}`)
    return answers.map(({ offset }) => offset)
  }

  /** Of each partition what the group has committed; 0 where it has not. Offsets of open transactions do not count. */
  async committedOffsets(group: string, topic: string, partitions: number): Promise<bigint[]> {
    const { groups } = await this.#ask((broker) =>
      broker.send(
        OffsetFetch,
        {
          groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: indexes(partitions) }] }],
          requireStable: false,
        },
        { version: offsetFetchVersion },
      ),
    )
    const { errorCode, topics } = groups[0]!
    if (errorCode !== ErrorCode.NONE) throw new Error(`group ${group}: ${errorName(errorCode)}`)
    const answers = topics[0]!.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    return answers.map(({ committedOffset }) => (committedOffset < 0n ? 0n : committedOffset))
  }

  /** The whole log of a partition up to its high watermark. */
  async log(topic: string, partition: number): Promise<LogEntry[]> {
    const end = (await this.ends(topic, 'read_uncommitted'))[partition]!
    const entries: LogEntry[] = []
    for (let offset = 0n; offset < end;) {
      const before = offset
      const bytes = await this.#fetch(topic, partition, offset)
      forEachBatch(bytes, (at, sizeBytes) => {
        for (const entry of entriesOf(bytes.subarray(at, at + sizeBytes))) {
          if (entry.offset < offset) continue
          entries.push(entry)
          offset = entry.offset + 1n
        }
      })
      if (offset === before) throw new Error(`${topic}-${partition}: nothing could be read at ${offset}`)
    }
    return entries
  }

  async #partitionCount(topic: string): Promise<number> {
    const { topics } = await this.#ask((broker) =>
      broker.send(Metadata, { topics: [{ name: topic }], allowAutoTopicCreation: false }, { version: metadataVersion }),
    )
    const { errorCode, partitions } = topics[0]!
    if (errorCode !== ErrorCode.NONE) throw new Error(`${topic}: ${errorName(errorCode)}`)
    return partitions.length
  }

  async #fetch(topic: string, partition: number, fetchOffset: bigint): Promise<Uint8Array> {
    const { errorCode, records } = await this.#ask((broker) =>
      fetchPartition(broker, { topic, partition, fetchOffset }),
    )
    if (errorCode !== ErrorCode.NONE)
      throw new Error(`${topic}-${partition} at ${fetchOffset}: ${errorName(errorCode)}`)
    return records ?? new Uint8Array(0)
  }

  /** After any failure the next request goes over a new connection. */
  async #ask<T>(send: (broker: BrokerConnection) => Promise<T>): Promise<T> {
    try {
      this.#connection ??= await connectToBroker(
        transport,
        { host: '127.0.0.1', port: this.#port },
        { clock, clientId: 'exactly-once', connectTimeoutMs: requestTimeoutMs, requestTimeoutMs },
      )
      return await send(this.#connection)
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    await connection?.[Symbol.asyncDispose]()
  }
}

/** Small segments, so that transactions lie across rolls. */
const topicConfigs = [{ name: 'segment.bytes', value: '1048576' }]

const indexes = (partitions: number): number[] => Array.from({ length: partitions }, (_, index) => index)

function entriesOf(batch: Uint8Array): LogEntry[] {
  const producer = { producerId: producerId(batch, 0), producerEpoch: producerEpoch(batch, 0) }
  if (isControl(batch, 0)) {
    const marker = readControlRecord(batch)
    const [record] = readRecords(batch)
    if (marker === null || record === undefined) return []
    return [{ kind: 'marker', offset: record.offset, ...producer, commits: marker.type === ControlType.COMMIT }]
  }
  return [...readRecords(batch)].map(({ offset, value, headers }): LogEntry => {
    const name = headers.find(({ key }) => key === 'transaction')?.value
    return {
      kind: 'data',
      offset,
      value: Buffer.from(value ?? []).toString(),
      ...producer,
      isTransactional: isTransactional(batch, 0),
      transaction: name === null || name === undefined ? null : Buffer.from(name).toString(),
    }
  })
}
