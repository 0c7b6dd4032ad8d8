/** A disk that is gone with the process: for embedded brokers that shall leave nothing behind, and for tests. */

import type { Disk, DiskEntry, DiskFile, DiskSpace, FileStatus, OpenMode } from '../disk.ts'
import { DirectoryNode, diskError, FileTree, sizeBelow } from './file-tree.ts'
import type { FileNode } from './file-tree.ts'

export interface MemoryDiskOptions {
  /** Sum of the files' sizes above which writes fail with ENOSPC. Default: no bound but the memory. */
  readonly capacityBytes?: number
  /** For modification times. Default: always 0. */
  readonly now?: () => number
}

export class MemoryDisk implements Disk {
  readonly isVisibleToThreads = false
  readonly #tree: FileTree
  readonly #now: () => number
  readonly #capacityBytes: number
  /** By path; who holds it is told apart by identity. */
  readonly #locks = new Map<string, Disposable>()

  constructor(options: MemoryDiskOptions = {}) {
    this.#now = options.now ?? (() => 0)
    this.#capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER
    this.#tree = new FileTree(this.#now, () => {})
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    const node = mode === 'create' ? this.#tree.createFile(path, 'open') : this.#tree.file(path, 'open')
    return new MemoryFile(path, node, mode !== 'read', this)
  }

  readFileSync(path: string): Uint8Array {
    return this.#tree.file(path, 'open').content.toBytes()
  }

  replaceFileSync(path: string, content: Uint8Array): void {
    const temporary = `${path}.tmp`
    const file = this.openSync(temporary, 'create')
    file.truncateSync(0)
    file.writeSync([content], 0)
    file.closeSync()
    this.renameSync(temporary, path)
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    await Promise.resolve()
    this.replaceFileSync(path, content)
  }

  existsSync(path: string): boolean {
    return this.#tree.find(path) !== null
  }

  statusSync(path: string): FileStatus | null {
    const node = this.#tree.find(path)
    if (node === null) return null
    if (node instanceof DirectoryNode) return { sizeBytes: 0, modifiedMs: node.modifiedMs, isDirectory: true }
    return { sizeBytes: node.content.size, modifiedMs: node.modifiedMs, isDirectory: false }
  }

  setModifiedSync(path: string, modifiedMs: number): void {
    this.#tree.file(path, 'utime').modifiedMs = modifiedMs
  }

  listSync(path: string): DiskEntry[] {
    const directory = this.#tree.directory(path, 'scandir')
    return [...directory.entries].map(([name, node]) => ({ name, isDirectory: node instanceof DirectoryNode }))
  }

  makeDirectorySync(path: string): void {
    this.#tree.makeDirectory(path)
  }

  renameSync(from: string, to: string): void {
    this.#tree.rename(from, to)
  }

  removeSync(path: string): void {
    if (this.#tree.find(path) instanceof DirectoryNode) throw diskError('EISDIR', 'rm', path)
    this.#tree.remove(path)
  }

  async removeTree(path: string): Promise<void> {
    await Promise.resolve()
    this.#tree.remove(path)
  }

  syncDirectorySync(path: string): void {
    this.#tree.directory(path, 'open')
  }

  space(path: string): Promise<DiskSpace> {
    if (this.#tree.find(path) === null) return Promise.reject(diskError('ENOENT', 'statfs', path))
    const totalBytes = this.#capacityBytes
    return Promise.resolve({ totalBytes, usableBytes: Math.max(0, totalBytes - this.usedBytes()) })
  }

  tryLock(path: string): Disposable | null {
    if (this.#locks.has(path)) return null
    this.openSync(path, 'create').closeSync()
    const lock = {
      [Symbol.dispose]: (): void => {
        if (this.#locks.get(path) !== lock) return
        this.#locks.delete(path)
        this.removeSync(path)
      },
    }
    this.#locks.set(path, lock)
    return lock
  }

  /** Nothing that happens to a broker makes it lose what was written: the disk ends only with the process. */
  bootId(): string {
    return 'memory'
  }

  /** Sum of the sizes of all files that have a name. */
  usedBytes(): number {
    return sizeBelow(this.#tree.root)
  }

  write(node: FileNode, buffers: readonly Uint8Array[], position: number, path: string): void {
    if (this.#capacityBytes !== Number.MAX_SAFE_INTEGER) {
      const end = buffers.reduce((at, buffer) => at + buffer.length, position)
      const growth = Math.max(0, end - node.content.size)
      if (this.usedBytes() + growth > this.#capacityBytes) throw diskError('ENOSPC', 'write', path)
    }
    for (const buffer of buffers) {
      node.content.write(buffer, position)
      position += buffer.length
    }
    node.modifiedMs = this.#now()
  }
}

class MemoryFile implements DiskFile {
  readonly path: string
  #node: FileNode | null
  readonly #writable: boolean
  readonly #disk: MemoryDisk

  constructor(path: string, node: FileNode, writable: boolean, disk: MemoryDisk) {
    this.path = path
    this.#node = node
    this.#writable = writable
    this.#disk = disk
  }

  readSync(into: Uint8Array, position: number): number {
    return this.#open('read').content.read(into, position)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    await Promise.resolve()
    return this.readSync(into, position)
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    this.#disk.write(this.#openToWrite('write'), buffers, position, this.path)
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    await Promise.resolve()
    this.writeSync(buffers, position)
  }

  truncateSync(size: number): void {
    this.#openToWrite('ftruncate').content.truncate(size)
  }

  sizeSync(): number {
    return this.#open('fstat').content.size
  }

  async sync(): Promise<void> {
    await Promise.resolve()
    this.syncSync()
  }

  syncSync(): void {
    this.#open('fdatasync')
  }

  closeSync(): void {
    this.#node = null
  }

  #open(operation: string): FileNode {
    if (this.#node === null) throw diskError('EBADF', operation, this.path)
    return this.#node
  }

  #openToWrite(operation: string): FileNode {
    if (!this.#writable) throw diskError('EBADF', operation, this.path)
    return this.#open(operation)
  }
}
