import type { DiskFile } from '../disk.ts'
import { diskError } from '../memory/file-tree.ts'
import type { FileNode } from '../memory/file-tree.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

export class SimulatedFile implements DiskFile {
  readonly path: string
  readonly #disk: SimulatedDisk
  readonly #node: FileNode
  readonly #writable: boolean
  readonly #process: number
  #closed = false

  constructor(disk: SimulatedDisk, node: FileNode, path: string, writable: boolean, process: number) {
    this.#disk = disk
    this.#node = node
    this.path = path
    this.#writable = writable
    this.#process = process
  }

  readSync(into: Uint8Array, position: number): number {
    const node = this.#open('read')
    this.#disk.check('read', this.path)
    return node.content.read(into, position)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#open('read')
    await this.#disk.later(this.#disk.latencyMs)
    return this.readSync(into, position)
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    this.#disk.write(this.#openToWrite('write'), buffers, position, this.path)
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const file = this.#openToWrite('write')
    const write = { file, buffers, position }
    this.#disk.beginWrite(write)
    await this.#disk.later(this.#disk.latencyMs)
    this.#disk.endWrite(write)
    this.writeSync(buffers, position)
  }

  truncateSync(size: number): void {
    const node = this.#openToWrite('ftruncate')
    this.#disk.check('truncate', this.path)
    this.#disk.truncate(node, size)
  }

  sizeSync(): number {
    return this.#open('fstat').content.size
  }

  async sync(): Promise<void> {
    const changes = this.#disk.contentOf(this.#open('fdatasync')).changes
    await this.#disk.later(this.#disk.syncLatencyMs)
    this.#sync(changes)
  }

  syncSync(): void {
    this.#sync(this.#disk.contentOf(this.#open('fdatasync')).changes)
  }

  closeSync(): void {
    this.#closed = true
  }

  #sync(changes: number): void {
    const content = this.#disk.contentOf(this.#open('fdatasync'))
    try {
      this.#disk.check('sync', this.path)
    } catch (error) {
      content.forgetUpTo(changes)
      throw error
    }
    content.syncUpTo(changes)
  }

  #open(operation: string): FileNode {
    if (this.#closed || !this.#disk.isAlive(this.#process)) throw diskError('EBADF', operation, this.path)
    return this.#node
  }

  #openToWrite(operation: string): FileNode {
    if (!this.#writable) throw diskError('EBADF', operation, this.path)
    return this.#open(operation)
  }
}
