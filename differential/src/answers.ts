/** Holds two answers against each other, field by field along the declaration. */
import { isDeepStrictEqual } from 'node:util'
import type { AnyField, Shape } from '@millrace/protocol'
import { batchesIn } from './batches.ts'
import type { Id, Identities } from './identities.ts'

export interface Difference {
  /** Like `topics[0].partitions[1].errorCode`. */
  readonly path: string
  readonly kafka: unknown
  readonly ours: unknown
}

/** What each broker chooses for itself; both must choose consistently. */
const identityFields = new Set([
  'memberId',
  'leader',
  'producerId',
  'previousProducerId',
  'nextProducerId',
  'topicId',
  'clusterId',
  /** Over topic ids. */
  'metadataHash',
])
/** Clocks differ; that a time is given or is not (-1, 0) must not. */
const timeFields =
  /^(logAppendTimeMs|lastTimestamp|transactionStartTimeMs|transactionStartTimestampMs|transactionLastUpdateTimestampMs|commitTimestamp|expireTimestamp|currentStateTimestamp|assignmentTimestamp|createTimestamp|writeTimestamp|timestamp)$/
/** Not compared: how the brokers are reached. */
const unequalFields = new Set(['throttleTimeMs', 'port', 'host', 'clientHost'])
/** Lists that come out of a hash map in Kafka, by message and path without indexes. */
const unorderedLists = new Set([
  'JoinGroup response members',
  'DescribeGroups response groups.members',
  'ListGroups response groups',
  'ListOffsets response topics',
  'ListOffsets response topics.partitions',
  'DeleteGroups response results',
  'OffsetFetch response topics',
  'OffsetFetch response topics.partitions',
  'OffsetFetch response groups.topics',
  'OffsetFetch response groups.topics.partitions',
  'WriteTxnMarkers response markers.topics',
  'WriteTxnMarkers response markers.topics.partitions',
  'ListTransactions response transactionStates',
  'ListTransactions response unknownStateFilters',
  'DescribeTransactions response transactionStates.topics',
  'DescribeTransactions response transactionStates.topics.partitions',
  'DescribeProducers response topics.partitions.activeProducers',
  'AddPartitionsToTxn response resultsByTransaction.topicResults',
  'AddPartitionsToTxn response resultsByTransaction.topicResults.resultsByPartition',
  'AddPartitionsToTxn response resultsByTopicV3AndBelow',
  'AddPartitionsToTxn response resultsByTopicV3AndBelow.resultsByPartition',
  'GroupMetadata value members',
  'ConsumerGroupHeartbeat response assignment.topicPartitions',
  'ConsumerGroupHeartbeat response assignment.topicPartitions.partitions',
  'ConsumerGroupDescribe response groups',
  'ConsumerGroupDescribe response groups.members',
  'ConsumerGroupDescribe response groups.members.subscribedTopicNames',
  'ConsumerGroupDescribe response groups.members.assignment.topicPartitions',
  'ConsumerGroupDescribe response groups.members.assignment.topicPartitions.partitions',
  'ConsumerGroupDescribe response groups.members.targetAssignment.topicPartitions',
  'ConsumerGroupDescribe response groups.members.targetAssignment.topicPartitions.partitions',
  'ConsumerGroupTargetAssignmentMember value topicPartitions',
  'ConsumerGroupTargetAssignmentMember value topicPartitions.partitions',
  'ConsumerGroupCurrentMemberAssignment value assignedPartitions',
  'ConsumerGroupCurrentMemberAssignment value partitionsPendingRevocation',
  'ShareFetch response responses',
  'ShareFetch response responses.partitions',
  'ShareAcknowledge response responses',
  'ShareAcknowledge response responses.partitions',
  'ShareGroupHeartbeat response assignment.topicPartitions',
  'ShareGroupHeartbeat response assignment.topicPartitions.partitions',
  'ShareGroupDescribe response groups',
  'ShareGroupDescribe response groups.members',
  'ShareGroupDescribe response groups.members.subscribedTopicNames',
  'ShareGroupDescribe response groups.members.assignment.topicPartitions',
  'ShareGroupDescribe response groups.members.assignment.topicPartitions.partitions',
  'TransactionLog value transactionPartitions',
  'TransactionLog value transactionPartitions.partitionIds',
])

/** Lists whose elements are known by one of their fields: compared one by one, whatever their order. */
const keyedLists: ReadonlyMap<string, string> = new Map([
  ['ApiVersions response apiKeys', 'apiKey'],
  ['ApiVersions response supportedFeatures', 'name'],
  ['ApiVersions response finalizedFeatures', 'name'],
  ['DescribeConfigs response results.configs', 'name'],
])

export class AnswerComparison {
  readonly differences: Difference[] = []
  readonly #message: string
  readonly #identities: Identities

  readonly #isOwn: (name: string) => boolean

  /** Lists of groups are compared for those that are `isOwn`: what others have left behind comes to its end at any time. */
  constructor(message: string, identities: Identities, isOwn: (name: string) => boolean = () => true) {
    this.#message = message
    this.#identities = identities
    this.#isOwn = isOwn
  }

  /** Adds what differs to `differences`. Returns the answer with names for ids: Kafka's where the two differ. */
  struct(fields: Shape, kafka: object, ours: object, path = ''): Record<string, unknown> {
    const named: Record<string, unknown> = {}
    if (fields.assignmentEpochs !== undefined)
      [kafka, ours] = [byPartition(kafka as Assigned), byPartition(ours as Assigned)]
    for (const [name, field] of Object.entries(fields)) {
      const [one, other] = [kafka[name as never] as unknown, ours[name as never] as unknown]
      named[name] = this.#value(field, name, one, other, path === '' ? name : `${path}.${name}`)
    }
    return named
  }

