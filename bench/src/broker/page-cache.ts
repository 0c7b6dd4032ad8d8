// PERFORMANCE: memory that a virtual machine has not touched lately is many times dearer to write than memory that was just freed, and the
// host takes what lies free for a second or two. Every buffered writer pays it, so it must not be part of what is measured.
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const chunk = Buffer.alloc(4 << 20, 1)
const releaseEveryMs = 10

/**
 * Fills `bytes` of page cache by writing a file, and frees it again little by little, `bytesPerSecond`, from the end of the file: whoever
 * writes meanwhile finds memory that was in use a moment ago. What is left is freed at the end.
 */
export class WarmMemory implements Disposable {
  readonly #file: string
  readonly #descriptor: number
  readonly #timer: NodeJS.Timeout
  #left: number

  constructor(directory: string, bytes: number, bytesPerSecond: number) {
    this.#file = join(directory, 'page-cache-warmer')
    this.#descriptor = openSync(this.#file, 'w')
    for (let written = 0; written < bytes; written += chunk.length) writeSync(this.#descriptor, chunk)
    this.#left = bytes
    const step = (bytesPerSecond * releaseEveryMs) / 1000
    this.#timer = setInterval(() => this.#release(step), releaseEveryMs)
  }

  #release(bytes: number): void {
    if (this.#left <= 0) return
    this.#left = Math.max(0, Math.floor(this.#left - bytes))
    ftruncateSync(this.#descriptor, this.#left)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    closeSync(this.#descriptor)
    rmSync(this.#file)
  }
}
