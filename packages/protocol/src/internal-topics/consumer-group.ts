/** A group of the consumer protocol (KIP-848), in `__consumer_offsets`. */
import { array, bytes, int32, int64, int8, string, struct, uuid } from '../schema/field.ts'
import { recordType } from './record-type.ts'

const group = { groupId: string }
const memberOfGroup = { groupId: string, memberId: string }

/** The hash over the subscribed topics, by which a change of them is noticed, since 4.1 (KIP-1101). */
export const ConsumerGroupMetadataRecord = recordType({
  name: 'ConsumerGroupMetadata',
  id: 3,
  key: group,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: { epoch: int32, metadataHash: int64.tag(0).default(0n) },
  },
})

/** Of brokers before 4.1, which the hash above replaced; Kafka 4.3.1 only writes tombstones. */
export const ConsumerGroupPartitionMetadataRecord = recordType({
  name: 'ConsumerGroupPartitionMetadata',
  id: 4,
  key: group,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: null,
    fields: {
      topics: array({
        topicId: uuid,
        topicName: string,
        numPartitions: int32,
        partitionMetadata: array({ partition: int32, racks: array(string) }),
      }),
    },
  },
})

/**
 * What a member told about itself. `classicMemberMetadata` is of one that uses the classic protocol, and null of others. Null is always on
 * disk: the schema's default is a JSON null, which Kafka's generator takes for none, so a field that is left out reads as an empty struct.
 */
export const ConsumerGroupMemberMetadataRecord = recordType({
  name: 'ConsumerGroupMemberMetadata',
  id: 5,
  key: memberOfGroup,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      instanceId: string.nullable(),
      rackId: string.nullable(),
      clientId: string,
      clientHost: string,
      subscribedTopicNames: array(string),
      subscribedTopicRegex: string.nullable(),
      rebalanceTimeoutMs: int32.default(-1),
      serverAssignor: string.nullable(),
      classicMemberMetadata: struct({
        sessionTimeoutMs: int32,
        supportedProtocols: array({ name: string, metadata: bytes }),
      })
        .nullable()
        .tag(0),
    },
  },
})

/** Written behind the assignments of all members: the epoch they are of. Its time since 4.3 (KIP-1263). */
export const ConsumerGroupTargetAssignmentMetadataRecord = recordType({
  name: 'ConsumerGroupTargetAssignmentMetadata',
  id: 6,
  key: group,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: { assignmentEpoch: int32, assignmentTimestamp: int64.tag(0).default(0n).ignorable() },
  },
})

export const ConsumerGroupTargetAssignmentMemberRecord = recordType({
  name: 'ConsumerGroupTargetAssignmentMember',
  id: 7,
  key: memberOfGroup,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: { topicPartitions: array({ topicId: uuid, partitions: array(int32) }) },
  },
})

const assignedPartitions = {
  topicId: uuid,
  partitions: array(int32),
  /** The member epoch in which each partition was assigned. Empty: written before 4.3, as null is not the default here either. */
  assignmentEpochs: array(int32).nullable().tag(0),
}

/** What a member owns and has yet to give up. `state` is an id of Kafka's MemberState. */
export const ConsumerGroupCurrentMemberAssignmentRecord = recordType({
  name: 'ConsumerGroupCurrentMemberAssignment',
  id: 8,
  key: memberOfGroup,
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: {
      memberEpoch: int32,
      previousMemberEpoch: int32,
      state: int8,
      assignedPartitions: array(assignedPartitions),
      partitionsPendingRevocation: array(assignedPartitions),
    },
  },
})

/** The topics that a regular expression stood for, at which version of the metadata and when. */
export const ConsumerGroupRegularExpressionRecord = recordType({
  name: 'ConsumerGroupRegularExpression',
  id: 16,
  key: { groupId: string, regularExpression: string },
  value: {
    versions: [0, 0],
    flexible: 0,
    writes: 0,
    fields: { topics: array(string), version: int64, timestamp: int64 },
  },
})
