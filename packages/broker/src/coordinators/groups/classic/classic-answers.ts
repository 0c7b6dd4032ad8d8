/** What members of classic groups are answered. */
import type { Heartbeat, JoinGroup, LeaveGroup, Request, ResponseInput, SyncGroup } from '@millrace/protocol'
import type { ClassicGroup } from './classic-group.ts'

export type JoinRequest = Request<typeof JoinGroup>
export type JoinAnswer = ResponseInput<typeof JoinGroup>
export type SyncRequest = Request<typeof SyncGroup>
export type SyncAnswer = ResponseInput<typeof SyncGroup>
export type HeartbeatRequest = Request<typeof Heartbeat>
export type HeartbeatAnswer = ResponseInput<typeof Heartbeat>
export type LeaveRequest = Request<typeof LeaveGroup>
export type LeaveAnswer = ResponseInput<typeof LeaveGroup>

export function refusedJoin(errorCode: number, memberId = ''): JoinAnswer {
  return { errorCode, generationId: -1, protocolName: null, leader: '', memberId, members: [] }
}

/** The generation a member is in. `skipAssignment`: the leader is told the members, but need not assign anew (KIP-814). */
export function joined(group: ClassicGroup, memberId: string, options: { skipAssignment?: boolean } = {}): JoinAnswer {
  return {
    errorCode: 0,
    generationId: group.generation,
    protocolType: group.protocolType === '' ? null : group.protocolType,
    protocolName: group.protocol,
    leader: group.leaderId ?? '',
    skipAssignment: options.skipAssignment ?? false,
    memberId,
    members: group.isLeader(memberId) ? membersForLeader(group) : [],
  }
}

function membersForLeader({ members, protocol }: ClassicGroup): JoinAnswer['members'] {
  return Array.from(members.values(), (member) => ({
    memberId: member.id,
    groupInstanceId: member.groupInstanceId,
    metadata: member.metadata(protocol!),
  }))
}

export function refusedSync(errorCode: number): SyncAnswer {
  return { errorCode, assignment: noBytes }
}

export function synced(group: ClassicGroup, assignment: Uint8Array): SyncAnswer {
  return {
    errorCode: 0,
    protocolType: group.protocolType === '' ? null : group.protocolType,
    protocolName: group.protocol,
    assignment,
  }
}

const noBytes = new Uint8Array(0)
