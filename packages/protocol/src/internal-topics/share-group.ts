/** A share group (KIP-932): its members and assignments, in `__consumer_offsets`. Its offsets are in share-state.ts. */
import { array, int32, int64, int8, string, uuid } from '../schema/field.ts'
import { recordType } from './record-type.ts'

const group = { groupId: string }
const memberOfGroup = { groupId: string, memberId: string }
const topicPartitions = { topicId: uuid, partitions: array(int32) }

export const ShareGroupMemberMetadataRecord = recordType({
  name: 'ShareGroupMemberMetadata',
  id: 10,
  key: memberOfGroup,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      rackId: string.nullable(),
      clientId: string,
      clientHost: string,
      subscribedTopicNames: array(string),
    },
  },
})

export const ShareGroupMetadataRecord = recordType({
  name: 'ShareGroupMetadata',
  id: 11,
  key: group,
  value: { versions: [0, 0], flexible: 0, writes: 0, fields: { epoch: int32, metadataHash: int64 } },
})

/** Its time since 4.3 (KIP-1263). */
export const ShareGroupTargetAssignmentMetadataRecord = recordType({
  name: 'ShareGroupTargetAssignmentMetadata',
  id: 12,
  key: group,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: { assignmentEpoch: int32, assignmentTimestamp: int64.tag(0).default(0n).ignorable() },
  },
})

export const ShareGroupTargetAssignmentMemberRecord = recordType({
  name: 'ShareGroupTargetAssignmentMember',
  id: 13,
  key: memberOfGroup,
  value: { versions: [0, 0], flexible: 0, writes: 0, fields: { topicPartitions: array(topicPartitions) } },
})

export const ShareGroupCurrentMemberAssignmentRecord = recordType({
  name: 'ShareGroupCurrentMemberAssignment',
  id: 14,
  key: memberOfGroup,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      memberEpoch: int32,
      previousMemberEpoch: int32,
      state: int8,
      assignedPartitions: array(topicPartitions),
    },
  },
})

/** Which partitions have state at the share coordinator, or are on the way to it or from it. */
export const ShareGroupStatePartitionMetadataRecord = recordType({
  name: 'ShareGroupStatePartitionMetadata',
  id: 15,
  key: group,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      initializingTopics: array({ topicId: uuid, topicName: string, partitions: array(int32) }),
      initializedTopics: array({ topicId: uuid, topicName: string, partitions: array(int32) }),
      deletingTopics: array({ topicId: uuid, topicName: string }),
    },
  },
})
