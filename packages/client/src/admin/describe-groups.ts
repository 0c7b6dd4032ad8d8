/** Consumer groups and classic groups, described. A consumer group may be of either protocol: the newer is asked for first. */
import { ConsumerGroupDescribe, DescribeGroups, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import type { Node } from '../cluster/cluster-image.ts'
import type { Destination } from '../cluster/destination.ts'
import type { TopicPartition } from '../record.ts'
import { epochOrNull } from './absent.ts'
import { allowedOperations, type AuthorizedOperations, type AuthorizedOperationsOption } from './acl-names.ts'
import { assignedPartitions, subscribedTopics } from './described-members.ts'
import type { GroupState, Told } from './groups.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { failure, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toCoordinator } from './routing.ts'

export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** Null when it has none, and always in classic groups. */
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopics: readonly string[]
  /** The pattern of a consumer of the newer protocol, as the broker evaluates it. */
  readonly subscribedPattern: string | null
  readonly assignment: readonly TopicPartition[]
  /** Where it is going; null in classic groups, as the next two. */
  readonly targetAssignment: readonly TopicPartition[] | null
  readonly memberEpoch: number | null
  /** Whether it speaks the classic protocol within a group of the newer (since Kafka 4.0). */
  readonly isClassic: boolean | null
}

export interface ConsumerGroupDescription extends AuthorizedOperations {
  readonly groupId: string
  readonly type: 'classic' | 'consumer'
  readonly state: Told<GroupState>
  /** It only commits offsets, and has no members of its own. */
  readonly isSimple: boolean
  readonly assignor: string
  readonly coordinator: Node
  readonly groupEpoch: number | null
  readonly assignmentEpoch: number | null
  readonly members: readonly GroupMember[]
}

export interface ClassicGroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** What the member told and was given, as bytes; of consumers in `assignment` as well. */
  readonly rawMetadata: Uint8Array
  readonly rawAssignment: Uint8Array
  /** Empty in groups of other than consumers. */
  readonly assignment: readonly TopicPartition[]
}

export interface ClassicGroupDescription extends AuthorizedOperations {
  readonly groupId: string
  readonly protocolType: string
  /** What its members have agreed on: of consumers the assignor. */
  readonly protocol: string
  readonly state: Told<GroupState>
  readonly coordinator: Node
  readonly members: readonly ClassicGroupMember[]
}

export interface DescribeGroupsOptions extends CallOptions, AuthorizedOperationsOption {}

export interface DescribeGroupsAdmin {
  /** Of the newer protocol or the classic one. */
  describeConsumerGroups<Groups extends readonly unknown[]>(
    groupIds: ListOf<Groups, string>,
    options?: DescribeGroupsOptions,
  ): Promise<EachOf<Groups, ConsumerGroupDescription>>
  /** Of the classic protocol, whatever they are for: Kafka Connect, Schema Registry. */
  describeClassicGroups<Groups extends readonly unknown[]>(
    groupIds: ListOf<Groups, string>,
    options?: DescribeGroupsOptions,
  ): Promise<EachOf<Groups, ClassicGroupDescription>>
}

export const toGroup = toCoordinator('group', (groupId: string) => groupId)

export const aboutGroup = (groupId: string): string => `group ${groupId}`

/** What became of each group asked about, from the descriptions in an answer. */
export function ofGroups<Group extends { readonly groupId: string }, Result>(
  groupIds: readonly string[],
  groups: readonly Group[],
  outcomeOf: (group: Group) => Outcome<Result>,
): readonly Outcome<Result>[] {
  const answers = groups.map((group) => [group.groupId, group] as const)
  return matched(groupIds, answers, { keyOf: (groupId) => groupId, about: aboutGroup, outcome: outcomeOf })
}

export function describeGroupsAdmin(requests: AdminRequests): DescribeGroupsAdmin {
  return {
    describeConsumerGroups: (groupIds, options = {}) => {
      /** Groups that are not of the newer protocol, with what the broker said of them there. */
      const classic = new Map<string, KafkaError>()
      return requests.each(
        {
          operation: 'describeConsumerGroups',
          routing: toGroup,
          ask: async (attempt, destination, asked: readonly string[]) => {
            const coordinator = await requests.cluster.coordinator('group', asked[0]!, attempt.signal)
            const call = { attempt, destination, coordinator, options }
            const first = await describeNewer(
              call,
              asked.filter((groupId) => !classic.has(groupId)),
            )
            const outcomes = new Map(first.map((one) => [one.groupId, one.outcome]))
            for (const [groupId, { error }] of failures(outcomes)) {
              if (isOfOtherProtocol(error)) {
                classic.set(groupId, error)
                outcomes.delete(groupId)
              }
            }
            const others = asked.filter((groupId) => !outcomes.has(groupId))
            const described = others.length === 0 ? [] : await describeClassic(call, others)
            for (const [index, groupId] of others.entries())
              outcomes.set(groupId, consumersOf(described[index]!, classic.get(groupId)))
            return asked.map((groupId) => outcomes.get(groupId)!)
          },
        },
        groupIds,
        options,
      )
    },
    describeClassicGroups: (groupIds, options = {}) =>
      requests.each(
        {
          operation: 'describeClassicGroups',
          routing: toGroup,
          ask: async (attempt, destination, asked: readonly string[]) => {
            const coordinator = await requests.cluster.coordinator('group', asked[0]!, attempt.signal)
            return describeClassic({ attempt, destination, coordinator, options }, asked)
          },
        },
        groupIds,
        options,
      ),
  }
}

interface Call {
  readonly attempt: Attempt
  readonly destination: Destination
  readonly coordinator: Node
  readonly options: DescribeGroupsOptions
}

