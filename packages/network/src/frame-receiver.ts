/**
 * Splits what a connection receives into frames: an int32 length, big-endian, then as many bytes.
 *
 * - Without an incomplete frame a connection holds no buffer: all connections of a broker read into one scratch. Node keeps the buffer for
 *   the next read ready (see ByteSink.buffer), so the scratch cannot be given away: what arrives in it is moved out before `received`
 *   returns. Complete frames go into a slab in one copy, which costs about 1 µs per 16 KiB.
 * - An incomplete frame gets a buffer of its own, into which further reads go directly. It starts with 64 KiB, or with the size of
 *   the largest frame that this connection has completed, and doubles up to the frame's length: who announces much and
 *   sends little takes little. See ReceiveMemory for the bound over all connections.
 * - `stop` and `resume` are the owner's backpressure. What had arrived before `stop` waits, undelivered.
 */

import { strict as assert } from 'node:assert'
import type { ByteSink, Logger, TransportConnection } from '@millrace/runtime'
import { Frame } from './frame.ts'
import { looksLike } from './looks-like.ts'
import { SMALL_BUFFER_BYTES } from './receive-memory.ts'
import type { LargeFrame, LentBuffer, ReceiveMemory } from './receive-memory.ts'
import type { Slab } from './slab.ts'

const LENGTH_BYTES = 4
/** So much is cheaper copied, together with what follows, than fetched by a read of its own. */
const COPY_BELOW_BYTES = 8 * 1024

/** The peer sent what cannot be a frame, or none in time. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  /** The peer speaks another protocol, as far as one can see. */
  readonly isForeign: boolean

  constructor(message: string, isForeign: boolean) {
    super(message)
    this.isForeign = isForeign
  }
}

/** Who gets the frames. */
export interface FrameOwner {
  /** More may follow at once even after `connection.destroy()`, but not after `stop`. `frame` is the owner's, to be released once. */
  frameReceived(frame: Frame): void
  /** The peer sends no more; all frames have been delivered. It may still read. */
  ended(): void
  /** The connection is gone. `error` tells why when it broke, or what was wrong with the bytes. The last call. */
  closed(error: Error | null): void
}

export interface FrameReceiverOptions {
  readonly memory: ReceiveMemory
  readonly connection: TransportConnection
  /** Length above which a frame is refused and the connection closed. */
  readonly maxFrameBytes: number
  /** What the frames are: for messages. Default: requests. */
  readonly receives?: 'requests' | 'answers'
  readonly owner: FrameOwner
  readonly logger: Logger
}

/** To be given to `connection.start`. */
export class FrameReceiver implements ByteSink, LargeFrame {
  /** May be changed, for instance when the peer has authenticated. */
  maxFrameBytes: number
  readonly #memory: ReceiveMemory
  readonly #connection: TransportConnection
  readonly #owner: FrameOwner
  readonly #logger: Logger
  readonly #content: string

  /** Up to three bytes of a length, as the number they make, and how many. */
  #lengthSoFar = 0
  #lengthBytes = 0

  /** The incomplete frame, if `#buffer` is there: bytes wanted and arrived, without the length. */
  #buffer: LentBuffer | null = null
  #frameBytes = 0
  #arrivedBytes = 0
  #largestBytes = 0
  /** Whether the last frame was large: then the next probably is, and little of it shall go through the scratch. */
  #lastWasLarge = false

  /** Complete frames, lengths and all, that wait to be delivered: in `#slab` from `#slabStart` to `#slabEnd`. */
  #slab: Slab | null = null
  #slabStart = 0
  #slabEnd = 0

  /** What `buffer` last returned: the scratch, or the frame's own buffer. */
  #readsIntoScratch = true
  #stopped = false
  #waitsForMemory = false
  #readingPaused = false
  #delivering = false
  #ended = false
  #failure: Error | null = null
  #closed = false

  constructor(options: FrameReceiverOptions) {
    this.#memory = options.memory
    this.#connection = options.connection
    this.maxFrameBytes = options.maxFrameBytes
    this.#owner = options.owner
    this.#logger = options.logger
    this.#content = options.receives === 'answers' ? 'an answer' : 'a request'
  }

  get frameBytes(): number {
    return this.#frameBytes
  }

  get arrivedBytes(): number {
    return this.#arrivedBytes
  }

  get stoppedByOwner(): boolean {
    return this.#stopped
  }

