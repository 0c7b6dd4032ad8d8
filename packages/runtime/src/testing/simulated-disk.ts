/**
 * A disk that behaves as badly as a real one may: content that was not synced and names whose directory was not synced can be lost
 * in a crash, writes are torn, operations fail, take time, or find the disk full. All by the seed.
 */

import type { Disk, DiskEntry, DiskFile, DiskSpace, FileStatus, OpenMode } from '../disk.ts'
import { DirectoryNode, diskError, FileNode, FileTree, parentOf, sizeBelow } from '../memory/file-tree.ts'
import { FaultRules } from './fault-rules.ts'
import type { DiskFault, DiskOperation } from './fault-rules.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedTime } from './simulated-clock.ts'
import { SimulatedFile } from './simulated-file.ts'
import { UnsyncedContent } from './unsynced-content.ts'
import { UnsyncedEntries } from './unsynced-entries.ts'

/** An asynchronous write on its way: a crash may leave any part of it. */
export interface WriteUnderWay {
  readonly file: FileNode
  readonly buffers: readonly Uint8Array[]
  readonly position: number
}

export class SimulatedDisk implements Disk {
  readonly isVisibleToThreads = false
  /** How long an asynchronous operation takes: uniform between these. */
  latencyMs: readonly [number, number] = [0.05, 0.5]
  /** How long a sync takes. */
  syncLatencyMs: readonly [number, number] = [0.2, 5]
  /** Sum of the files' sizes above which writes fail with ENOSPC. */
  capacityBytes = 2 ** 40

  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #rules: FaultRules
  readonly #entries = new UnsyncedEntries()
  readonly #tree: FileTree
  readonly #contents = new WeakMap<FileNode, UnsyncedContent>()
  readonly #writesUnderWay = new Set<WriteUnderWay>()
  /** By path; who holds it is told apart by identity. */
  readonly #locks = new Map<string, Disposable>()
  /** Counts the crashes of the process: what was opened before is gone. */
  #process = 0
  #boot = 0

