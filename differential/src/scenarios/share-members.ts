/** What members and administrators of share groups (KIP-932) do in scenarios. */
import {
  AlterShareGroupOffsets,
  IncrementalAlterConfigs,
  ShareAcknowledge,
  ShareFetch,
  ShareGroupDescribe,
  ShareGroupHeartbeat,
  type RequestInput,
} from '@millrace/protocol'
import type { Duet } from '../duet.ts'
import type { Topic, World } from '../world.ts'

export const needs = [ShareGroupHeartbeat, ShareGroupDescribe, ShareFetch, ShareAcknowledge]
const groupResource = 32

export type Beat = Partial<RequestInput<typeof ShareGroupHeartbeat>>

export async function beat(world: World, groupId: string, request: Beat) {
  const client = await world.client(`of ${request.memberId ?? 'm1'}`)
  return client.ask(ShareGroupHeartbeat, 1, { groupId, memberId: 'm1', memberEpoch: 0, ...request })
}

/** Until the topics are known to the share coordinator, and so assigned. */
export async function join(world: World, groupId: string, memberId: string, topics: readonly Topic[]) {
  const joined = await beat(world, groupId, { memberId, subscribedTopicNames: topics.map(({ name }) => name) })
  if (joined.errorCode !== 0 || joined.assignment?.topicPartitions.length === topics.length) return joined
  const client = await world.client(`of ${memberId}`)
  return client.askUntil(
    ShareGroupHeartbeat,
    1,
    { groupId, memberId, memberEpoch: joined.memberEpoch },
    ({ assignment, errorCode }) => errorCode !== 0 || (assignment?.topicPartitions.length ?? 0) === topics.length,
    3000,
  )
}

export async function show(world: World, ...groupIds: string[]): Promise<void> {
  const client = await world.client('looker')
  await client.ask(ShareGroupDescribe, 1, { groupIds, includeAuthorizedOperations: true })
}

export async function setGroupConfig(client: Duet, groupId: string, name: string, value: string): Promise<void> {
  await client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: groupResource, resourceName: groupId, configs: [{ name, value, configOperation: 0 }] }],
    validateOnly: false,
  })
}

export async function earliest(world: World, groupId: string): Promise<void> {
  await setGroupConfig(await world.client('setter'), groupId, 'share.auto.offset.reset', 'earliest')
}

/**
 * Offsets that an administrator sets make a group whose partitions are ready: members are assigned them as they join, on both brokers. Else
 * Kafka does so with their next heartbeat, and an epoch later.
 */
export async function prepareGroup(world: World, groupId: string, topic: Topic, partitions = 1): Promise<void> {
  const client = await world.client('setter')
  await client.ask(AlterShareGroupOffsets, 0, {
    groupId,
    topics: [
      {
        topicName: topic.name,
        partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, startOffset: 0n })),
      },
    ],
  })
}
