/**
 * A bounded number of open files for an unbounded number of paths, so that 10,000 partitions fit under `ulimit -n 4096`.
 *
 * A `PooledFile` is a cheap name for a file: nothing is opened until it is first used, and the descriptor may be closed between two uses
 * when others need it more (least recently used first). While a file is pinned its descriptor stays. Asynchronous operations wait while all
 * descriptors are pinned; synchronous ones, of which there is one at a time, go over the bound.
 */
import type { Disk, DiskFile, OpenMode } from '@millrace/runtime'

export interface FilePoolOptions {
  readonly disk: Disk
  /** Descriptors kept open at most; exceeded only by synchronous operations and explicit pins. Default 1024. */
  readonly maxOpenFiles?: number
}

const defaultMaxOpenFiles = 1024
const sparedAtOnce = 32

/**
 * Invariants: `oldest … newest` links exactly the files that are open and not pinned; `openFiles` counts all open ones, pinned or not; somebody
 * waits for room only while every open file is pinned.
 */
export class FilePool {
  readonly maxOpenFiles: number
  readonly #disk: Disk
  #openFiles = 0
  #oldest: PooledFile | null = null
  #newest: PooledFile | null = null
  readonly #waiting: (() => void)[] = []

  constructor({ disk, maxOpenFiles = defaultMaxOpenFiles }: FilePoolOptions) {
    this.#disk = disk
    this.maxOpenFiles = Math.max(1, maxOpenFiles)
  }

  /** Descriptors open now. */
  get openFiles(): number {
    return this.#openFiles
  }

  /** Names a file; opens nothing. `mode` is used at each opening: `create` makes an absent file appear at the first use. */
  file(path: string, mode: OpenMode): PooledFile {
    return new PooledFile(this, path, mode)
  }

  /** Opens `path` for the length of one synchronous piece of work; for files read once, such as while a log is being opened. */
  withFile<T>(path: string, mode: OpenMode, use: (file: DiskFile) => T): T {
    const file = this.open(path, mode)
    try {
      return use(file)
    } finally {
      this.close(file)
    }
  }

  /** @internal for PooledFile */
  open(path: string, mode: OpenMode): DiskFile {
    while (this.#openFiles >= this.maxOpenFiles && this.#oldest !== null) this.#oldest.close()
    for (;;) {
      try {
        const file = this.#disk.openSync(path, mode)
        this.#openFiles++
        return file
      } catch (error) {
        // Connections have taken the process's descriptors: that is no fault of the disk, and some of ours can be spared.
        if (!isOutOfDescriptors(error) || this.#oldest === null) {
          // The room that was not used is the next one's.
          this.#waiting.shift()?.()
          throw error
        }
        for (let spared = 0; spared < sparedAtOnce && this.#oldest !== null; spared++) this.#oldest.close()
      }
    }
  }

  /** @internal for PooledFile */
  close(file: DiskFile): void {
    this.#openFiles--
    this.#waiting.shift()?.()
    file.closeSync()
  }

  /** @internal Every descriptor is pinned: who can wait, should (`room`). */
  get isFull(): boolean {
    return this.#oldest === null && this.#openFiles >= this.maxOpenFiles
  }

  /** @internal Resolves when a descriptor can be had, in the order of asking. */
  async room(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
  /** @internal puts an open file that has just lost its last pin at the young end. */
  link(file: PooledFile): void {
    file.older = this.#newest
    file.younger = null
    if (this.#newest === null) this.#oldest = file
    else this.#newest.younger = file
    this.#newest = file
    while (this.#openFiles > this.maxOpenFiles && this.#oldest !== null) this.#oldest.close()
    this.#waiting.shift()?.()
  }

  /** @internal */
  unlink(file: PooledFile): void {
    if (file.older === null) this.#oldest = file.younger
    else file.older.younger = file.younger
    if (file.younger === null) this.#newest = file.older
    else file.younger.older = file.older
    file.older = null
    file.younger = null
  }
}

/**
 * One file of the pool. All I/O methods are those of `DiskFile` and open the file when needed.
 *
 *     file.writeSync(buffers, position)          // one use
 *     const descriptor = file.pin()              // several uses; the descriptor stays until
 *     try { … } finally { file.unpin() }
 */
export class PooledFile {
  readonly mode: OpenMode
  /** @internal neighbours in the pool's list */
  older: PooledFile | null = null
  /** @internal */
  younger: PooledFile | null = null
  readonly #pool: FilePool
  #path: string
  #file: DiskFile | null = null
  #pins = 0
  /** Set by `close` while pinned: the last `unpin` closes. */
  #closeWhenFree = false

  constructor(pool: FilePool, path: string, mode: OpenMode) {
    this.#pool = pool
    this.#path = path
    this.mode = mode
  }

  get path(): string {
    return this.#path
  }

  get isOpen(): boolean {
    return this.#file !== null
  }

  /** The open file, which stays open until as many `unpin` calls. @throws what `Disk.openSync` throws; then nothing is pinned. */
  pin(): DiskFile {
    let file = this.#file
    if (file === null) {
      file = this.#pool.open(this.#path, this.mode)
      this.#file = file
    } else if (this.#pins === 0) {
      this.#pool.unlink(this)
    }
    this.#pins++
    return file
  }

  unpin(): void {
    this.#pins--
    if (this.#pins > 0) return
    if (this.#closeWhenFree) {
      const file = this.#file!
      this.#closeWhenFree = false
      this.#file = null
      this.#pool.close(file)
    } else this.#pool.link(this)
  }

  readSync(into: Uint8Array, position: number): number {
    const file = this.pin()
    try {
      return file.readSync(into, position)
    } finally {
      this.unpin()
    }
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    if (this.#file === null && this.#pool.isFull) await this.#pool.room()
    const file = this.pin()
    try {
      return await file.read(into, position)
    } finally {
      this.unpin()
    }
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    const file = this.pin()
    try {
      file.writeSync(buffers, position)
    } finally {
      this.unpin()
    }
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    if (this.#file === null && this.#pool.isFull) await this.#pool.room()
    const file = this.pin()
    try {
      await file.write(buffers, position)
    } finally {
      this.unpin()
    }
  }

  truncateSync(size: number): void {
    const file = this.pin()
    try {
      file.truncateSync(size)
    } finally {
      this.unpin()
    }
  }

  sizeSync(): number {
    const file = this.pin()
    try {
      return file.sizeSync()
    } finally {
      this.unpin()
    }
  }

  async sync(): Promise<void> {
    if (this.#file === null && this.#pool.isFull) await this.#pool.room()
    const file = this.pin()
    try {
      await file.sync()
    } finally {
      this.unpin()
    }
  }

  syncSync(): void {
    const file = this.pin()
    try {
      file.syncSync()
    } finally {
      this.unpin()
    }
  }

  /**
   * Closes the descriptor now, or when the last pin goes. Idempotent; a later use opens the file again. To be called for files whose
   * owner is gone, and before a rename (Windows renames no open file).
   */
  close(): void {
    const file = this.#file
    if (file === null) return
    if (this.#pins > 0) {
      this.#closeWhenFree = true
      return
    }
    this.#pool.unlink(this)
    this.#file = null
    this.#pool.close(file)
  }

  /** Tells that the file now lives at `path` (it, or a directory above it, was renamed). Reads under way are not disturbed. */
  moved(path: string): void {
    this.#path = path
  }
}

function isOutOfDescriptors(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'EMFILE' || code === 'ENFILE'
}