function* failures<Result>(
  outcomes: ReadonlyMap<string, Outcome<Result>>,
): Generator<readonly [string, { readonly error: KafkaError }]> {
  for (const [groupId, one] of outcomes) if ('error' in one) yield [groupId, one]
}

function isOfOtherProtocol({ code }: KafkaError): boolean {
  return code === ErrorCode.GROUP_ID_NOT_FOUND || code === ErrorCode.UNSUPPORTED_VERSION
}

async function describeNewer(
  { attempt, destination, coordinator, options }: Call,
  groupIds: readonly string[],
): Promise<readonly { readonly groupId: string; readonly outcome: Outcome<ConsumerGroupDescription> }[]> {
  if (groupIds.length === 0) return []
  let answer: Response<typeof ConsumerGroupDescribe>
  try {
    answer = await attempt.send(destination, ConsumerGroupDescribe, {
      groupIds: [...new Set(groupIds)],
      includeAuthorizedOperations: options.includeAuthorizedOperations ?? false,
    })
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== ErrorCode.UNSUPPORTED_VERSION) throw error
    return groupIds.map((groupId) => ({ groupId, outcome: { error } }))
  }
  return ofGroups(groupIds, answer.groups, (group) =>
    outcome(aboutGroup(group.groupId), group, () => newerGroup(group, coordinator)),
  ).map((one, index) => ({ groupId: groupIds[index]!, outcome: one }))
}

type NewerGroup = Response<typeof ConsumerGroupDescribe>['groups'][number]

function newerGroup(group: NewerGroup, coordinator: Node): ConsumerGroupDescription {
  return {
    groupId: group.groupId,
    type: 'consumer',
    state: group.groupState,
    isSimple: false,
    assignor: group.assignorName,
    coordinator,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopics: member.subscribedTopicNames,
      subscribedPattern: member.subscribedTopicRegex === '' ? null : member.subscribedTopicRegex,
      assignment: partitionsOf(member.assignment),
      targetAssignment: partitionsOf(member.targetAssignment),
      memberEpoch: epochOrNull(member.memberEpoch),
      // 0: classic, 1: of the newer protocol, -1: the broker does not say.
      isClassic: member.memberType < 0 ? null : member.memberType === 0,
    })),
    authorizedOperations: allowedOperations(group.authorizedOperations),
  }
}

export function partitionsOf({
  topicPartitions,
}: {
  readonly topicPartitions: readonly { readonly topicName: string; readonly partitions: readonly number[] }[]
}): readonly TopicPartition[] {
  return topicPartitions.flatMap(({ topicName, partitions }) =>
    partitions.map((partition) => ({ topic: topicName, partition })),
  )
}

/** Of consumers, or of nobody: a group that only commits has no protocol type. */
const isOfConsumers = (protocolType: string): boolean => protocolType === 'consumer' || protocolType === ''

async function describeClassic(
  { attempt, destination, coordinator, options }: Call,
  groupIds: readonly string[],
): Promise<readonly Outcome<ClassicGroupDescription>[]> {
  const { includeAuthorizedOperations = false } = options
  const { groups } = await attempt.send(destination, DescribeGroups, (version) => {
    if (includeAuthorizedOperations && version < 3)
      throw unsupported('describing groups with includeAuthorizedOperations', '2.3')
    return { groups: [...new Set(groupIds)], includeAuthorizedOperations }
  })
  return ofGroups(groupIds, groups, (group) =>
    outcome(aboutGroup(group.groupId), group, () => classicGroup(group, coordinator)),
  )
}

function classicGroup(
  group: Response<typeof DescribeGroups>['groups'][number],
  coordinator: Node,
): ClassicGroupDescription {
  const { groupId, groupState, protocolType, protocolData, members, authorizedOperations } = group
  return {
    groupId,
    protocolType,
    protocol: protocolData,
    state: groupState,
    coordinator,
    members: members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rawMetadata: member.memberMetadata,
      rawAssignment: member.memberAssignment,
      assignment: isOfConsumers(protocolType) ? assignedPartitions(member.memberAssignment) : [],
    })),
    authorizedOperations: allowedOperations(authorizedOperations),
  }
}

/** `notNewer`: what the broker said when it was asked for a group of the newer protocol, which may be more than it says now. */
function consumersOf(
  described: Outcome<ClassicGroupDescription>,
  notNewer: KafkaError | undefined,
): Outcome<ConsumerGroupDescription> {
  if ('error' in described) {
    const isGone = described.error.code === ErrorCode.GROUP_ID_NOT_FOUND
    return isGone && notNewer?.code === ErrorCode.GROUP_ID_NOT_FOUND ? { error: notNewer } : described
  }
  const { groupId, protocolType, protocol, state, coordinator, members, authorizedOperations } = described.value
  if (!isOfConsumers(protocolType))
    return {
      error: failure(aboutGroup(groupId), {
        errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        errorMessage: `it is no consumer group but one of type ${protocolType}; ask for it by describeClassicGroups`,
      }),
    }
  return {
    value: {
      groupId,
      type: 'classic',
      state,
      isSimple: protocolType === '',
      assignor: protocol,
      coordinator,
      groupEpoch: null,
      assignmentEpoch: null,
      members: members.map(({ memberId, groupInstanceId, clientId, clientHost, rawMetadata, assignment }) => ({
        memberId,
        groupInstanceId,
        rackId: null,
        clientId,
        clientHost,
        subscribedTopics: subscribedTopics(rawMetadata),
        subscribedPattern: null,
        assignment,
        targetAssignment: null,
        memberEpoch: null,
        isClassic: null,
      })),
      authorizedOperations,
    },
  }
}
