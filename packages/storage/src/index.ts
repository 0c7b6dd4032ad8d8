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
export {}
