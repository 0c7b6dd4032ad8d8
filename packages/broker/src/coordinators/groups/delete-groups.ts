/** DeleteGroups: a group without members, with all that it has committed. */
import { ErrorCode } from '@millrace/protocol'
import type { Decision } from '../runtime/decision.ts'
import type { Groups } from './groups.ts'
import { tombstonesOfGroup } from './offsets/delete-offsets.ts'
import type { GroupOffsets } from './offsets/group-offsets.ts'

/** Answered with an error code. Whatever a crash leaves of it can be deleted again. @throws KafkaError with the code of the answer. */
export function deleteGroup(groups: Groups, offsets: GroupOffsets, groupId: string): Decision<number> {
  const group = groups.find(groupId)
  group.checkDelete()
  const records = [...tombstonesOfGroup(offsets, groupId), ...group.tombstones()]
  return { records, isAtomic: false, response: ErrorCode.NONE }
}
