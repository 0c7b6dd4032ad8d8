import { api } from '../schema/api.ts'
import { array, int16, int32, int8, string } from '../schema/field.ts'

/** Elects the preferred leader, or since version 1 an unclean one (KIP-183, KIP-460). */
export const ElectLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: [0, 2],
  flexible: 2,
  request: {
    /** 0 preferred, 1 unclean. */
    electionType: int8.since(1),
    /** Null elects for all partitions. */
    topicPartitions: array({ topic: string, partitions: array(int32) }).nullable(),
    timeoutMs: int32.default(60000),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(1),
    replicaElectionResults: array({
      topic: string,
      partitionResult: array({ partitionId: int32, errorCode: int16, errorMessage: string.nullable() }),
    }),
  },
})
