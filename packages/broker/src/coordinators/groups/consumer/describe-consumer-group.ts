/** A consumer group as ConsumerGroupDescribe tells of it. */
import { ErrorCode, type ConsumerGroupDescribe, type ResponseInput } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { Assignor } from '../assignors/assignor.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { preferredAssignor } from './group-update.ts'
import { ascending } from './owned-partitions.ts'

export type DescribedConsumerGroup = ResponseInput<typeof ConsumerGroupDescribe>['groups'][number]
type DescribedMember = DescribedConsumerGroup['members'][number]

export function describeConsumerGroup(
  group: ConsumerGroup,
  assignors: ReadonlyMap<string, Assignor>,
  image: MetadataImage,
): DescribedConsumerGroup {
  const [defaultAssignor] = assignors.keys()
  return {
    errorCode: ErrorCode.NONE,
    groupId: group.id,
    groupState: group.stateName,
    groupEpoch: group.epoch,
    assignmentEpoch: group.target.epoch,
    assignorName: preferredAssignor(group, assignors) ?? defaultAssignor!,
    members: Array.from(group.members.values(), (member) => describeMember(group, member, image)),
  }
}

function describeMember(group: ConsumerGroup, member: ConsumerMember, image: MetadataImage): DescribedMember {
  return {
    memberId: member.id,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopics],
    subscribedTopicRegex: member.subscribedRegex,
    // It is responsible for what it has yet to give up.
    assignment: described([member.assigned, member.pendingRevocation], image),
    targetAssignment: described([group.target.of(member.id)], image),
    memberType: member.classic === null ? 1 : 0,
  }
}

export function undescribedConsumerGroup(
  groupId: string,
  errorCode: number,
  errorMessage: string | null = null,
): DescribedConsumerGroup {
  const nothing = { groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
  return { errorCode, errorMessage, groupId, ...nothing }
}

type Partitions = ReadonlyMap<string, { keys(): Iterable<number> }>

/** Topics that are deleted are left out. */
function described(all: readonly Partitions[], image: MetadataImage): DescribedMember['assignment'] {
  const byTopic = new Map<string, number[]>()
  for (const assignment of all)
    for (const [topicId, partitions] of assignment)
      byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), ...ascending(partitions.keys())])
  return {
    topicPartitions: Array.from(byTopic).flatMap(([topicId, partitions]) => {
      const topicName = image.topicNameById(topicId)
      return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
    }),
  }
}
