/** What the coordinators write down: the records of the internal topics on both brokers, held against each other. */
import {
  batchPositions,
  consumerOffsetsRecords,
  Fetch,
  isControl,
  isTransactional,
  ListOffsets,
  producerEpoch,
  producerId,
  readControlRecord,
  readRecords,
  recordTypeOf,
  shareGroupStateRecords,
  transactionStateRecords,
  type RecordType,
  type RecordTypes,
} from '@millrace/protocol'
import { RawClient } from '@millrace/broker/testing'
import { AnswerComparison, type Difference } from './answers.ts'
import type { Ports } from './duet.ts'
import type { Identities, Side } from './identities.ts'

const topics: ReadonlyMap<string, RecordTypes> = new Map([
  ['__consumer_offsets', consumerOffsetsRecords],
  ['__transaction_state', transactionStateRecords],
  ['__share_group_state', shareGroupStateRecords],
])

export interface RecordDifference extends Difference {
  /** Like `__consumer_offsets, record 3 (OffsetCommit)`. */
  readonly where: string
}

interface Written {
  readonly kind: string
  readonly type: RecordType | null
  /** Of the group or transactional id it is about; null for a marker, which is about a producer. */
  readonly owner: string | null
  readonly key: object
  /** Null: deletes. */
  readonly value: object | null
  readonly version: number | null
  readonly producer: { readonly id: bigint; readonly epoch: number; readonly isTransactional: boolean }
}

export class WrittenRecords {
  readonly #ports: Ports
  readonly #identities: Identities
  readonly #next = new Map<string, bigint>()

  constructor(ports: Ports, identities: Identities) {
    this.#ports = ports
    this.#identities = identities
  }

