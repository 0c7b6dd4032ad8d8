/**
 * The memory into which all connections of a broker receive, and its bound.
 *
 * Small frames (up to 64 KiB) always pass: connections are bounded, and so are they. A large frame gets memory as its bytes arrive.
 * When the bound is reached, those who want a larger buffer wait their turn (first come, first served), reading nothing; all others go on.
 *
 * Never stuck: buffers come back when frames are released and connections close. If every holder of a large buffer is itself
 * waiting, or stopped by its owner, none would: then the longest waiting one gets a buffer for its whole frame above the bound, one at a time.
 * And a holder whose peer sends next to nothing while others wait is closed after a deadline.
 */

import { BufferPool } from '@millrace/runtime'
import type { Clock, Logger, Timer } from '@millrace/runtime'
import type { FrameHome } from './frame.ts'
import { SLAB_BYTES, Slabs } from './slab.ts'

/** Up to this size a buffer is had without waiting. */
export const SMALL_BUFFER_BYTES = SLAB_BYTES
const SHORT_SCRATCH_BYTES = 4 * 1024
/** A peer that sends less than this in `stallMs` while others wait for memory counts as stalled. */
const PROGRESS_BYTES = 64 * 1024
const DEFAULT_STALL_MS = 10_000

export interface ReceiveMemoryOptions {
  readonly pool: BufferPool
  readonly clock: Clock
  readonly logger: Logger
  /** Bytes in frames, complete (until released) and incomplete, above which no connection gets a larger buffer. */
  readonly limitBytes: number
  /** How long a holder of a large buffer may make no progress while others wait. Default 10 s. */
  readonly stallMs?: number
}

/** A frame under way in a large buffer, or wanting one. */
export interface LargeFrame {
  /** Length of the whole frame, and bytes of it that have arrived. */
  readonly frameBytes: number
  readonly arrivedBytes: number
  /** Its owner has stopped the connection: that it does not progress is not the peer's fault. */
  readonly stoppedByOwner: boolean
  /** The buffer waited for is here; it may be larger than asked for. */
  granted(buffer: LentBuffer): void
  /** Has to end its connection, having held memory without progress. */
  stalled(): void
}

/** A pooled buffer on loan from a `ReceiveMemory`. */
export class LentBuffer implements FrameHome {
  readonly bytes: Uint8Array
  readonly fromReserve: boolean
  /** Its frame is complete, and was large: the owner of the frame has it until released. */
  holdsCompleteFrame = false
  readonly #memory: ReceiveMemory

  constructor(memory: ReceiveMemory, bytes: Uint8Array, fromReserve: boolean) {
    this.#memory = memory
    this.bytes = bytes
    this.fromReserve = fromReserve
  }

  get isLarge(): boolean {
    return this.bytes.length > SMALL_BUFFER_BYTES
  }

  release(): void {
    this.#memory.takeBack(this)
  }

  /** Gives the buffer away, unless it is small or `bytes` fill little of it: then a copy is cheaper than what it would hold on to. */
  keep(bytes: Uint8Array): Uint8Array {
    if (this.isLarge && bytes.length > this.bytes.length / 2) {
      this.#memory.giveAway(this)
      return bytes
    }
    const copy = bytes.slice()
    this.#memory.takeBack(this)
    return copy
  }
}

interface Waiter {
  readonly frame: LargeFrame
  readonly wantedBytes: number
}

interface Progress {
  bytes: number
  atMs: number
}

export class ReceiveMemory {
  /** What connections without an incomplete frame read into. Nothing stays in it when a read has been handled. */
  readonly scratch = new Uint8Array(SLAB_BYTES)
  /** The start of the scratch: for those whose next frame will be large and shall not be copied. */
  readonly shortScratch = this.scratch.subarray(0, SHORT_SCRATCH_BYTES)
  readonly slabs: Slabs

  readonly #pool: BufferPool
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #limitBytes: number
  readonly #stallMs: number
  #lentBytes = 0
  #reserveInUse = false
  readonly #waiters: Waiter[] = []
  /** Incomplete frames in large buffers that do not wait, and how far each was when last looked at. */
  readonly #holders = new Map<LargeFrame, Progress>()
  /** Complete frames in large buffers, not yet released by their owners. */
  #completeFrames = 0
  #stallTimer: Timer | null = null

  constructor(options: ReceiveMemoryOptions) {
    this.#pool = options.pool
    this.#clock = options.clock
    this.#logger = options.logger
    this.#limitBytes = options.limitBytes
    this.#stallMs = options.stallMs ?? DEFAULT_STALL_MS
    this.slabs = new Slabs(options.pool)
  }

  /** Bytes in the hands of connections and of the owners of frames. */
  get usedBytes(): number {
    return this.#lentBytes + this.slabs.bytes
  }

  /** Frames that wait for memory. */
  get waiting(): number {
    return this.#waiters.length
  }

