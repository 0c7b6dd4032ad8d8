/** Parts a finished batch, for a producer whose broker found it too large (MESSAGE_TOO_LARGE). */
import {
  addToSequence,
  baseSequence,
  compressionOf,
  isTransactional,
  producerEpoch,
  producerId,
  recordsCount,
} from './batch.ts'
import { readRecords } from './read-records.ts'
import { largestRecordSize, RecordBatchBuilder } from './record-batch-builder.ts'

/**
 * The records of the batch at `at` in batches of at most `limitBytes` before compression, or of one record that is larger. Codec and producer
 * stay, sequence numbers go on from part to part. A single part says that there was nothing to split.
 * @throws KafkaError as `readRecords`.
 */
export function splitBatch(bytes: Uint8Array, at: number, limitBytes: number, compressionLevel?: number): Uint8Array[] {
  const compression = compressionOf(bytes, at)
  const options = compressionLevel === undefined ? { compression } : { compression, compressionLevel }
  const producer = {
    producerId: producerId(bytes, at),
    producerEpoch: producerEpoch(bytes, at),
    isTransactional: isTransactional(bytes, at),
  }
  const firstSequence = baseSequence(bytes, at)
  const parts: Uint8Array[] = []
  let written = 0
  let builder = new RecordBatchBuilder(options)
  const finish = () => {
    const sequence = firstSequence < 0 ? -1 : addToSequence(firstSequence, written)
    const part = builder.build({ ...producer, baseSequence: sequence })
    parts.push(part)
    written += recordsCount(part, 0)
    builder = new RecordBatchBuilder(options)
  }
  for (const record of readRecords(bytes, at)) {
    const size = largestRecordSize(record.key, record.value, record.headers)
    if (builder.recordsCount > 0 && builder.sizeBytes + size > limitBytes) finish()
    builder.append(record)
  }
  if (builder.recordsCount > 0) finish()
  return parts
}