  /** From here on. */
  async skipToEnd(): Promise<void> {
    for (const side of ['kafka', 'ours'] as const) {
      const client = await RawClient.open(this.#ports[side])
      for (const topic of topics.keys()) {
        const answer = await client.ask(ListOffsets, 4, {
          replicaId: -1,
          isolationLevel: 0,
          topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
        })
        const { errorCode, offset } = answer.topics[0]!.partitions[0]!
        this.#next.set(`${side} ${topic}`, errorCode === 0 ? offset : 0n)
      }
      client.close()
    }
  }

  /** Of what was written since the last call, for owners that `isWanted`. */
  async compare(isWanted: (owner: string) => boolean): Promise<RecordDifference[]> {
    const differences: RecordDifference[] = []
    for (const topic of topics.keys()) {
      const read = async (side: Side) =>
        inOrder(
          (await this.#read(side, topic)).filter(({ owner }) => owner === null || isWanted(owner)),
          (id) => this.#identities.describe(id, side),
        )
      const [kafka, ours] = await Promise.all([read('kafka'), read('ours')])
      differences.push(...this.#compare(topic, kafka, ours))
    }
    return differences
  }

  #compare(topic: string, kafka: readonly Written[], ours: readonly Written[]): RecordDifference[] {
    const differences: RecordDifference[] = []
    for (let index = 0; index < Math.max(kafka.length, ours.length); index++) {
      const [one, other] = [kafka[index], ours[index]]
      const where = `${topic}, record ${index} (${one?.kind ?? other?.kind})`
      if (one === undefined || other === undefined || one.kind !== other.kind || one.version !== other.version) {
        differences.push({ where, path: '', kafka: told(one), ours: told(other) })
        break // what follows is about other records
      }
      const found = this.#differencesOf(one, other)
      differences.push(...found.map((difference) => ({ where, ...difference })))
    }
    return differences
  }

  #differencesOf(kafka: Written, ours: Written): Difference[] {
    const { type } = kafka
    const found: Difference[] = []
    if (type !== null) {
      const keys = new AnswerComparison(`${type.name} key`, this.#identities)
      keys.struct(type.key.fields, kafka.key, ours.key, 'key')
      const values = new AnswerComparison(`${type.name} value`, this.#identities)
      if (kafka.value !== null && ours.value !== null) values.struct(type.value.fields, kafka.value, ours.value)
      else if (kafka.value !== ours.value) found.push({ path: 'value', kafka: kafka.value, ours: ours.value })
      found.push(...keys.differences, ...values.differences)
    } else if (JSON.stringify(kafka.key) !== JSON.stringify(ours.key))
      found.push({ path: 'marker', kafka: kafka.key, ours: ours.key })
    const one = kafka.producer
    const other = ours.producer
    const isSameProducer =
      one.id === -1n || other.id === -1n
        ? one.id === other.id
        : this.#identities.nameOf(one.id, other.id, 'producerId') !== null
    if (!isSameProducer || one.epoch !== other.epoch || one.isTransactional !== other.isTransactional)
      found.push({ path: 'producer', kafka: one, ours: other })
    return found
  }

  async #read(side: Side, topic: string): Promise<Written[]> {
    const client = await RawClient.open(this.#ports[side])
    const written: Written[] = []
    const at = `${side} ${topic}`
    for (;;) {
      const answer = await client.ask(Fetch, 11, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 50_000_000,
        isolationLevel: 0,
        sessionId: 0,
        topics: [
          {
            topic,
            partitions: [{ partition: 0, fetchOffset: this.#next.get(at) ?? 0n, partitionMaxBytes: 50_000_000 }],
          },
        ],
        forgottenTopicsData: [],
        rackId: '',
      })
      const partition = answer.responses[0]?.partitions[0]
      if (partition === undefined || partition.errorCode !== 0 || !partition.records?.length) break
      for (const position of batchPositions(partition.records))
        for (const { offset, ...one } of writtenIn(topics.get(topic)!, partition.records, position)) {
          if (offset < (this.#next.get(at) ?? 0n)) continue
          this.#next.set(at, offset + 1n)
          written.push(one)
        }
    }
    client.close()
    return written
  }
}

/** Of each run of such records Kafka writes, the order is that of a hash map. */
const inNoOrder = (one: Written): boolean =>
  (one.kind === 'OffsetCommit' && one.value === null) || /^(Consumer|Share)Group/.test(one.kind)

function inOrder(written: readonly Written[], nameOf: (id: string) => string): Written[] {
  const rank = ({ key }: Written) => JSON.stringify(key, (_, part) => (typeof part === 'string' ? nameOf(part) : part))
  const ordered: Written[] = []
  for (let at = 0; at < written.length;) {
    const first = written[at]!
    let end = at + 1
    if (inNoOrder(first))
      while (end < written.length && written[end]!.kind === first.kind && inNoOrder(written[end]!)) end++
    ordered.push(...written.slice(at, end).sort((a, b) => order(rank(a), rank(b))))
    at = end
  }
  return ordered
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function told(written: Written | undefined): object | null {
  if (written === undefined) return null
  const { kind, key, value, version, producer } = written
  return { kind, key, value, version, producer }
}

function* writtenIn(types: RecordTypes, bytes: Uint8Array, at: number): Generator<Written & { offset: bigint }> {
  const producer = {
    id: producerId(bytes, at),
    epoch: producerEpoch(bytes, at),
    isTransactional: isTransactional(bytes, at),
  }
  const isMarker = isControl(bytes, at)
  for (const { offset, key, value } of readRecords(bytes, at)) {
    if (isMarker) {
      const { type, coordinatorEpoch } = readControlRecord(bytes, at)!
      const marker = { type, coordinatorEpoch }
      yield { offset, kind: 'marker', type: null, owner: null, key: marker, value: null, version: null, producer }
      continue
    }
    const type = recordTypeOf(types, key!)
    if (type === null) throw new Error(`a record of an unknown type: ${Buffer.from(key!).toString('hex')}`)
    const decodedKey = type.decodeKey(key!) as Record<string, unknown>
    yield {
      offset,
      kind: type.name,
      type,
      owner: (decodedKey.group ?? decodedKey.groupId ?? decodedKey.transactionalId) as string,
      key: decodedKey,
      value: value === null ? null : type.decodeValue(value),
      version: value === null ? null : Buffer.from(value).readInt16BE(0),
      producer,
    }
  }
}
