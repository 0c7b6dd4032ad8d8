/** A member of a share group that reads, and what it reads: records, acknowledgements, offsets. */
import {
  DescribeShareGroupOffsets,
  ShareAcknowledge,
  ShareFetch,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { Topic, World } from '../world.ts'
import { earliest, join, prepareGroup } from './share-members.ts'
import { produce } from './transactional-producer.ts'

export const unknownId = 'AAECAwQFBgcICQoLDA0ODw'

/** What is there is given by then. */
const noDataMs = 100
/** By then the first to read a share partition has its state. */
export const firstDataMs = 3000

export interface Acknowledged {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly acknowledgeTypes: number[]
}

export type Fetched = Response<typeof ShareFetch>

/** A member that reads, on a connection of its own. */
export class Sharer {
  readonly #world: World
  readonly #groupId: string
  readonly #memberId: string
  readonly #topic: Topic
  readonly #opensAfterMs: number
  epoch = 0

  /** `opensAfterMs`: how long it waits at most in its first request. */
  constructor(world: World, groupId: string, memberId: string, topic: Topic, opensAfterMs = noDataMs) {
    this.#opensAfterMs = opensAfterMs
    this.#world = world
    this.#groupId = groupId
    this.#memberId = memberId
    this.#topic = topic
  }

  async fetch(
    acknowledged: readonly Acknowledged[] = [],
    more: Partial<RequestInput<typeof ShareFetch>> & { version?: number; partition?: number } = {},
  ): Promise<Fetched> {
    const { version = 2, partition = 0, ...rest } = more
    const client = await this.#world.client(`of ${this.#memberId}`)
    const answer = await client.ask(ShareFetch, version, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      shareSessionEpoch: this.epoch,
      maxWaitMs: this.epoch === 0 ? this.#opensAfterMs : noDataMs,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxRecords: 100,
      batchSize: 100,
      shareAcquireMode: 0,
      isRenewAck: false,
      topics: [
        {
          topicId: this.#topic.id,
          partitions: [{ partitionIndex: partition, acknowledgementBatches: acknowledged }],
        },
      ],
      forgottenTopicsData: [],
      ...rest,
    })
    if (answer.errorCode === 0 && rest.shareSessionEpoch === undefined) this.epoch++
    return answer
  }

  async acknowledge(
    acknowledged: readonly Acknowledged[],
    more: Partial<RequestInput<typeof ShareAcknowledge>> & { version?: number; partition?: number } = {},
  ) {
    const { version = 2, partition = 0, ...rest } = more
    const client = await this.#world.client(`of ${this.#memberId}`)
    const answer = await client.ask(ShareAcknowledge, version, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      shareSessionEpoch: this.epoch,
      isRenewAck: false,
      topics: [
        {
          topicId: this.#topic.id,
          partitions: [{ partitionIndex: partition, acknowledgementBatches: acknowledged }],
        },
      ],
      ...rest,
    })
    if (answer.errorCode === 0 && rest.shareSessionEpoch === undefined) this.epoch++
    return answer
  }
}

export const range = (firstOffset: bigint, lastOffset: bigint, ...acknowledgeTypes: number[]): Acknowledged => ({
  firstOffset,
  lastOffset,
  acknowledgeTypes,
})

export async function write(world: World, topic: Topic, ...batches: number[]): Promise<void> {
  const client = await world.client('writer')
  for (const count of batches)
    await produce(client, { topic, values: Array.from({ length: count }, (_, index) => `v${index}`) })
}

/** A group that reads from the start, with members that have their assignment. */
export async function readyGroup(
  world: World,
  groupId: string,
  topic: Topic,
  ...memberIds: string[]
): Promise<Sharer[]> {
  await earliest(world, groupId)
  await prepareGroup(world, groupId, topic)
  for (const memberId of memberIds) await join(world, groupId, memberId, [topic])
  return memberIds.map(
    (memberId, index) => new Sharer(world, groupId, memberId, topic, index === 0 ? firstDataMs : noDataMs),
  )
}

export async function showOffsets(world: World, groupId: string, topic: Topic, partitions = [0]): Promise<void> {
  const client = await world.client('looker')
  for (const version of world.versions(DescribeShareGroupOffsets)) {
    await client.ask(DescribeShareGroupOffsets, version, {
      groups: [{ groupId, topics: [{ topicName: topic.name, partitions }] }],
    })
    await client.ask(DescribeShareGroupOffsets, version, { groups: [{ groupId, topics: null }] })
  }
}