  #value(field: AnyField, name: string, kafka: unknown, ours: unknown, path: string): unknown {
    if (kafka === null || ours === null || kafka === undefined || ours === undefined) {
      if (kafka !== ours) this.#differs(path, kafka, ours)
      return kafka
    }
    if (field.kind === 'array') return this.#list(field.element!, name, kafka as unknown[], ours as unknown[], path)
    if (field.kind === 'struct') return this.struct(field.fields!, kafka as object, ours as object, path)
    if (field.kind === 'records') {
      const one = batchesIn(kafka as Uint8Array, 'kafka', this.#identities)
      const other = batchesIn(ours as Uint8Array, 'ours', this.#identities)
      if (!isDeepStrictEqual(one, other)) this.#differs(path, one, other)
      return one
    }
    if (kafka instanceof Uint8Array && ours instanceof Uint8Array) {
      if (Buffer.compare(kafka, ours) !== 0) this.#differs(path, hex(kafka), hex(ours))
      return kafka
    }
    if (identityFields.has(name)) return this.#identity(name, kafka as Id, ours as Id, path)
    if (unequalFields.has(name)) return kafka
    if (timeFields.test(name)) {
      if (isTime(kafka) !== isTime(ours) || (!isTime(kafka) && kafka !== ours)) this.#differs(path, kafka, ours)
      return kafka
    }
    if (kafka !== ours) this.#differs(path, kafka, ours)
    return kafka
  }

  #identity(name: string, kafka: Id, ours: Id, path: string): Id {
    const isNone = (id: Id) => id === '' || id === -1n || id === 'AAAAAAAAAAAAAAAAAAAAAA'
    if (isNone(kafka) || isNone(ours)) {
      if (kafka !== ours) this.#differs(path, kafka, ours)
      return kafka
    }
    const named = this.#identities.nameOf(kafka, ours, name)
    if (named !== null) return named
    this.#differs(path, this.#identities.describe(kafka, 'kafka'), this.#identities.describe(ours, 'ours'))
    return kafka
  }

  #list(element: AnyField, name: string, kafka: unknown[], ours: unknown[], path: string): unknown[] {
    const list = `${this.#message} ${path.replaceAll(/\[\d+\]/g, '')}`
    const key = keyedLists.get(list)
    if (list === 'ListGroups response groups') [kafka, ours] = [this.#own(kafka), this.#own(ours)]
    if (key !== undefined) return this.#keyedList(element, { name, key }, kafka, ours, path)
    if (unorderedLists.has(list)) {
      kafka = this.#sorted(element, kafka, 'kafka')
      ours = this.#sorted(element, ours, 'ours')
    }
    if (kafka.length !== ours.length) {
      this.#differs(path, kafka, ours)
      return kafka
    }
    return kafka.map((one, index) => this.#value(element, name, one, ours[index], `${path}[${index}]`))
  }

  #own(groups: unknown[]): unknown[] {
    return groups.filter((group) => this.#isOwn((group as { groupId: string }).groupId))
  }

  #keyedList(
    element: AnyField,
    { name, key }: { name: string; key: string },
    kafka: unknown[],
    ours: unknown[],
    path: string,
  ): unknown[] {
    const keyOf = (one: unknown) => (one as Record<string, string | number>)[key]!
    for (const one of ours) {
      if (!kafka.some((other) => keyOf(other) === keyOf(one))) this.#differs(`${path}[${keyOf(one)}]`, undefined, one)
    }
    return kafka.map((one) => {
      const counterpart = ours.find((other) => keyOf(other) === keyOf(one))
      return this.#value(element, name, one, counterpart, `${path}[${keyOf(one)}]`)
    })
  }

  /** By content; ids that are not paired yet do not count. */
  #sorted(element: AnyField, list: readonly unknown[], side: 'kafka' | 'ours'): unknown[] {
    const keyed = list.map((value) => ({ value, key: JSON.stringify(this.#keyOf(element, '', value, side)) }))
    return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ value }) => value)
  }

  #keyOf(field: AnyField, name: string, value: unknown, side: 'kafka' | 'ours'): unknown {
    if (value === null || value === undefined) return null
    if (identityFields.has(name)) return this.#identities.describe(value as Id, side)
    if (unequalFields.has(name) || timeFields.test(name)) return '?'
    if (field.kind === 'array')
      return (value as unknown[]).map((one) => JSON.stringify(this.#keyOf(field.element!, name, one, side))).sort()
    if (field.kind === 'struct')
      return Object.entries(field.fields!).map(([key, part]) => this.#keyOf(part, key, value[key as never], side))
    if (value instanceof Uint8Array) return hex(value)
    return typeof value === 'bigint' ? String(value) : value
  }

  #differs(path: string, kafka: unknown, ours: unknown): void {
    this.differences.push({ path, kafka, ours })
  }
}

interface Assigned {
  readonly partitions: readonly number[]
  readonly assignmentEpochs: readonly number[] | null
}

/** Partitions in their order, each with its epoch. */
function byPartition(assigned: Assigned): Assigned {
  const { partitions, assignmentEpochs } = assigned
  const order = partitions.map((_, index) => index).sort((a, b) => partitions[a]! - partitions[b]!)
  return {
    ...assigned,
    partitions: order.map((index) => partitions[index]!),
    assignmentEpochs: assignmentEpochs === null ? null : order.map((index) => assignmentEpochs[index]!),
  }
}

/** A time of today, as opposed to 0 and -1. */
function isTime(value: unknown): boolean {
  return BigInt(value as bigint) > 1_000_000_000_000n
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
