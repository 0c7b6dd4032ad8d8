/** Which offsets have outlived their retention, and which groups go with them (KIP-211). */
import type { CoordinatorRecord } from '../../runtime/decision.ts'
import type { Group, RetentionStart } from '../group.ts'
import type { Groups } from '../groups.ts'
import { offsetTombstone, type CommittedOffset } from './committed-offset.ts'
import type { GroupOffsets } from './group-offsets.ts'

export interface Expiry {
  readonly nowMs: number
  readonly retentionMs: number
}

/** Tombstones of what has expired. */
export function expiredOffsets(groups: Groups, offsets: GroupOffsets, expiry: Expiry): CoordinatorRecord[] {
  const records: CoordinatorRecord[] = []
  for (const group of groups) {
    if (!group.expires) continue
    const hasNoneLeft = expireOffsetsOf(group, offsets, expiry, records)
    if (hasNoneLeft && group.isEmpty) records.push(...group.tombstones())
  }
  return records
}

/** Returns whether none will be left, pending ones included. */
function expireOffsetsOf(group: Group, offsets: GroupOffsets, expiry: Expiry, records: CoordinatorRecord[]): boolean {
  let hasNoneLeft = !offsets.pending.hasAny(group.id)
  const byTopic = offsets.committed.ofGroup(group.id)
  if (byTopic === undefined) return hasNoneLeft
  const retentionStart = group.retentionStart()
  if (retentionStart === null) return false
  for (const [topic, byPartition] of byTopic) {
    if (group.isSubscribedTo(topic)) {
      hasNoneLeft = false
      continue
    }
    for (const [partition, offset] of byPartition) {
      const hasExpired = isExpired(offset, retentionStart, expiry) && !offsets.pending.has(group.id, topic, partition)
      if (hasExpired) records.push(offsetTombstone({ group: group.id, topic, partition }))
      else hasNoneLeft = false
    }
  }
  return hasNoneLeft
}

function isExpired(offset: CommittedOffset, retentionStart: RetentionStart, { nowMs, retentionMs }: Expiry): boolean {
  const { expireTimestampMs } = offset
  return expireTimestampMs === -1 ? nowMs - retentionStart(offset) >= retentionMs : nowMs >= expireTimestampMs
}
