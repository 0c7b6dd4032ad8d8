/** Share groups and streams groups, described. */
import { ErrorCode, ShareGroupDescribe, StreamsGroupDescribe } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import type { Node } from '../cluster/cluster-image.ts'
import type { TopicPartition } from '../record.ts'
import { allowedOperations, type AuthorizedOperations } from './acl-names.ts'
import { aboutGroup, ofGroups, partitionsOf, toGroup, type DescribeGroupsOptions } from './describe-groups.ts'
import type { GroupState, Told } from './groups.ts'
import type { EachOf, ListOf } from './partial-failure.ts'
import { failure, outcome, type AdminRequests } from './requests.ts'

export interface ShareGroupMember {
  readonly memberId: string
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly memberEpoch: number
  readonly subscribedTopics: readonly string[]
  readonly assignment: readonly TopicPartition[]
}

export interface ShareGroupDescription extends AuthorizedOperations {
  readonly groupId: string
  readonly state: Told<GroupState>
  readonly coordinator: Node
  readonly groupEpoch: number
  readonly assignmentEpoch: number
  readonly assignor: string
  readonly members: readonly ShareGroupMember[]
}

export interface StreamsTasks {
  readonly subtopologyId: string
  readonly partitions: readonly number[]
}

export interface StreamsAssignment {
  readonly active: readonly StreamsTasks[]
  readonly standby: readonly StreamsTasks[]
  readonly warmup: readonly StreamsTasks[]
}

export interface StreamsTaskOffset {
  readonly subtopologyId: string
  readonly partition: number
  readonly offset: bigint
}

export interface StreamsGroupMember {
  readonly memberId: string
  readonly memberEpoch: number
  readonly groupInstanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly topologyEpoch: number
  /** The same for all members of one process. */
  readonly processId: string
  /** Where its state can be queried. */
  readonly userEndpoint: { readonly host: string; readonly port: number } | null
  readonly clientTags: Readonly<Record<string, string>>
  readonly taskOffsets: readonly StreamsTaskOffset[]
  readonly taskEndOffsets: readonly StreamsTaskOffset[]
  readonly assignment: StreamsAssignment
  readonly targetAssignment: StreamsAssignment
  readonly isClassic: boolean
}

export interface StreamsTopic {
  readonly name: string
  /** 0: as many as the topics it is made from. */
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export interface StreamsSubtopology {
  readonly subtopologyId: string
  readonly sourceTopics: readonly string[]
  readonly repartitionSinkTopics: readonly string[]
  readonly stateChangelogTopics: readonly StreamsTopic[]
  readonly repartitionSourceTopics: readonly StreamsTopic[]
}

export interface StreamsGroupDescription extends AuthorizedOperations {
  readonly groupId: string
  readonly state: Told<GroupState>
  readonly coordinator: Node
  readonly groupEpoch: number
  readonly assignmentEpoch: number
  readonly topologyEpoch: number
  readonly subtopologies: readonly StreamsSubtopology[]
  readonly members: readonly StreamsGroupMember[]
}

export interface DescribeOtherGroupsAdmin {
  /** Since Kafka 4.1. */
  describeShareGroups<Groups extends readonly unknown[]>(
    groupIds: ListOf<Groups, string>,
    options?: DescribeGroupsOptions,
  ): Promise<EachOf<Groups, ShareGroupDescription>>
  /** Of Kafka Streams applications with its own group protocol (since Kafka 4.1). */
  describeStreamsGroups<Groups extends readonly unknown[]>(
    groupIds: ListOf<Groups, string>,
    options?: DescribeGroupsOptions,
  ): Promise<EachOf<Groups, StreamsGroupDescription>>
}

export function describeOtherGroupsAdmin(requests: AdminRequests): DescribeOtherGroupsAdmin {
  return {
    describeShareGroups: (groupIds, options = {}) =>
      requests.each(
        {
          operation: 'describeShareGroups',
          routing: toGroup,
          ask: async ({ send, signal }, destination, asked: readonly string[]) => {
            const coordinator = await requests.cluster.coordinator('group', asked[0]!, signal)
            const { groups } = await send(destination, ShareGroupDescribe, {
              groupIds: [...new Set(asked)],
              includeAuthorizedOperations: options.includeAuthorizedOperations ?? false,
            })
            return ofGroups(asked, groups, (group) =>
              outcome(aboutGroup(group.groupId), group, () => shareGroup(group, coordinator)),
            )
          },
        },
        groupIds,
        options,
      ),
    describeStreamsGroups: (groupIds, options = {}) =>
      requests.each(
        {
          operation: 'describeStreamsGroups',
          routing: toGroup,
          ask: async ({ send, signal }, destination, asked: readonly string[]) => {
            const coordinator = await requests.cluster.coordinator('group', asked[0]!, signal)
            const { groups } = await send(destination, StreamsGroupDescribe, {
              groupIds: [...new Set(asked)],
              includeAuthorizedOperations: options.includeAuthorizedOperations ?? false,
            })
            return ofGroups(asked, groups, (group) =>
              group.errorCode === ErrorCode.NONE && group.topology === null
                ? { error: failure(aboutGroup(group.groupId), withoutTopology) }
                : outcome(aboutGroup(group.groupId), group, () => streamsGroup(group, coordinator)),
            )
          },
        },
        groupIds,
        options,
      ),
  }
}

const withoutTopology = {
  errorCode: ErrorCode.UNKNOWN_SERVER_ERROR,
  errorMessage: 'the broker described it without its topology',
}

function shareGroup(
  group: Response<typeof ShareGroupDescribe>['groups'][number],
  coordinator: Node,
): ShareGroupDescription {
  return {
    groupId: group.groupId,
    state: group.groupState,
    coordinator,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignor: group.assignorName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: member.memberEpoch,
      subscribedTopics: member.subscribedTopicNames,
      assignment: partitionsOf(member.assignment),
    })),
    authorizedOperations: allowedOperations(group.authorizedOperations),
  }
}

type StreamsGroup = Response<typeof StreamsGroupDescribe>['groups'][number]
type Subtopology = NonNullable<NonNullable<StreamsGroup['topology']>['subtopologies']>[number]

function streamsGroup(group: StreamsGroup, coordinator: Node): StreamsGroupDescription {
  return {
    groupId: group.groupId,
    state: group.groupState,
    coordinator,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    topologyEpoch: group.topology!.epoch,
    subtopologies: (group.topology!.subtopologies ?? []).map((subtopology) => ({
      ...subtopology,
      stateChangelogTopics: subtopology.stateChangelogTopics.map(streamsTopic),
      repartitionSourceTopics: subtopology.repartitionSourceTopics.map(streamsTopic),
    })),
    members: group.members.map(({ instanceId, clientTags, assignment, targetAssignment, ...member }) => ({
      ...member,
      groupInstanceId: instanceId,
      clientTags: record(clientTags),
      assignment: streamsAssignment(assignment),
      targetAssignment: streamsAssignment(targetAssignment),
    })),
    authorizedOperations: allowedOperations(group.authorizedOperations),
  }
}

function streamsTopic(topic: Subtopology['stateChangelogTopics'][number]): StreamsTopic {
  const { name, partitions, replicationFactor, topicConfigs } = topic
  return { name, numPartitions: partitions, replicationFactor, configs: record(topicConfigs) }
}

function streamsAssignment(assignment: StreamsGroup['members'][number]['assignment']): StreamsAssignment {
  const { activeTasks, standbyTasks, warmupTasks } = assignment
  return { active: activeTasks, standby: standbyTasks, warmup: warmupTasks }
}

function record(pairs: readonly { readonly key: string; readonly value: string }[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]))
}
