export { BufferPool } from './buffer-pool.ts'
export type { BufferPoolOptions } from './buffer-pool.ts'
export type { Clock, Timer } from './clock.ts'
export { digest, hmac, sameSecret, stretch } from './digests.ts'
export type { HashName } from './digests.ts'
export type { Disk, DiskEntry, DiskFile, DiskSpace, FileStatus, OpenMode } from './disk.ts'
export { silentLogger } from './logger.ts'
export type { LogFields, Logger } from './logger.ts'
export { MemoryDisk } from './memory/memory-disk.ts'
export type { MemoryDiskOptions } from './memory/memory-disk.ts'
export { nodeRuntime } from './node/node-runtime.ts'
export { postForm } from './node/post-form.ts'
export type { HttpAnswer, PostFormOptions } from './node/post-form.ts'
export type { Random } from './random.ts'
export type { Runtime } from './runtime.ts'
export { TimeSlice } from './time-slice.ts'
export type {
  Address,
  ByteSink,
  ConnectOptions,
  ListenOptions,
  TlsClientOptions,
  TlsServerOptions,
  Transport,
  TransportConnection,
  TransportListener,
} from './transport.ts'
