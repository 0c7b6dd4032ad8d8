export * from './batch.ts'
export { batchPositions, forEachBatch, wholeBatchSize } from './batches.ts'
export { CODEC_WORKER_FROM_BYTES, CodecWorker, type CodecWorkerOptions } from './codec-worker.ts'
export {
  compress,
  Compression,
  compressionName,
  declaredSize,
  decompress,
  type CompressionName,
} from './compression.ts'
export {
  controlBatch,
  ControlType,
  endTransactionMarker,
  readControlRecord,
  type ControlBatchOptions,
  type ControlRecord,
  type EndTransactionMarker,
} from './control-records.ts'
export { crc32c } from './crc32c.ts'
export { downConvert, type DownConversionOptions } from './down-conversion.ts'
export { FetchedBatch } from './fetched-batch.ts'
export { FetchedBatches, type AbortedTransaction, type FetchedBatchesOptions } from './fetched-batches.ts'
export {
  isMessageIntact,
  messageCompression,
  messageTimestamp,
  messageTimestampType,
  readMessages,
  writeMessageSet,
  type MessageSetOptions,
  type MessageView,
} from './message-set.ts'
export { DEFAULT_MAX_DECOMPRESSED_BYTES, openRecords, readRecords, recordsSection } from './read-records.ts'
export {
  behindHeaderSpace,
  largestRecordSize,
  RecordBatchBuilder,
  type RecordBatchOptions,
} from './record-batch-builder.ts'
export { RecordCursor } from './record-cursor.ts'
export { RecordScan, scanRecords } from './record-scan.ts'
export { splitBatch } from './split-batch.ts'
export { writeVarint, writeVarlong } from './varint.ts'
export type { NewRecord, NewRecordHeader, RecordField, RecordHeader, RecordView } from './record.ts'
