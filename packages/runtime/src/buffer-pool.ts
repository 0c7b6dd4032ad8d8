/**
 * Buffers whose length is a power of two, used again and again: a fresh 1 MiB buffer per request costs twice the processor time
 * of a recycled one, and stirs the garbage collector.
 *
 * A buffer has one owner from `acquire` until `release`; after that nothing may read or write it. Forgetting to release costs
 * speed, not memory: the garbage collector takes it. Releasing twice is a bug and is caught while the buffer lies in the pool.
 */

import { strict as assert } from 'node:assert'

const SMALLEST_LOG2 = 10
const LARGEST_LOG2 = 30

export interface BufferPoolOptions {
  /** Bound on the bytes lying unused in the pool; above it those that lie there longest go to the garbage collector. */
  readonly maxKeptBytes: number
  /** What is larger is allocated to size and never kept: for those who give away what they acquire. Default and most: 1 GiB. */
  readonly largestBytes?: number
}

export class BufferPool {
  /** Unused buffers by log2 of their length, the last released on top: it is the warmest in the caches. */
  readonly #free: Uint8Array[][] = []
  /** The fewest that lay unused in each list since the last `trim`: nobody needed those. */
  readonly #leastUnused: number[] = []
  /** Those of all lists, the first released first. */
  readonly #inPool = new Set<Uint8Array>()
  readonly #maxKeptBytes: number
  readonly #largestLog2: number
  #keptBytes = 0

  constructor(options: BufferPoolOptions) {
    this.#maxKeptBytes = options.maxKeptBytes
    this.#largestLog2 = Math.min(LARGEST_LOG2, log2For(options.largestBytes ?? 2 ** LARGEST_LOG2))
    for (let log2 = 0; log2 <= LARGEST_LOG2; log2++) {
      this.#free.push([])
      this.#leastUnused.push(0)
    }
  }

  /** Bytes lying unused in the pool. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  /** The length of the buffer `acquire(minBytes)` returns. */
  sizeFor(minBytes: number): number {
    const log2 = log2For(minBytes)
    return log2 > this.#largestLog2 ? minBytes : 2 ** log2
  }

  /** A buffer of the smallest power of two ≥ `minBytes` and ≥ 1 KiB (exactly `minBytes` above `largestBytes`), with arbitrary content. */
  acquire(minBytes: number): Uint8Array {
    const log2 = log2For(minBytes)
    if (log2 > this.#largestLog2) return allocate(minBytes)
    const free = this.#free[log2]!
    const buffer = free.pop()
    if (buffer === undefined) return allocate(2 ** log2)
    this.#inPool.delete(buffer)
    this.#keptBytes -= buffer.length
    if (free.length < this.#leastUnused[log2]!) this.#leastUnused[log2] = free.length
    return buffer
  }

  /** Takes back what `acquire` returned: that very object, not a view of it. */
  release(buffer: Uint8Array): void {
    const size = buffer.length
    const log2 = log2For(size)
    if (log2 > this.#largestLog2) return
    assert(size === 2 ** log2, `a buffer of ${size} bytes is not from the pool`)
    assert(!this.#inPool.has(buffer), `a buffer of ${size} bytes was released twice`)
    if (size > this.#maxKeptBytes) return
    // Else what one kind of load has left behind would keep out the sizes that the next one needs.
    while (this.#keptBytes + size > this.#maxKeptBytes) this.#dropOldest()
    this.#free[log2]!.push(buffer)
    this.#inPool.add(buffer)
    this.#keptBytes += size
  }

  #dropOldest(): void {
    const oldest = this.#inPool.values().next().value!
    const log2 = log2For(oldest.length)
    const free = this.#free[log2]!
    free.shift()
    this.#inPool.delete(oldest)
    this.#keptBytes -= oldest.length
    if (free.length < this.#leastUnused[log2]!) this.#leastUnused[log2] = free.length
  }

  /** Lets go of what nobody needed since the last call. To be called every now and then, so that a peak is not kept for ever. */
  trim(): void {
    for (let log2 = SMALLEST_LOG2; log2 <= LARGEST_LOG2; log2++) {
      const free = this.#free[log2]!
      for (const buffer of free.splice(0, this.#leastUnused[log2]!)) {
        this.#inPool.delete(buffer)
        this.#keptBytes -= buffer.length
      }
      this.#leastUnused[log2] = free.length
    }
  }
}

function log2For(bytes: number): number {
  if (bytes <= 1 << SMALLEST_LOG2) return SMALLEST_LOG2
  return bytes > 2 ** LARGEST_LOG2 ? LARGEST_LOG2 + 1 : 32 - Math.clz32(bytes - 1)
}

/** A plain Uint8Array, as `slice` of a Buffer means something else; not cleared, as clearing touches every page. */
function allocate(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
}
