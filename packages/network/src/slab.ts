/**
 * 64 KiB pieces of pooled memory in which complete small frames lie one behind the other, counted: a slab goes back to the pool when
 * its last frame is released. One unreleased frame keeps the whole slab, so owners release as soon as they hold no view.
 */

import type { BufferPool } from '@millrace/runtime'
import type { FrameHome } from './frame.ts'

export const SLAB_BYTES = 64 * 1024

export class Slab implements FrameHome {
  readonly bytes: Uint8Array
  readonly #slabs: Slabs
  /** Frames and others who still look into it. */
  #holders = 0
  /** Where the next frames go. */
  used = 0

  constructor(slabs: Slabs, bytes: Uint8Array) {
    this.#slabs = slabs
    this.bytes = bytes
  }

  get held(): boolean {
    return this.#holders > 0
  }

  retain(): void {
    this.#holders++
  }

  release(): void {
    this.#holders--
    if (this.#holders === 0) this.#slabs.unheld(this)
  }

  /** A copy: other frames share this memory. */
  keep(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice()
    this.release()
    return copy
  }
}

export class Slabs {
  readonly #pool: BufferPool
  /** The one that is being filled. Never given back while it is. */
  #current: Slab | null = null
  /** Slabs that exist, the current one included. */
  #count = 0

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  get bytes(): number {
    return this.#count * SLAB_BYTES
  }

  /**
   * Copies the first `length` (≤ SLAB_BYTES) bytes from `start` of `source` into a slab; they begin at `used - length` of the slab returned, which
   * has been retained once for the caller.
   */
  keep(source: Uint8Array, start: number, length: number): Slab {
    let slab = this.#current
    if (slab === null || SLAB_BYTES - slab.used < length) {
      this.#current = null
      if (slab !== null && !slab.held) this.unheld(slab)
      slab = this.#current = new Slab(this, this.#pool.acquire(SLAB_BYTES))
      this.#count++
    }
    slab.bytes.set(source.subarray(start, start + length), slab.used)
    slab.used += length
    slab.retain()
    return slab
  }

  /** Nobody looks into `slab` any more. */
  unheld(slab: Slab): void {
    slab.used = 0
    if (slab === this.#current) return
    this.#count--
    this.#pool.release(slab.bytes)
  }
}
