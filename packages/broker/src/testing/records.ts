/** Batches as a producer sends them, for tests. */
import { RecordBatchBuilder, type RecordBatchOptions } from '@millrace/protocol'

/** One batch of the values, without keys; timestamps are now. */
export function batchOf(values: readonly string[], options: RecordBatchOptions = {}): Uint8Array {
  const builder = new RecordBatchBuilder(options)
  const timestamp = BigInt(Date.now())
  for (const value of values) builder.append({ timestamp, value: Buffer.from(value) })
  return builder.build()
}
