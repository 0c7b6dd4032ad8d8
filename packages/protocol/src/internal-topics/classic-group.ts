/** A group of the classic protocol, in `__consumer_offsets`. */
import { array, bytes, int32, int64, string } from '../schema/field.ts'
import { recordType } from './record-type.ts'

export const GroupMetadataRecord = recordType({
  name: 'GroupMetadata',
  id: 2,
  key: { group: string },
  value: {
    versions: [0, 4],
    flexible: 4,
    writes: 3,
    fields: {
      protocolType: string,
      generation: int32,
      protocol: string.nullable(),
      leader: string.nullable(),
      currentStateTimestamp: int64.since(2).default(-1n).ignorable(),
      members: array({
        memberId: string,
        groupInstanceId: string.since(3).nullable(3).default(null).ignorable(),
        clientId: string,
        clientHost: string,
        rebalanceTimeout: int32.since(1).default(-1).ignorable(),
        sessionTimeout: int32,
        subscription: bytes,
        assignment: bytes,
      }),
    },
  },
})
