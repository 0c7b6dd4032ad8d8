import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int64, string } from '../schema/field.ts'

/**
 * Log directories of a broker and the sizes of the replicas in them (KIP-113). Space of the volumes since version 4
 * (KIP-827), cordoned directories since 5 (KIP-1066).
 */
export const DescribeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [0, 5],
  flexible: 2,
  request: {
    /** Null asks for all topics. */
    topics: array({ topic: string, partitions: array(int32) }).nullable(),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(3).ignorable(),
    results: array({
      errorCode: int16,
      logDir: string,
      topics: array({
        name: string,
        partitions: array({ partitionIndex: int32, partitionSize: int64, offsetLag: int64, isFutureKey: bool }),
      }),
      /** Of the volume; -1 when unknown. */
      totalBytes: int64.since(4).default(-1n).ignorable(),
      /** Of the volume; -1 when unknown. */
      usableBytes: int64.since(4).default(-1n).ignorable(),
      isCordoned: bool.since(5).ignorable(),
    }),
  },
})
