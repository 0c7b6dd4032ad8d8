/**
 * What the vandals find in the broker: groups of each type with members in the middle of things, an open transaction, a share session that has
 * acquired records. Frames that name these get further than those that name what does not exist.
 */
import {
  AddPartitionsToTxn,
  ConsumerGroupHeartbeat,
  CreateTopics,
  FindCoordinator,
  InitProducerId,
  JoinGroup,
  Metadata,
  OffsetCommit,
  Produce,
  RecordBatchBuilder,
  ShareFetch,
  ShareGroupHeartbeat,
  SyncGroup,
  TxnOffsetCommit,
  ZERO_UUID,
  type Api,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import { RawClient } from '@millrace/broker/testing'
import type { Dice } from './mutate.ts'

const topic = 'living'
const transactionalId = 'living-transaction'
const groupIds = ['living-classic', 'living-consumer', 'living-share']
const partitionIndexes = [0, 1, 2, 3, 4, -1, 0x7fffffff]
const epochs = [-2, -1, 0, 1, 2, 3, 0x7ffe, 0x7fff]
const offsets = [0n, 1n, 2n, 5n, 9n, 10n, -1n, -2n, 0x7fffffffffffffffn, -0x8000000000000000n]
const timesMs = [-1, 0, 1, 6000, 30_000, 1_800_000, 0x7fffffff, -0x80000000]

const defaults: ReadonlySet<unknown> = new Set(['', ZERO_UUID, 0, -1, 0n, -1n, false, null])

export class LivingState {
  /** What each field, whatever it is part of, may be set to so that it names something. */
  readonly #known = new Map<string, readonly unknown[]>()

  /** Makes, or makes again, what vandals have taken away. Whatever fails is left as it is. */
  async revive(port: number): Promise<void> {
    const client = await RawClient.open(port)
    const memberIds: string[] = ['', 'living-member']
    const producerIds: bigint[] = [-1n]
    const generations: number[] = []
    try {
      const answered = <A extends Api>(api: A, version: number, request: RequestInput<A>): Promise<Response<A>> =>
        client.ask(api, version, request)
      await answered(CreateTopics, 5, {
        timeoutMs: 5000,
        topics: [{ name: topic, numPartitions: 4, replicationFactor: 1, assignments: [], configs: [] }],
      })
      for (const [keyType, key] of [...groupIds.map((id) => [0, id] as const), [1, transactionalId] as const])
        await answered(FindCoordinator, 4, { keyType, coordinatorKeys: [key] })
      const { topics } = await answered(Metadata, 12, { topics: [{ name: topic }] })
      const topicId = topics[0]!.topicId
      this.#known.set('topicId', [topicId])

      const builder = new RecordBatchBuilder({})
      for (let at = 0; at < 10; at++) builder.append({ key: null, value: new Uint8Array(9), timestamp: 1n })
      await answered(Produce, 7, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ name: topic, partitionData: [{ index: 0, records: builder.build() }] }],
      })

      const join = { groupId: groupIds[0]!, sessionTimeoutMs: 1_800_000, rebalanceTimeoutMs: 1000 }
      const protocols = [{ name: 'range', metadata: new Uint8Array(6) }]
      const { memberId } = await answered(JoinGroup, 5, { ...join, memberId: '', protocolType: 'consumer', protocols })
      const joined = await answered(JoinGroup, 5, { ...join, memberId, protocolType: 'consumer', protocols })
      memberIds.push(joined.memberId)
      generations.push(joined.generationId)
      const { generationId } = joined
      await answered(SyncGroup, 3, { groupId: groupIds[0]!, generationId, memberId, assignments: [] })

      await answered(ConsumerGroupHeartbeat, 1, {
        groupId: groupIds[1]!,
        memberId: 'living-member',
        memberEpoch: 0,
        rebalanceTimeoutMs: 60_000,
        subscribedTopicNames: [topic],
        topicPartitions: [],
      })
      const ofShare = { groupId: groupIds[2]!, memberId: 'living-member' }
      await answered(ShareGroupHeartbeat, 1, { ...ofShare, memberEpoch: 0, subscribedTopicNames: [topic] })
      await answered(ShareFetch, 2, {
        ...ofShare,
        shareSessionEpoch: 0,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1_000_000,
        maxRecords: 5,
        batchSize: 5,
        topics: [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }],
        forgottenTopicsData: [],
      })

      const identity = await answered(InitProducerId, 4, { transactionalId, transactionTimeoutMs: 60_000 })
      const { producerId, producerEpoch } = identity
      producerIds.push(producerId, producerId + 1n)
      await answered(AddPartitionsToTxn, 3, {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions: [0, 1, 2, 3] }],
      })
      const partitions = [
        { partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: 'x'.repeat(1000) },
      ]
      await answered(OffsetCommit, 8, {
        groupId: 'living-simple',
        generationIdOrMemberEpoch: -1,
        memberId: '',
        topics: [{ name: topic, partitions }],
      })
      await answered(TxnOffsetCommit, 3, {
        transactionalId,
        groupId: 'living-simple',
        producerId,
        producerEpoch,
        topics: [{ name: topic, partitions }],
      })
    } catch (error) {
      if (!client.isClosed) console.log(`not everything could be made: ${String(error)}`)
    }
    client.close()
    this.#remember(memberIds, producerIds, generations)
  }

  /** `message` with most of its fields set to what is there, in place. */
  inhabit(message: unknown, random: Dice): unknown {
    if (Array.isArray(message)) for (const item of message) this.inhabit(item, random)
    else if (typeof message === 'object' && message !== null && !ArrayBuffer.isView(message))
      for (const [name, value] of Object.entries(message)) {
        const chosen = this.#known.get(name)
        const fields = message as Record<string, unknown>
        if (chosen === undefined || isOfStructs(value)) this.inhabit(value, random)
        else if (Array.isArray(value)) fields[name] = value.map((one) => this.#choose(chosen, one, random))
        else fields[name] = this.#choose(chosen, value, random)
      }
    return message
  }

  /** Defaults stay: the version may not have the field. */
  #choose(known: readonly unknown[], value: unknown, random: Dice): unknown {
    if (defaults.has(value)) return value
    const choice = known[random.roll(known.length)]
    return typeof choice === typeof value && random.roll(8) > 0 ? choice : value
  }

  #remember(memberIds: readonly string[], producerIds: readonly bigint[], generations: readonly number[]): void {
    const groups = [...groupIds, 'living-simple']
    const share = groupIds[2]!
    const topicIds = (this.#known.get('topicId') ?? []) as string[]
    const keys = [...groups, transactionalId, ...topicIds.map((id) => `${share}:${id}:0`)]
    const all: Record<string, readonly unknown[]> = {
      coordinatorKeys: keys,
      key: keys,
      keyType: [0, 1, 2],
      memberId: memberIds,
      memberEpoch: epochs,
      generationId: [...generations, ...epochs],
      generationIdOrMemberEpoch: [...generations, ...epochs],
      groupInstanceId: ['living-instance'],
      instanceId: ['living-instance'],
      protocolType: ['consumer'],
      protocolName: ['range'],
      serverAssignor: ['uniform', 'range'],
      shareSessionEpoch: epochs,
      leaderEpoch: epochs,
      stateEpoch: epochs,
      subscribedTopicRegex: ['liv.*', '(a?){100}', '('],
      acknowledgeTypes: [0, 1, 2, 3, 4],
      resourceName: [topic, ...groups],
      transactionState: ['Ongoing'],
      producerEpoch: epochs,
      coordinatorEpoch: epochs,
      v3AndBelowTransactionalId: [transactionalId],
      v3AndBelowProducerId: producerIds,
      v3AndBelowProducerEpoch: epochs,
    }
    for (const name of ['groupId', 'group', 'groups', 'groupIds', 'groupsNames']) all[name] = groups
    for (const name of ['name', 'topic', 'topicName', 'topics', 'topicNames', 'subscribedTopicNames'])
      all[name] = [topic]
    for (const name of ['partition', 'partitions', 'partitionIndex', 'partitionIndexes', 'index'])
      all[name] = partitionIndexes
    for (const name of ['transactionalId', 'transactionalIds']) all[name] = [transactionalId]
    for (const name of ['producerId', 'producerIdFilters']) all[name] = producerIds
    for (const name of ['firstOffset', 'lastOffset', 'startOffset', 'committedOffset', 'offset', 'retentionTimeMs'])
      all[name] = offsets
    for (const name of ['sessionTimeoutMs', 'rebalanceTimeoutMs', 'transactionTimeoutMs']) all[name] = timesMs
    for (const [name, values] of Object.entries(all)) this.#known.set(name, values)
  }
}

function isOfStructs(value: unknown): boolean {
  return Array.isArray(value)
    ? value.some((one) => typeof one === 'object' && one !== null)
    : typeof value === 'object' && value !== null
}
