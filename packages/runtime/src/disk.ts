/**
 * Files as the rest of the house sees them. One interface for the real file system, for memory and for a simulated disk that
 * loses what was not synced.
 *
 * Both forms are here on purpose: a synchronous read or write of what the page cache holds costs 2-7 µs, a threadpool
 * operation 35-50 µs; a large or cold one must not stall the event loop. Callers choose by size and temperature.
 *
 * Errors are Node's: an `Error` with `code` ENOENT, ENOSPC, EIO, EACCES…; simulated ones too.
 */

export interface DiskFile {
  readonly path: string
  /** Reads into all of `into` from `position`; returns the bytes read, fewer only at the end of the file. */
  readSync(into: Uint8Array, position: number): number
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes every byte of every buffer, in order, from `position`. At most 1024 buffers. A failure may leave a part written. */
  writeSync(buffers: readonly Uint8Array[], position: number): void
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Cuts or extends (with zeros) to `size` bytes. */
  truncateSync(size: number): void
  sizeSync(): number
  /** Makes the content and the size durable (fdatasync). */
  sync(): Promise<void>
  syncSync(): void
  /** Idempotent. Buffers and reads under way must have ended. */
  closeSync(): void
}

export interface DiskEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface FileStatus {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly isDirectory: boolean
}

export interface DiskSpace {
  readonly totalBytes: number
  readonly usableBytes: number
}

/** `read`: must exist. `write`: read and write, must exist. `create`: read and write, created when absent, never truncated. */
export type OpenMode = 'read' | 'write' | 'create'

export interface Disk {
  /** Whether another thread of this process finds the same files under the same paths, by a disk of its own (`nodeRuntime`). */
  readonly isVisibleToThreads: boolean
  openSync(path: string, mode: OpenMode): DiskFile
  /** Whole small files: checkpoints, properties. @throws ENOENT. */
  readFileSync(path: string): Uint8Array
  /**
   * Replaces the file's content atomically: writes `path` + `.tmp`, syncs it, renames it over `path`, syncs the directory.
   * After a crash either the old or the new content is there.
   */
  replaceFileSync(path: string, content: Uint8Array): void
  replaceFile(path: string, content: Uint8Array): Promise<void>
  existsSync(path: string): boolean
  /** null when there is nothing at `path`. */
  statusSync(path: string): FileStatus | null
  /** Sets when the file was last changed. @throws ENOENT. */
  setModifiedSync(path: string, modifiedMs: number): void
  /** Unsorted. @throws ENOENT. */
  listSync(path: string): DiskEntry[]
  /** Creates the directory and its parents; does nothing when it exists. */
  makeDirectorySync(path: string): void
  /** Atomic; replaces a file at `to`. Durable once the parent directory is synced. */
  renameSync(from: string, to: string): void
  /** Removes a file; does nothing when it is absent. */
  removeSync(path: string): void
  /** Removes a directory and all below it; does nothing when absent. */
  removeTree(path: string): Promise<void>
  /** Makes renames, creations and removals in the directory durable. */
  syncDirectorySync(path: string): void
  space(path: string): Promise<DiskSpace>
  /**
   * Takes an exclusive advisory lock by a lock file that names the owner; held until disposed or the process ends.
   * null when another living owner, in this process or another, holds it.
   */
  tryLock(path: string): Disposable | null
  /**
   * A value that is the same for as long as writes that were completed but not synced are sure to survive a crash of this process:
   * the operating system's boot id for a real disk. null when that is unknown.
   */
  bootId(): string | null
}
