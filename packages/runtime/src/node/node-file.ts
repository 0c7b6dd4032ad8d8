/** A file of the real file system, by its descriptor. */

import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  read,
  readSync,
  write,
  writeSync,
} from 'node:fs'
import { writev, writevSync } from 'node:fs'
import type { DiskFile } from '../disk.ts'

/** IOV_MAX of Linux. */
const MAX_BUFFERS = 1024

export class NodeFile implements DiskFile {
  readonly path: string
  /** -1 when closed. */
  #fd: number

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  readSync(into: Uint8Array, position: number): number {
    const fd = this.#open('read')
    let done = 0
    while (done < into.length) {
      const length = readSync(fd, into, done, into.length - done, position + done)
      if (length === 0) break
      done += length
    }
    return done
  }

  read(into: Uint8Array, position: number): Promise<number> {
    if (into.length === 0) return Promise.resolve(0)
    return new Promise((resolve, reject) => {
      const fd = this.#open('read')
      let done = 0
      const step = (): void => {
        read(fd, into, done, into.length - done, position + done, (error, length) => {
          if (error !== null) {
            reject(error)
            return
          }
          done += length
          if (length === 0 || done === into.length) resolve(done)
          else step()
        })
      }
      step()
    })
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    const fd = this.#open('write')
    if (buffers.length === 1) {
      const buffer = buffers[0]!
      let done = 0
      while (done < buffer.length) done += writeSync(fd, buffer, done, buffer.length - done, position + done)
      return
    }
    for (let rest = nextPiece(buffers, 0, 0); rest !== null;) {
      const length = writevSync(fd, rest.piece, position)
      position += length
      rest = nextPiece(buffers, rest.index, rest.offset + length)
    }
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fd = this.#open('write')
      const step = (index: number, offset: number, at: number): void => {
        const rest = nextPiece(buffers, index, offset)
        if (rest === null) {
          resolve()
          return
        }
        const onWritten = (error: Error | null, length: number): void => {
          if (error !== null) reject(error)
          else step(rest.index, rest.offset + length, at + length)
        }
        if (rest.piece.length === 1) write(fd, rest.piece[0]!, 0, rest.piece[0]!.length, at, onWritten)
        else writev(fd, rest.piece, at, onWritten)
      }
      step(0, 0, position)
    })
  }

  truncateSync(size: number): void {
    ftruncateSync(this.#open('ftruncate'), size)
  }

  sizeSync(): number {
    return fstatSync(this.#open('fstat')).size
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#open('fdatasync'), (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
  }

  syncSync(): void {
    fdatasyncSync(this.#open('fdatasync'))
  }

  closeSync(): void {
    if (this.#fd < 0) return
    const fd = this.#fd
    this.#fd = -1
    closeSync(fd)
  }

  #open(operation: string): number {
    if (this.#fd >= 0) return this.#fd
    const message = `EBADF: the file is closed, ${operation} '${this.path}'`
    throw Object.assign(new Error(message), { code: 'EBADF', syscall: operation, path: this.path })
  }
}

/** What is left to write: `piece` begins at byte `offset` of `buffers[index]`. */
interface Rest {
  readonly piece: Uint8Array[]
  readonly index: number
  readonly offset: number
}

/** The next buffers for one system call when all before byte `offset`, counted from the start of `buffers[index]`, is written. */
function nextPiece(buffers: readonly Uint8Array[], index: number, offset: number): Rest | null {
  while (index < buffers.length && offset >= buffers[index]!.length) {
    offset -= buffers[index]!.length
    index++
  }
  if (index === buffers.length) return null
  const piece = buffers.slice(index, index + MAX_BUFFERS)
  if (offset > 0) piece[0] = piece[0]!.subarray(offset)
  return { piece, index, offset }
}
