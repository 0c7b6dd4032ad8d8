import { api } from '../schema/api.ts'
import { array, int16, int32, int64, int8, string, uuid } from '../schema/field.ts'

/**
 * A partition leader asks the controller to change its ISR (KIP-497).
 * Recovery after unclean elections since version 1 (KIP-704), topic ids since 2 (KIP-841), broker epochs since 3 (KIP-903).
 */
export const AlterPartition = api({
  key: 56,
  name: 'AlterPartition',
  versions: [0, 3],
  flexible: 0,
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1n),
    topics: array({
      topicName: string.upTo(1).ignorable(),
      topicId: uuid.since(2).ignorable(),
      partitions: array({
        partitionIndex: int32,
        leaderEpoch: int32,
        newIsr: array(int32).upTo(2),
        newIsrWithEpochs: array({ brokerId: int32, brokerEpoch: int64.default(-1n) }).since(3),
        leaderRecoveryState: int8.since(1),
        partitionEpoch: int32,
      }),
    }),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    topics: array({
      topicName: string.upTo(1).ignorable(),
      topicId: uuid.since(2).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        leaderId: int32,
        leaderEpoch: int32,
        isr: array(int32),
        leaderRecoveryState: int8.since(1).ignorable(),
        partitionEpoch: int32,
      }),
    }),
  },
})
