/** A classic group as DescribeGroups tells it. */
import type { DescribeGroups, ResponseInput } from '@millrace/protocol'
import type { ClassicGroup } from './classic-group.ts'

export type DescribedGroup = ResponseInput<typeof DescribeGroups>['groups'][number]

/** What members are told each other by is only said when they have agreed on a protocol. */
export function describeClassicGroup(group: ClassicGroup): DescribedGroup {
  const protocol = group.state === 'Stable' ? group.protocol : null
  return {
    errorCode: 0,
    groupId: group.id,
    groupState: group.stateName,
    protocolType: group.protocolType,
    protocolData: protocol ?? '',
    members: Array.from(group.members.values(), (member) => ({
      memberId: member.id,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: protocol === null ? noBytes : member.metadata(protocol),
      memberAssignment: member.assignment,
    })),
  }
}

const noBytes = new Uint8Array(0)
