import { api } from '../schema/api.ts'
import { array, int16, int32, int64, int8, string } from '../schema/field.ts'

/**
 * Finds the offset for a timestamp, or for a special negative one: -1 latest, -2 earliest, -3 the largest timestamp (version
 * 7, KIP-734), -4 earliest local (8, KIP-405), -5 latest tiered (9, KIP-1005), -6 earliest not yet tiered (11, KIP-1023).
 * Version 0 answers with a list of segment offsets.
 */
export const ListOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [0, 11],
  flexible: 6,
  request: {
    /** -1 for a consumer. */
    replicaId: int32,
    /** 0 reads uncommitted, 1 reads committed. */
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.since(4).default(-1).ignorable(),
        timestamp: int64,
        maxNumOffsets: int32.upTo(0).default(1),
      }),
    }),
    timeoutMs: int32.since(10).ignorable(),
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        oldStyleOffsets: array(int64).upTo(0),
        timestamp: int64.since(1).default(-1n),
        offset: int64.since(1).default(-1n),
        leaderEpoch: int32.since(4).default(-1),
      }),
    }),
  },
})
