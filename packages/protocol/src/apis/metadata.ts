import { api } from '../schema/api.ts'
import { array, bool, int16, int32, string, uuid } from '../schema/field.ts'

/**
 * Brokers, controller, and the topics asked for with their partitions.
 * Offline replicas since version 5 (KIP-112), leader epochs since 7 (KIP-320), authorized operations since 8 (KIP-430), those
 * of the cluster only up to 10 (KIP-700), topic ids since 10 and lookups by them since 12 (KIP-516), a top-level error since 13
 * (KIP-1102).
 */
export const Metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexible: 9,
  request: {
    /** Null asks for all topics; so does an empty list in version 0. */
    topics: array({ topicId: uuid.since(10).ignorable(), name: string.nullable(10) }).nullable(1),
    allowAutoTopicCreation: bool.since(4).default(true),
    includeClusterAuthorizedOperations: bool.since(8).upTo(10),
    includeTopicAuthorizedOperations: bool.since(8),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable(),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.since(1).nullable().default(null).ignorable(),
    }),
    clusterId: string.since(2).nullable().default(null).ignorable(),
    /** -1 when there is none. */
    controllerId: int32.since(1).default(-1).ignorable(),
    topics: array({
      errorCode: int16,
      name: string.nullable(12),
      topicId: uuid.since(10).ignorable(),
      isInternal: bool.since(1).ignorable(),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.since(7).default(-1).ignorable(),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).since(5).ignorable(),
      }),
      /** Bits by operation; the smallest int32 when not asked for. */
      topicAuthorizedOperations: int32.since(8).default(-0x8000_0000),
    }),
    clusterAuthorizedOperations: int32.since(8).upTo(10).default(-0x8000_0000),
    errorCode: int16.since(13).ignorable(),
  },
})
