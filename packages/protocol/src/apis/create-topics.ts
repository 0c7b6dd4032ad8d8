import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int8, string, uuid } from '../schema/field.ts'

/**
 * Creates topics. Defaults for partitions and replicas since version 4 (KIP-464), the configs in the answer since 5
 * (KIP-525), throttling since 6 (KIP-599), topic ids since 7 (KIP-516).
 */
export const CreateTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: [0, 7],
  flexible: 5,
  request: {
    topics: array({
      name: string,
      /** -1 for the default of the broker, or with assignments. */
      numPartitions: int32,
      /** -1 for the default of the broker, or with assignments. */
      replicationFactor: int16,
      assignments: array({ partitionIndex: int32, brokerIds: array(int32) }),
      configs: array({ name: string, value: string.nullable() }),
    }),
    timeoutMs: int32.default(60000),
    validateOnly: bool.since(1),
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable(),
    topics: array({
      name: string,
      topicId: uuid.since(7).ignorable(),
      errorCode: int16,
      errorMessage: string.since(1).nullable().ignorable(),
      topicConfigErrorCode: int16.since(5).tag(0).ignorable(),
      numPartitions: int32.since(5).default(-1).ignorable(),
      replicationFactor: int16.since(5).default(-1).ignorable(),
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: bool,
        configSource: int8.default(-1),
        isSensitive: bool,
      })
        .since(5)
        .nullable()
        .ignorable(),
    }),
  },
})