  /** Delivers and reads nothing more until `resume`. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#memory.stoppedOrResumed(this)
    this.#pauseOrResume()
  }

  resume(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#memory.stoppedOrResumed(this)
    this.#deliver()
    this.#pauseOrResume()
  }

  // ByteSink

  buffer(): Uint8Array {
    const own = this.#buffer
    this.#readsIntoScratch = true
    if (own === null) return this.#lastWasLarge ? this.#memory.shortScratch : this.#memory.scratch
    const rest = this.#frameBytes - this.#arrivedBytes
    if (this.#waitsForMemory) return this.#memory.shortScratch
    if (rest < COPY_BELOW_BYTES && this.#frameBytes <= own.bytes.length) return this.#memory.scratch
    this.#readsIntoScratch = false
    return own.bytes.subarray(this.#arrivedBytes, Math.min(this.#frameBytes, own.bytes.length))
  }

  received(length: number): void {
    if (this.#failure !== null || this.#closed) return
    if (this.#readsIntoScratch) this.#takeFromScratch(length)
    else {
      this.#arrivedBytes += length
      if (this.#arrivedBytes === this.#frameBytes) this.#completeFrame()
      else if (this.#arrivedBytes === this.#buffer!.bytes.length) this.#growBuffer()
    }
    this.#deliver()
  }

  ended(): void {
    this.#ended = true
    this.#deliver()
  }

  closed(error: Error | null): void {
    this.#closed = true
    this.#letGo()
    this.#owner.closed(this.#failure ?? error)
  }

  // LargeFrame

  granted(buffer: LentBuffer): void {
    this.#waitsForMemory = false
    this.#moveInto(buffer)
    this.#pauseOrResume()
  }

  stalled(): void {
    this.#fail(
      new FrameError(
        `${this.#arrivedBytes} of ${this.#frameBytes} bytes of ${this.#content} came, then none while others waited`,
        false,
      ),
    )
  }

  /** Moves all of the scratch's first `length` bytes out of it. */
  #takeFromScratch(length: number): void {
    const scratch = this.#memory.scratch
    let at = 0
    if (this.#buffer !== null) {
      at = this.#fill(scratch, 0, length)
      if (this.#buffer !== null) return
    } else if (this.#lengthBytes > 0) {
      while (at < length && this.#lengthBytes < LENGTH_BYTES) this.#addLengthByte(scratch[at++]!)
      if (this.#lengthBytes < LENGTH_BYTES) return
      if (!this.#beginFrame(this.#lengthSoFar | 0)) return
      at = this.#fill(scratch, at, length)
      if (this.#buffer !== null) return
    }
    const start = at
    while (length - at >= LENGTH_BYTES) {
      const frameBytes = readInt32(scratch, at)
      if (frameBytes < 0 || frameBytes > this.maxFrameBytes) {
        this.#refuse(frameBytes)
        return
      }
      if (length - at - LENGTH_BYTES < frameBytes) break
      at += LENGTH_BYTES + frameBytes
    }
    if (at > start) this.#keepComplete(scratch, start, at)
    if (length - at >= LENGTH_BYTES) {
      if (this.#beginFrame(readInt32(scratch, at))) this.#fill(scratch, at + LENGTH_BYTES, length)
    } else while (at < length) this.#addLengthByte(scratch[at++]!)
  }

  #addLengthByte(byte: number): void {
    this.#lengthSoFar = (this.#lengthSoFar << 8) | byte
    this.#lengthBytes++
  }

  /** False when the length is refused. */
  #beginFrame(frameBytes: number): boolean {
    this.#lengthSoFar = this.#lengthBytes = 0
    if (frameBytes < 0 || frameBytes > this.maxFrameBytes) {
      this.#refuse(frameBytes)
      return false
    }
    this.#frameBytes = frameBytes
    this.#arrivedBytes = 0
    const first = Math.min(frameBytes, Math.max(SMALL_BUFFER_BYTES, this.#largestBytes))
    this.#buffer =
      (first > SMALL_BUFFER_BYTES ? this.#memory.tryLend(this, first) : null) ??
      this.#memory.lendSmall(Math.min(frameBytes, SMALL_BUFFER_BYTES))
    return true
  }

  /** Moves what belongs to the incomplete frame; returns where it ends. Completes the frame when all is there. */
  #fill(source: Uint8Array, start: number, end: number): number {
    let at = start
    for (;;) {
      const into = this.#buffer!.bytes
      const wanted = Math.min(this.#frameBytes, into.length) - this.#arrivedBytes
      const length = Math.min(wanted, end - at)
      into.set(source.subarray(at, at + length), this.#arrivedBytes)
      at += length
      this.#arrivedBytes += length
      if (this.#arrivedBytes === this.#frameBytes) {
        this.#completeFrame()
        return at
      }
      if (length < wanted) return at
      this.#growBuffer()
      // What the scratch holds fits into the buffer that the read was made for (see `buffer`): nothing is left when memory is short.
      if (this.#waitsForMemory) {
        assert(at === end, 'bytes were left in the scratch')
        return at
      }
    }
  }

  #growBuffer(): void {
    const wanted = Math.min(this.#frameBytes, this.#buffer!.bytes.length * 2)
    const buffer = this.#memory.tryLend(this, wanted)
    if (buffer !== null) {
      this.#moveInto(buffer)
      return
    }
    this.#waitsForMemory = true
    this.#memory.waitFor(this, wanted)
    this.#pauseOrResume()
  }

  #moveInto(buffer: LentBuffer): void {
    const old = this.#buffer!
    buffer.bytes.set(old.bytes.subarray(0, this.#arrivedBytes))
    this.#buffer = buffer
    old.release()
  }

  #completeFrame(): void {
    const buffer = this.#buffer!
    this.#buffer = null
    this.#lastWasLarge = this.#frameBytes > SMALL_BUFFER_BYTES
    if (this.#frameBytes > this.#largestBytes) this.#largestBytes = this.#frameBytes
    this.#memory.complete(this, buffer)
    this.#owner.frameReceived(new Frame(buffer.bytes.subarray(0, this.#frameBytes), buffer))
  }

  #keepComplete(source: Uint8Array, start: number, end: number): void {
    const slab = this.#memory.slabs.keep(source, start, end - start)
    this.#slab = slab
    this.#slabStart = slab.used - (end - start)
    this.#slabEnd = slab.used
    this.#lastWasLarge = false
  }

  /** Hands over what is complete, unless the owner has stopped us. */
  #deliver(): void {
    // The owner may stop and resume from within a delivery.
    if (this.#delivering) return
    this.#delivering = true
    try {
      const slab = this.#slab
      if (slab !== null) {
        while (this.#slab === slab && !this.#stopped && this.#slabStart < this.#slabEnd) {
          const start = this.#slabStart + LENGTH_BYTES
          const end = start + readInt32(slab.bytes, this.#slabStart)
          this.#slabStart = end
          slab.retain()
          this.#owner.frameReceived(new Frame(slab.bytes.subarray(start, end), slab))
        }
        if (this.#slab === slab && this.#slabStart === this.#slabEnd) {
          this.#slab = null
          slab.release()
        }
      }
      if (this.#ended && this.#slab === null && !this.#stopped && !this.#closed && this.#failure === null) {
        this.#ended = false
        this.#owner.ended()
      }
    } finally {
      this.#delivering = false
    }
  }

  #pauseOrResume(): void {
    const paused = this.#stopped || this.#waitsForMemory
    if (paused === this.#readingPaused || this.#closed || this.#failure !== null) return
    this.#readingPaused = paused
    if (paused) this.#connection.pauseReading()
    else this.#connection.resumeReading()
  }

  #refuse(frameBytes: number): void {
    const kind = looksLike(frameBytes)
    const guess = kind === null ? '' : `; the first bytes look like ${kind}`
    this.#fail(
      new FrameError(
        `expected ${this.#content} of 0 to ${this.maxFrameBytes} bytes, got the length ${frameBytes}${guess}`,
        kind !== null,
      ),
    )
  }

  #fail(error: Error): void {
    if (this.#failure !== null || this.#closed) return
    this.#failure = error
    const { host, port } = this.#connection.remoteAddress
    this.#logger.warn('Closing a connection', { peer: `${host}:${port}`, reason: error.message })
    this.#letGo()
    this.#connection.destroy()
  }

  /** Gives back what incomplete and undelivered frames hold. */
  #letGo(): void {
    this.#waitsForMemory = false
    const buffer = this.#buffer
    this.#buffer = null
    this.#memory.abandon(this)
    buffer?.release()
    const slab = this.#slab
    this.#slab = null
    slab?.release()
  }
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
