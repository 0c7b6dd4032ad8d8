/** A classic group as the record that `__consumer_offsets` keeps of it. */
import { GroupMetadataRecord, type RecordValue } from '@millrace/protocol'
import { record, type CoordinatorRecord } from '../../runtime/decision.ts'
import { ClassicGroup } from './classic-group.ts'
import { ClassicMember } from './classic-member.ts'

/** `assignments` by member id; what a member is assigned already when left out. */
export function groupMetadata(group: ClassicGroup, assignments?: ReadonlyMap<string, Uint8Array>): CoordinatorRecord {
  const { id, protocol, protocolType, generation, leaderId, owesRebalance, stateSinceMs, members } = group
  return record(
    GroupMetadataRecord,
    { group: id },
    {
      protocolType,
      generation,
      protocol,
      // Nobody leads before the members have joined.
      leader: owesRebalance ? null : leaderId,
      currentStateTimestamp: BigInt(stateSinceMs ?? -1),
      members: Array.from(members.values(), (member) => ({
        memberId: member.id,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: member.metadata(protocol!),
        assignment: assignments === undefined ? member.assignment : assignments.get(member.id)!,
      })),
    },
  )
}

/** A group that nobody has joined yet. */
export function emptyGroupMetadata(groupId: string, nowMs: number): CoordinatorRecord {
  return record(
    GroupMetadataRecord,
    { group: groupId },
    {
      protocolType: '',
      generation: 0,
      protocol: null,
      leader: null,
      currentStateTimestamp: BigInt(nowMs),
      members: [],
    },
  )
}

export function classicGroupOf(groupId: string, value: RecordValue<typeof GroupMetadataRecord>): ClassicGroup {
  const { protocolType, generation, protocol, leader, currentStateTimestamp, members } = value
  const group = new ClassicGroup({
    id: groupId,
    state: members.length === 0 ? 'Empty' : 'Stable',
    generation,
    protocolType: protocolType === '' ? null : protocolType,
    protocol,
    leaderId: leader,
    stateSinceMs: currentStateTimestamp === -1n ? null : Number(currentStateTimestamp),
    owesRebalance: leader === null && members.length > 0,
  })
  for (const member of members)
    group.add(
      new ClassicMember({
        id: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
        sessionTimeoutMs: member.sessionTimeout,
        protocols: [{ name: protocol ?? '', metadata: member.subscription }],
        assignment: member.assignment,
      }),
      protocolType,
    )
  group.learnSubscribedTopics()
  return group
}
