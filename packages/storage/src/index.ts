export { defaultCleanerConfig, type CleanerConfig } from './cleaner/cleaner-config.ts'
export { LogManager, type CreateLogOptions } from './log-manager.ts'
export {
  defaultIntervals,
  type DescribedDirectory,
  type DescribedLog,
  type DirectoryFailure,
  type HostedPartition,
  type LogManagerIntervals,
  type LogManagerOptions,
  type LostPartition,
} from './log-manager-options.ts'
export { ForeignDirectoryError, readMetaProperties, type MetaProperties } from './directories/meta-properties.ts'
export { FilePool, PooledFile, type FilePoolOptions } from './file-pool.ts'
export { defaultLogConfig, type CompressionType, type LogConfig } from './log-config.ts'
export {
  RecordValidationError,
  validateRecords,
  type RecordError,
  type ValidatedBatch,
  type ValidatedBatches,
  type ValidationRules,
} from './validation/index.ts'
export { PartitionLog } from './partition-log.ts'
export { type Appended, type AppendOptions, type LocateOptions, type OffsetAndEpoch } from './partition-log-options.ts'
export { type LogSlice, type OffsetPosition } from './log-slice.ts'
export { type TimestampAndOffset } from './timestamp-lookup.ts'
export { createLogServices, type LogServices, type LogServicesOptions } from './log-services.ts'
export { type FetchedAbort } from './log-slice.ts'
export { type DeletedSegment, type ExistingPartitionLog, type NewPartitionLog } from './partition-log-options.ts'
export { type AppendOrigin } from './producers/producer-append.ts'
export { type ProducerDescription, type ProducerStates } from './producers/producer-states.ts'
export { type Verification, type VerificationRequest } from './producers/verifications.ts'
export { type EpochEnd, type LeaderEpochs } from './leader-epochs.ts'
