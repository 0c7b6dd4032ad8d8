/** One Fetch of one partition, uncommitted records included. */
import type { BrokerConnection } from '@millrace/network'
import { Fetch } from '@millrace/protocol'

/** The last version that names topics by name. */
const fetchVersion = 11

interface FetchedPartition {
  readonly errorCode: number
  /** Whole batches, the first of which may begin below `fetchOffset`. */
  readonly records: Uint8Array | null
}

export async function fetchPartition(
  broker: BrokerConnection,
  { topic, partition, fetchOffset }: { topic: string; partition: number; fetchOffset: bigint },
): Promise<FetchedPartition> {
  const { responses } = await broker.send(
    Fetch,
    {
      maxWaitMs: 1000,
      minBytes: 1,
      maxBytes: 8_000_000,
      isolationLevel: 0,
      sessionId: 0,
      topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 4_000_000 }] }],
      forgottenTopicsData: [],
      rackId: '',
    },
    { version: fetchVersion },
  )
  return responses[0]!.partitions[0]!
}
