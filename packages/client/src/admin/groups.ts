/** Listing and deleting groups of every type, and removing their members. */
import { DeleteGroups, ErrorCode, KafkaError, LeaveGroup, ListGroups } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import { describeGroupsAdmin } from './describe-groups.ts'
import { everyBroker } from './every-broker.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { allFailed, failure, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toBroker, toCoordinator } from './routing.ts'
import { sideBySide } from './side-by-side.ts'

export type GroupType = 'classic' | 'consumer' | 'share' | 'streams'

export type GroupState =
  | 'Empty'
  | 'PreparingRebalance'
  | 'CompletingRebalance'
  | 'Stable'
  | 'Dead'
  | 'Assigning'
  | 'Reconciling'
  | 'NotReady'

/** One of those known here, or whatever a newer broker says. */
export type Told<Known extends string> = Known | (string & {})

export interface GroupListing {
  readonly groupId: string
  /** Null from brokers before Kafka 3.8. */
  readonly type: Told<GroupType> | null
  /** `consumer`, `connect`, …; empty of a group that only commits. */
  readonly protocolType: string
  /** Null from brokers before Kafka 2.6. */
  readonly state: Told<GroupState> | null
}

export interface ListGroupsOptions extends CallOptions {
  /** Of these types only (since Kafka 3.8). */
  readonly types?: readonly GroupType[]
  /** In these states only (since Kafka 2.6). */
  readonly states?: readonly GroupState[]
  /** With these protocol types only, such as `consumer`. */
  readonly protocolTypes?: readonly string[]
}

/** A dynamic member by its id, or a static one by its instance id (since Kafka 2.4). */
export type MemberToRemove = { readonly memberId: string } | { readonly groupInstanceId: string }

export interface RemovedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface RemoveMembersOptions extends CallOptions {
  /** For the broker's log (since Kafka 3.2). */
  readonly reason?: string
}

export interface GroupAdmin {
  /** Of all brokers. */
  listGroups(options?: ListGroupsOptions): Promise<readonly GroupListing[]>
  /** Groups of any type that have no members. */
  deleteGroups<Groups extends readonly unknown[]>(
    groupIds: ListOf<Groups, string>,
    options?: CallOptions,
  ): Promise<EachOf<Groups, { readonly groupId: string }>>
  /** Of a classic or consumer group; they may join again. */
  removeGroupMembers<Members extends readonly unknown[]>(
    groupId: string,
    members: ListOf<Members, MemberToRemove>,
    options?: RemoveMembersOptions,
  ): Promise<EachOf<Members, RemovedMember>>
  /** All that it has now. */
  removeGroupMembers(groupId: string, members: 'all', options?: RemoveMembersOptions): Promise<readonly RemovedMember[]>
}

export function groupAdmin(requests: AdminRequests): GroupAdmin {
  return {
    listGroups: async (options = {}) => {
      const brokerIds = await everyBroker(requests, 'listGroups', options)
      const listings = await requests.each(
        {
          operation: 'listGroups',
          routing: toBroker((brokerId: number) => brokerId),
          retried: new Set([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_NOT_AVAILABLE]),
          ask: async ({ send }, destination, asked: readonly number[]) => {
            const answer = await send(destination, ListGroups, (version) => filters(options, version))
            return asked.map((brokerId) =>
              outcome(`groups of broker ${brokerId}`, answer, () => answer.groups.map(listing)),
            )
          },
        },
        brokerIds,
        options,
      )
      const { protocolTypes = [] } = options
      const isWanted = ({ protocolType }: GroupListing): boolean =>
        protocolTypes.length === 0 || protocolTypes.includes(protocolType)
      // A group whose coordinator moves may be told of by both.
      return [...new Map(listings.flat().map((group) => [group.groupId, group])).values()].filter(isWanted)
    },
    deleteGroups: (groupIds, options = {}) =>
      requests.each(
        {
          operation: 'deleteGroups',
          routing: toCoordinator('group', (groupId: string) => groupId),
          ask: async ({ send }, destination, asked: readonly string[]) => {
            const { results } = await send(destination, DeleteGroups, { groupsNames: [...new Set(asked)] })
            return matched(
              asked,
              results.map((result) => [result.groupId, result] as const),
              {
                keyOf: (groupId) => groupId,
                about: (groupId) => `group ${groupId}`,
                outcome: (result, groupId) => outcome(`group ${groupId}`, result, () => ({ groupId })),
              },
            )
          },
        },
        groupIds,
        options,
      ),
    removeGroupMembers: async <Members extends readonly unknown[]>(
      groupId: string,
      members: ListOf<Members, MemberToRemove> | 'all',
      { reason, ...options }: RemoveMembersOptions = {},
    ) =>
      requests.each(
        {
          operation: 'removeGroupMembers',
          routing: toCoordinator('group', () => groupId),
          ask: (attempt, destination, asked: readonly MemberToRemove[]) =>
            removeMembers(attempt, {
              destination,
              groupId,
              members: asked,
              reason: reason === undefined || reason === '' ? DEFAULT_REASON : reason,
            }),
        },
        (members === 'all' ? await membersOf(requests, groupId, options) : members) as ListOf<Members, MemberToRemove>,
        options,
      ),
  }
}