  constructor(time: SimulatedTime, random: SeededRandom) {
    this.#time = time
    this.#random = random
    this.#rules = new FaultRules(random.fork())
    this.#tree = new FileTree(
      () => time.wallMs,
      (directory, name, node) => this.#entries.add(directory, name, node),
    )
  }

  // What tests do to it

  /** Lets operations fail until disposed. */
  fail(fault: DiskFault): Disposable {
    return this.#rules.add(fault)
  }

  /**
   * The machine loses power: unsynced content and names are lost, wholly (`nothing`) or as the seed decides (`random`, the default). Open files and
   * locks are gone; operations under way never end.
   */
  crash(keep: 'random' | 'nothing' = 'random'): void {
    if (keep === 'random') this.#tearWritesUnderWay()
    this.#endProcess()
    this.#boot++
    this.#entries.crash(this.#tree.root, keep, this.#random)
    this.#crashContents(this.#tree.root, keep)
  }

  /** The process dies and the system lives on: completed writes stay, those under way may be done in part. */
  crashProcess(): void {
    this.#tearWritesUnderWay()
    this.#endProcess()
  }

  // Disk

  openSync(path: string, mode: OpenMode): DiskFile {
    this.check('open', path)
    this.#entries.beginOperation()
    const node = mode === 'create' ? this.#tree.createFile(path, 'open') : this.#tree.file(path, 'open')
    return new SimulatedFile(this, node, path, mode !== 'read', this.#process)
  }

  readFileSync(path: string): Uint8Array {
    this.check('read', path)
    return this.#tree.file(path, 'open').content.toBytes()
  }

  replaceFileSync(path: string, content: Uint8Array): void {
    const temporary = `${path}.tmp`
    const file = this.openSync(temporary, 'create')
    file.truncateSync(0)
    file.writeSync([content], 0)
    file.syncSync()
    file.closeSync()
    this.renameSync(temporary, path)
    this.syncDirectorySync(parentOf(path))
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    const copy = content.slice()
    await this.later(this.syncLatencyMs)
    this.replaceFileSync(path, copy)
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
    this.check('list', path)
    const { entries } = this.#tree.directory(path, 'scandir')
    return [...entries].map(([name, node]) => ({ name, isDirectory: node instanceof DirectoryNode }))
  }

  makeDirectorySync(path: string): void {
    this.check('make-directory', path)
    this.#entries.beginOperation()
    this.#tree.makeDirectory(path)
  }

  renameSync(from: string, to: string): void {
    this.check('rename', from)
    this.#entries.beginOperation()
    this.#tree.rename(from, to)
  }

  removeSync(path: string): void {
    this.check('remove', path)
    if (this.#tree.find(path) instanceof DirectoryNode) throw diskError('EISDIR', 'rm', path)
    this.#entries.beginOperation()
    this.#tree.remove(path)
  }

  async removeTree(path: string): Promise<void> {
    await this.later(this.latencyMs)
    this.check('remove', path)
    this.#entries.beginOperation()
    this.#tree.remove(path)
  }

  syncDirectorySync(path: string): void {
    this.check('sync', path)
    this.#entries.sync(this.#tree.directory(path, 'open'))
  }

  async space(path: string): Promise<DiskSpace> {
    await this.later(this.latencyMs)
    if (this.#tree.find(path) === null) throw diskError('ENOENT', 'statfs', path)
    return {
      totalBytes: this.capacityBytes,
      usableBytes: Math.max(0, this.capacityBytes - sizeBelow(this.#tree.root)),
    }
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

  bootId(): string {
    return `boot-${this.#boot}`
  }

  // For its files

  /** @throws the error a rule asks for. */
  check(operation: DiskOperation, path: string): void {
    const code = this.#rules.codeFor(operation, path)
    if (code !== null) throw diskError(code, operation, path)
  }

  isAlive(process: number): boolean {
    return process === this.#process
  }

  /** Resolves after a while; never when the process dies meanwhile. */
  later(latencyMs: readonly [number, number]): Promise<void> {
    const process = this.#process
    return new Promise((resolve) => {
      this.#time.after(this.#random.between(latencyMs), () => {
        if (this.isAlive(process)) resolve()
      })
    })
  }

  beginWrite(write: WriteUnderWay): void {
    this.#writesUnderWay.add(write)
  }

  endWrite(write: WriteUnderWay): void {
    this.#writesUnderWay.delete(write)
  }

  /** @throws by rule, having written a part; ENOSPC, having written what fits. */
  write(file: FileNode, buffers: readonly Uint8Array[], position: number, path: string): void {
    const bytes = joined(buffers)
    const code = this.#rules.codeFor('write', path)
    if (code !== null) {
      this.#put(file, bytes.subarray(0, this.#random.integer(bytes.length + 1)), position)
      throw diskError(code, 'write', path)
    }
    const free = Math.max(0, this.capacityBytes - sizeBelow(this.#tree.root))
    const growth = Math.max(0, position + bytes.length - file.content.size)
    if (growth > free) {
      this.#put(file, bytes.subarray(0, Math.max(0, bytes.length - (growth - free))), position)
      throw diskError('ENOSPC', 'write', path)
    }
    this.#put(file, bytes, position)
  }

  truncate(file: FileNode, size: number): void {
    file.content.truncate(size)
    this.contentOf(file).add({ kind: 'truncate', size })
  }

  contentOf(file: FileNode): UnsyncedContent {
    let content = this.#contents.get(file)
    if (content === undefined) this.#contents.set(file, (content = new UnsyncedContent()))
    return content
  }

  #put(file: FileNode, bytes: Uint8Array, position: number): void {
    file.content.write(bytes, position)
    file.modifiedMs = this.#time.wallMs
    this.contentOf(file).add({ kind: 'write', bytes, position })
  }

  #tearWritesUnderWay(): void {
    for (const { file, buffers, position } of this.#writesUnderWay) {
      const bytes = joined(buffers)
      this.#put(file, bytes.subarray(0, this.#random.integer(bytes.length + 1)), position)
    }
  }

  #endProcess(): void {
    this.#process++
    this.#writesUnderWay.clear()
    this.#locks.clear()
  }

  #crashContents(directory: DirectoryNode, keep: 'random' | 'nothing'): void {
    for (const node of directory.entries.values()) {
      if (node instanceof DirectoryNode) this.#crashContents(node, keep)
      else node.content = this.contentOf(node).crash(keep, this.#random)
    }
  }
}

/** A copy: who wrote it may reuse the buffers. */
function joined(buffers: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(buffers))
}