  /** A buffer of at least `bytes` (≤ SMALL_BUFFER_BYTES). */
  lendSmall(bytes: number): LentBuffer {
    return this.#lend(bytes, false)
  }

  /** A buffer of at least `bytes` for `frame`, which is a holder from now on; null when it would have to wait. */
  tryLend(frame: LargeFrame, bytes: number): LentBuffer | null {
    if (this.#waiters.length > 0 || !this.#fits(bytes)) return null
    this.#hold(frame)
    return this.#lend(bytes, false)
  }

  /** As `tryLend`, later, by `frame.granted`: maybe during this call. `frame` keeps what it has until then. */
  waitFor(frame: LargeFrame, bytes: number): void {
    this.#holders.delete(frame)
    this.#waiters.push({ frame, wantedBytes: bytes })
    if (this.#waiters.length === 1) {
      for (const [holder, progress] of this.#holders) this.#mark(holder, progress)
      this.#watchForStalls()
    }
    this.#serve()
  }

  /** `frame` has all its bytes, and `buffer`, where they are, is its owner's until released. */
  complete(frame: LargeFrame, buffer: LentBuffer): void {
    if (!this.#holders.delete(frame)) return
    buffer.holdsCompleteFrame = true
    this.#completeFrames++
  }

  /** `frame` will not be completed. Its buffer is released separately. */
  abandon(frame: LargeFrame): void {
    this.#holders.delete(frame)
    const at = this.#waiters.findIndex((waiter) => waiter.frame === frame)
    if (at >= 0) this.#waiters.splice(at, 1)
    this.#serve()
  }

  /** `frame.stoppedByOwner` has changed. */
  stoppedOrResumed(frame: LargeFrame): void {
    const progress = this.#holders.get(frame)
    if (progress === undefined) return
    this.#mark(frame, progress)
    this.#serve()
  }

  takeBack(buffer: LentBuffer): void {
    this.#pool.release(buffer.bytes)
    this.giveAway(buffer)
  }

  /** The buffer is not ours any more, and does not count. */
  giveAway(buffer: LentBuffer): void {
    this.#lentBytes -= buffer.bytes.length
    if (buffer.fromReserve) this.#reserveInUse = false
    if (buffer.holdsCompleteFrame) this.#completeFrames--
    this.#serve()
  }

  #lend(bytes: number, fromReserve: boolean): LentBuffer {
    const buffer = this.#pool.acquire(bytes)
    this.#lentBytes += buffer.length
    return new LentBuffer(this, buffer, fromReserve)
  }

  #fits(bytes: number): boolean {
    return this.usedBytes + this.#pool.sizeFor(bytes) <= this.#limitBytes
  }

  #hold(frame: LargeFrame): void {
    this.#holders.set(frame, { bytes: frame.arrivedBytes, atMs: this.#clock.monotonicMs() })
  }

  #mark(frame: LargeFrame, progress: Progress): void {
    progress.bytes = frame.arrivedBytes
    progress.atMs = this.#clock.monotonicMs()
  }

  /** Gives to those who wait what there is. */
  #serve(): void {
    for (let first = this.#waiters[0]; first !== undefined; first = this.#waiters[0]) {
      const { frame, wantedBytes } = first
      const fits = this.#fits(wantedBytes)
      if (!fits && (this.#reserveInUse || this.#someoneProgresses())) return
      this.#waiters.shift()
      this.#hold(frame)
      if (!fits) this.#reserveInUse = true
      frame.granted(fits ? this.#lend(wantedBytes, false) : this.#lend(frame.frameBytes, true))
    }
  }

  #someoneProgresses(): boolean {
    if (this.#completeFrames > 0) return true
    for (const holder of this.#holders.keys()) if (!holder.stoppedByOwner) return true
    return false
  }

  #watchForStalls(): void {
    if (this.#stallTimer !== null) return
    this.#stallTimer = this.#clock.after(this.#stallMs / 4, () => {
      this.#stallTimer = null
      if (this.#waiters.length === 0) return
      this.#endStalled()
      if (this.#waiters.length > 0) this.#watchForStalls()
    })
  }

  #endStalled(): void {
    const now = this.#clock.monotonicMs()
    const stalled: LargeFrame[] = []
    for (const [holder, progress] of this.#holders) {
      if (holder.stoppedByOwner || holder.arrivedBytes - progress.bytes >= PROGRESS_BYTES) this.#mark(holder, progress)
      else if (now - progress.atMs >= this.#stallMs) stalled.push(holder)
    }
    if (stalled.length > 0) {
      this.#logger.warn('Memory for requests is short: closing connections that hold some and send nothing', {
        connections: stalled.length,
        waiting: this.#waiters.length,
        limitBytes: this.#limitBytes,
      })
    }
    for (const holder of stalled) holder.stalled()
  }
}
