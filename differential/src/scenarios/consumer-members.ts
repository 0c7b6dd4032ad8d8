/** What members of consumer groups (KIP-848) do in scenarios. */
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  ConsumerProtocolSubscription,
  Writer,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import { Duet } from '../duet.ts'
import type { Topic, World } from '../world.ts'

export type Beat = Partial<RequestInput<typeof ConsumerGroupHeartbeat>>
export const needs = [ConsumerGroupHeartbeat, ConsumerGroupDescribe]

export async function beat(
  world: World,
  groupId: string,
  request: Beat,
  version = 1,
): Promise<Response<typeof ConsumerGroupHeartbeat>> {
  const client = await world.client(`of ${request.memberId ?? ''}`)
  return client.ask(ConsumerGroupHeartbeat, version, { groupId, memberId: 'm1', memberEpoch: 0, ...request })
}

export async function join(world: World, groupId: string, memberId: string, topics: readonly Topic[], more: Beat = {}) {
  return beat(world, groupId, {
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: topics.map(({ name }) => name),
    topicPartitions: [],
    ...more,
  })
}

/** Says that it owns what it was told to, until it is told nothing new. */
export async function reconcile(
  world: World,
  groupId: string,
  told: Response<typeof ConsumerGroupHeartbeat>,
): Promise<Response<typeof ConsumerGroupHeartbeat>> {
  let owned = told.assignment?.topicPartitions ?? []
  let last = told
  const memberId = told.memberId
  if (memberId === null) return told
  for (let round = 0; round < 4; round++) {
    last = await beat(world, groupId, { memberId, memberEpoch: last.memberEpoch, topicPartitions: owned })
    if (last.errorCode !== 0 || last.assignment === null) break
    owned = last.assignment.topicPartitions
  }
  return last
}

export async function show(world: World, ...groupIds: string[]): Promise<void> {
  const client = await world.client('looker')
  for (const version of world.versions(ConsumerGroupDescribe))
    await client.ask(ConsumerGroupDescribe, version, { groupIds, includeAuthorizedOperations: version === 1 })
}

/** A heartbeat on the one connection that all members share; `beat` gives each member its own. */
export async function sendHeartbeat(
  world: World,
  heartbeat: RequestInput<typeof ConsumerGroupHeartbeat>,
  version = 1,
): Promise<Response<typeof ConsumerGroupHeartbeat>> {
  const client = await world.client('members')
  return client.ask(ConsumerGroupHeartbeat, version, heartbeat)
}

export function joining(
  groupId: string,
  memberId: string,
  topics: string[],
  more: Beat = {},
): RequestInput<typeof ConsumerGroupHeartbeat> {
  return {
    groupId,
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: topics,
    topicPartitions: [],
    ...more,
  }
}

/** A topic that the group coordinators know of, too: in Kafka that takes a moment longer than until Metadata tells of it. */
export async function knownTopic(
  world: World,
  suffix: string,
  partitions: number,
): Promise<{ name: string; id: string }> {
  const topic = await world.topic(suffix, partitions)
  const quiet = await Duet.open('scout', world.ports, { identities: world.identities, add: () => {} })
  const scouting = joining(`scout-${topic.name}`, 'scout', [topic.name])
  await quiet.askUntil(
    ConsumerGroupHeartbeat,
    1,
    scouting,
    ({ assignment }) => assignment?.topicPartitions[0]?.partitions.length === partitions,
  )
  quiet.close()
  return topic
}

export async function describeNewest(
  world: World,
  ...groupIds: string[]
): Promise<Response<typeof ConsumerGroupDescribe>> {
  const admin = await world.client('admin')
  return admin.ask(ConsumerGroupDescribe, 1, { groupIds, includeAuthorizedOperations: true })
}

/** Two members that share four partitions, at the epoch that is returned. */
export async function twoMembers(world: World, groupId: string, topic: { name: string; id: string }, more: Beat = {}) {
  await sendHeartbeat(world, joining(groupId, 'a', [topic.name], more))
  await sendHeartbeat(world, joining(groupId, 'b', [topic.name]))
  await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: 2, ...instanceOf(more) })
  const owned = [{ topicId: topic.id, partitions: [0, 1] }]
  await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: 2, topicPartitions: owned, ...instanceOf(more) })
  await sendHeartbeat(world, { groupId, memberId: 'b', memberEpoch: 3 })
  return 3
}

function instanceOf({ instanceId = null }: Beat): Beat {
  return { instanceId }
}

/** Of version 1 of the consumer protocol, with what the member owns. */
export function newerSubscription(topics: string[], owned: { topic: string; partitions: number[] }[] = []): Uint8Array {
  const writer = new Writer()
  writer.int16(1)
  ConsumerProtocolSubscription.encode(writer, { topics, ownedPartitions: owned }, 1)
  return Buffer.concat(writer.finish())
}
