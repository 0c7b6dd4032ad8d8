/**
 * A file of entries of one fixed size, appended to and looked up in memory: what offset, time and transaction index have in common.
 *
 * The content is read when first needed and may be evicted by the budget at any time; entries that are not on disk yet are written
 * first. Nothing is preallocated: the length of the file is `entries × entryBytes`. There is no checksum; whoever opens an index
 * checks that it is ordered and rebuilds it when not.
 */
import type { FilePool, PooledFile } from '../file-pool.ts'
import type { EvictableIndex, IndexBudget } from './index-budget.ts'

export interface IndexFileOptions {
  readonly files: FilePool
  readonly budget: IndexBudget
  readonly path: string
  readonly entryBytes: number
}

const nothing = new Uint8Array(0)
const smallestCapacityEntries = 8

/** Invariant: entries [0, #onDisk) are in the file; when loaded, `#bytes` holds all of [0, #count). */
export class IndexFile implements EvictableIndex {
  readonly #files: FilePool
  readonly #budget: IndexBudget
  readonly #entryBytes: number
  #path: string
  #file: PooledFile | null = null
  #bytes: Uint8Array = nothing
  #view: DataView = new DataView(nothing.buffer)
  #count = 0
  #onDisk = 0
  /** Whether `#count` is known. */
  #counted = false
  #loaded = false
  #exists = false
  /** The file was changed since the last `sync`. */
  #unsynced = false

  constructor({ files, budget, path, entryBytes }: IndexFileOptions) {
    this.#files = files
    this.#budget = budget
    this.#path = path
    this.#entryBytes = entryBytes
  }

  get path(): string {
    return this.#path
  }

  get residentBytes(): number {
    return this.#bytes.length
  }

  /** Whether the file was there when it was last looked at. Only known once loaded. */
  get exists(): boolean {
    return this.#exists
  }

  /** Entries, on disk or not. Loads. */
  get count(): number {
    if (!this.#counted) this.load()
    return this.#count
  }

  /** Entries not written yet. */
  get pendingBytes(): number {
    return (this.#count - this.#onDisk) * this.#entryBytes
  }

  /** All entries; entry n begins at n × entryBytes. Valid until the next append or the end of the turn. */
  get view(): DataView {
    if (!this.#loaded) this.load()
    this.#budget.touch(this)
    return this.#view
  }

  /** For a file known to be absent: nothing to read. */
  startEmpty(): void {
    this.#counted = true
    this.#loaded = true
    this.#count = 0
    this.#onDisk = 0
    this.#exists = false
  }

  /** Reads the file. A trailing part of an entry, left by a torn write, is ignored and overwritten later. */
  load(): void {
    let content: Uint8Array = nothing
    this.#exists = true
    try {
      content = this.#files.withFile(this.#path, 'read', (file) => {
        const bytes = new Uint8Array(file.sizeSync())
        return bytes.subarray(0, file.readSync(bytes, 0))
      })
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      this.#exists = false
    }
    this.#onDisk = Math.floor(content.length / this.#entryBytes)
    this.#count = this.#onDisk
    this.#counted = true
    this.#loaded = true
    this.#use(content)
    this.#budget.touch(this)
  }

  /** The last entry without loading the others: for old segments whose end is all that is asked. null when there is none. */
  readLast(): DataView | null {
    const size = this.#entryBytes
    if (this.#loaded) {
      if (this.#count === 0) return null
      return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + (this.#count - 1) * size, size)
    }
    try {
      return this.#files.withFile(this.#path, 'read', (file) => {
        const count = Math.floor(file.sizeSync() / size)
        if (count === 0) return null
        const entry = new Uint8Array(size)
        file.readSync(entry, (count - 1) * size)
        return new DataView(entry.buffer)
      })
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      return null
    }
  }

  /** Makes room for one more entry and counts it; returns where its bytes go in `view`. */
  append(): number {
    if (!this.#loaded) this.load()
    const at = this.#count * this.#entryBytes
    if (at + this.#entryBytes > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(smallestCapacityEntries * this.#entryBytes, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, at))
      this.#use(larger)
    }
    this.#count++
    this.#budget.touch(this)
    return at
  }

  /** Drops the entries from `count` on, in the file too. */
  truncate(count: number): void {
    if (!this.#loaded) this.load()
    if (count < this.#count) this.#count = count
    if (count < this.#onDisk) {
      this.#openFile().truncateSync(count * this.#entryBytes)
      this.#onDisk = count
      this.#unsynced = true
    }
  }

  /** Writes the entries that are not in the file. */
  flush(): void {
    if (this.#onDisk === this.#count) return
    const start = this.#onDisk * this.#entryBytes
    this.#openFile().writeSync([this.#bytes.subarray(start, this.#count * this.#entryBytes)], start)
    this.#onDisk = this.#count
    this.#exists = true
    this.#unsynced = true
  }

  /** Creates the file when absent and cuts what a torn write left behind the last entry. */
  finish(): void {
    if (!this.#counted) this.load()
    this.flush()
    const file = this.#openFile()
    if (!this.#exists || file.sizeSync() !== this.#count * this.#entryBytes) {
      file.truncateSync(this.#count * this.#entryBytes)
      this.#exists = true
      this.#unsynced = true
    }
  }

  async sync(): Promise<void> {
    this.flush()
    if (!this.#unsynced) return
    this.#unsynced = false
    await this.#openFile().sync()
  }

  /** What is in the file now may not be on the disk. */
  markUnsynced(): void {
    if (!this.#counted) this.load()
    this.#unsynced = this.#exists
  }

  evict(): void {
    this.flush()
    this.#loaded = false
    this.#use(nothing)
  }

  /** Lets go of memory and descriptor; a later use loads again. */
  close(): void {
    this.#budget.forget(this)
    this.#loaded = false
    this.#counted = false
    this.#use(nothing)
    this.#file?.close()
  }

  moved(path: string): void {
    this.#path = path
    this.#file?.moved(path)
  }

  #openFile(): PooledFile {
    this.#file ??= this.#files.file(this.#path, 'create')
    return this.#file
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}
