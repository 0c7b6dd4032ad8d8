/** What share groups have consumed of a partition (KIP-932), in `__share_group_state`: snapshots, and updates since. */
import { array, int16, int32, int64, int8, string, uuid } from '../schema/field.ts'
import { recordType } from './record-type.ts'

const sharePartition = { groupId: string, topicId: uuid, partition: int32 }
const stateBatches = array({ firstOffset: int64, lastOffset: int64, deliveryState: int8, deliveryCount: int16 })
/** Offsets from the start offset on that are done with, since 4.2 (KIP-1226); -1: unknown. */
const deliveryCompleteCount = int32.tag(0).default(-1)

export const ShareSnapshotRecord = recordType({
  name: 'ShareSnapshot',
  id: 0,
  key: sharePartition,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      snapshotEpoch: int32,
      stateEpoch: int32,
      leaderEpoch: int32,
      startOffset: int64,
      deliveryCompleteCount,
      createTimestamp: int64,
      writeTimestamp: int64,
      stateBatches,
    },
  },
})

/** Belongs to the snapshot of the same epoch. A start offset of -1 leaves it as it was. */
export const ShareUpdateRecord = recordType({
  name: 'ShareUpdate',
  id: 1,
  key: sharePartition,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      snapshotEpoch: int32,
      leaderEpoch: int32,
      startOffset: int64,
      deliveryCompleteCount,
      stateBatches,
    },
  },
})