/** Static ones by their instance ids: the broker may have another member id for them by then. */
async function membersOf(
  requests: AdminRequests,
  groupId: string,
  options: CallOptions,
): Promise<readonly MemberToRemove[]> {
  const [{ members }] = await describeGroupsAdmin(requests).describeConsumerGroups([groupId], options)
  return members.map(({ memberId, groupInstanceId }) => (groupInstanceId === null ? { memberId } : { groupInstanceId }))
}

/** Brokers refuse longer ones. */
const MAX_REASON_LENGTH = 255
const DEFAULT_REASON = 'member was removed by an admin'

function filters({ types = [], states = [] }: ListGroupsOptions, version: number) {
  if (states.length > 0 && version < 4) throw unsupported('listGroups by states', '2.6')
  if (version >= 5) return { typesFilter: types, statesFilter: states }
  // Older brokers know classic groups alone, so for those they need no filter.
  const others = types.filter((type) => type !== 'classic' && type !== 'consumer')
  if (others.length > 0 || (types.length > 0 && !types.includes('classic')))
    throw unsupported(`listGroups of types ${types.join(', ')}`, '3.8')
  return { statesFilter: states }
}

function listing({
  groupId,
  protocolType,
  groupState,
  groupType,
}: Response<typeof ListGroups>['groups'][number]): GroupListing {
  return {
    groupId,
    type: groupType === '' ? null : groupType.toLowerCase(),
    protocolType,
    state: groupState === '' ? null : groupState,
  }
}

interface Removal {
  readonly destination: Parameters<Attempt['send']>[0]
  readonly groupId: string
  readonly members: readonly MemberToRemove[]
  readonly reason: string
}

async function removeMembers(attempt: Attempt, removal: Removal): Promise<readonly Outcome<RemovedMember>[]> {
  const { destination, groupId, members, reason } = removal
  try {
    const answer = await attempt.send(destination, LeaveGroup, (version) => {
      if (version < 3) throw unsupported('removing several members at once', '2.4')
      return {
        groupId,
        members: members.map((member) => ({ ...identityOf(member), reason: reason.slice(0, MAX_REASON_LENGTH) })),
      }
    })
    if (answer.errorCode !== ErrorCode.NONE) return allFailed(members, (member) => aboutMember(groupId, member), answer)
    return matched(
      members,
      answer.members.map((member) => [keyOf(member), member] as const),
      {
        keyOf: (member) => keyOf(identityOf(member)),
        about: (member) => aboutMember(groupId, member),
        outcome: (result, member) =>
          outcome(aboutMember(groupId, member), result, () => ({
            memberId: result.memberId,
            groupInstanceId: result.groupInstanceId,
          })),
      },
    )
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== ErrorCode.UNSUPPORTED_VERSION) throw error
    return sideBySide(members, (member) => removeAlone(attempt, removal, member))
  }
}

/** By brokers before Kafka 2.4, to which each member says goodbye by itself. */
async function removeAlone(
  { send }: Attempt,
  { destination, groupId }: Removal,
  member: MemberToRemove,
): Promise<Outcome<RemovedMember>> {
  if (!('memberId' in member)) return { error: unsupported('removing a member by its group.instance.id', '2.4') }
  const { errorCode } = await send(destination, LeaveGroup, { groupId, memberId: member.memberId }, { maxVersion: 2 })
  return errorCode === ErrorCode.NONE
    ? { value: { memberId: member.memberId, groupInstanceId: null } }
    : { error: failure(aboutMember(groupId, member), { errorCode }) }
}

function identityOf(member: MemberToRemove): RemovedMember {
  return 'groupInstanceId' in member
    ? { memberId: '', groupInstanceId: member.groupInstanceId }
    : { memberId: member.memberId, groupInstanceId: null }
}

/** The broker may have filled in the member id of a static member. */
function keyOf({ memberId, groupInstanceId }: RemovedMember): string {
  return groupInstanceId === null ? `member ${memberId}` : `instance ${groupInstanceId}`
}

function aboutMember(groupId: string, member: MemberToRemove): string {
  return `${'groupInstanceId' in member ? `instance ${member.groupInstanceId}` : `member ${member.memberId}`} of group ${groupId}`
}
