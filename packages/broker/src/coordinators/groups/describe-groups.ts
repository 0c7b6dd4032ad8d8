/** DescribeGroups: classic groups and their members. Others have APIs of their own. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ClassicGroup } from './classic/classic-group.ts'
import { describeClassicGroup, type DescribedGroup } from './classic/describe-classic.ts'
import type { Groups } from './groups.ts'

/** From this version on a group that is not there is an error; before, it was one that is dead (KIP-1043). */
const firstVersionWithNotFound = 6

export function describeGroup(groups: Groups, groupId: string, apiVersion: number): DescribedGroup {
  try {
    return describeClassicGroup(groups.findOfType<ClassicGroup>(groupId, 'classic'))
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    const dead = { ...undescribed(groupId, ErrorCode.NONE), groupState: 'Dead' }
    return apiVersion < firstVersionWithNotFound
      ? dead
      : { ...dead, errorCode: error.code, errorMessage: error.message }
  }
}

export function undescribed(groupId: string, errorCode: number): DescribedGroup {
  return { errorCode, groupId, groupState: '', protocolType: '', protocolData: '', members: [] }
}
