/**
 * What consumers of the classic protocol put into JoinGroup metadata and SyncGroup assignments. Each starts with its version as
 * an int16. Newer versions only append fields, so an unknown newer one is read as version 3, and the rest is ignored.
 */
import { array, bytes, int32, string } from '../schema/field.ts'
import { message } from '../schema/message.ts'

/** What a member subscribes to. Owned partitions since version 1 (KIP-429), generation since 2 (KIP-792), rack since 3 (KIP-881). */
export const ConsumerProtocolSubscription = message({
  name: 'ConsumerProtocolSubscription',
  versions: [0, 3],
  flexible: null,
  fields: {
    topics: array(string),
    userData: bytes.nullable().default(null),
    ownedPartitions: array({ topic: string, partitions: array(int32) })
      .since(1)
      .ignorable(),
    generationId: int32.since(2).default(-1).ignorable(),
    rackId: string.since(3).nullable().default(null).ignorable(),
  },
})

/** What a member is assigned. */
export const ConsumerProtocolAssignment = message({
  name: 'ConsumerProtocolAssignment',
  versions: [0, 3],
  flexible: null,
  fields: {
    assignedPartitions: array({ topic: string, partitions: array(int32) }),
    userData: bytes.nullable().default(null),
  },
})
