/** What a partition holds, for tests. */
import type { TestBroker } from '@millrace/broker/testing'
import {
  batchPositions,
  ControlType,
  Fetch,
  isControl,
  isTransactional,
  producerId,
  readControlRecord,
  readRecords,
} from '@millrace/protocol'

/** Values of the records in a partition that a reader of committed ones gets. */
export async function committedValues(broker: TestBroker, topic: string, partition = 0): Promise<string[]> {
  const client = await broker.connect()
  const { responses } = await client.ask(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel: 1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: 0x7fff_ffff }] }],
    forgottenTopicsData: [],
  })
  client.close()
  return committedIn(responses[0]!.partitions[0]!.records ?? new Uint8Array())
}

/** The same for batches one behind the other. */
export function committedIn(records: Uint8Array): string[] {
  const values: string[] = []
  /** Of transactions that are not ended yet. */
  const open = new Map<bigint, string[]>()
  for (const at of batchPositions(records)) {
    const producer = producerId(records, at)
    if (isControl(records, at)) {
      const ended = open.get(producer)
      open.delete(producer)
      if (readControlRecord(records, at)?.type === ControlType.COMMIT && ended !== undefined) values.push(...ended)
      continue
    }
    const own = [...readRecords(records, at)].map(({ value }) => Buffer.from(value ?? []).toString())
    if (!isTransactional(records, at)) values.push(...own)
    else {
      const pending = open.get(producer) ?? []
      open.set(producer, pending)
      pending.push(...own)
    }
  }
  return values
}
