/** One end of a simulated TCP connection. It takes buffers from its sink as Node does: early, see ByteSink.buffer. */

import type { Address, ByteSink, TransportConnection } from '../transport.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedTime } from './simulated-clock.ts'
import type { SimulatedLink } from './simulated-link.ts'

/** Bytes under way or unread at the other end; what is written beyond waits here. */
const WINDOW_BYTES = 256 * 1024
const MAX_PACKET_BYTES = 64 * 1024

interface QueuedWrite {
  readonly buffers: readonly Uint8Array[]
  readonly bytes: number
  sentBytes: number
  readonly onDone: (error: Error | null) => void
}

export interface SimulatedConnectionOptions {
  readonly time: SimulatedTime
  readonly random: SeededRandom
  /** Towards the other end. */
  readonly link: SimulatedLink
  readonly local: Address
  readonly remote: Address
  readonly encrypted: boolean
  readonly onGone: (connection: SimulatedConnection) => void
}

export class SimulatedConnection implements TransportConnection {
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly encrypted: boolean
  readonly peerCertificateSubject = null
  queuedBytes = 0

  readonly #options: SimulatedConnectionOptions
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #link: SimulatedLink
  #peer!: SimulatedConnection

  // Sending
  readonly #queue: QueuedWrite[] = []
  #windowUsed = 0
  #lastArrivalMs = 0
  #flushScheduled = false
  #endWanted = false
  #endSent = false

  // Receiving
  #sink: ByteSink | null = null
  #buffer: Uint8Array | null = null
  readonly #unread: Uint8Array[] = []
  #paused = false
  #endArrived = false
  #endTold = false

  #state: 'open' | 'closing' | 'closed' | 'vanished' = 'open'
  #error: Error | null = null

  constructor(options: SimulatedConnectionOptions) {
    this.#options = options
    this.#time = options.time
    this.#random = options.random
    this.#link = options.link
    this.localAddress = options.local
    this.remoteAddress = options.remote
    this.encrypted = options.encrypted
  }

  get localHost(): string {
    return this.localAddress.host
  }

  get remoteHost(): string {
    return this.remoteAddress.host
  }

  join(peer: SimulatedConnection): void {
    this.#peer = peer
  }

  start(sink: ByteSink): void {
    this.#sink = sink
    if (this.#state === 'closed') this.#time.endOfTurn(() => sink.closed(this.#error))
    else if (this.#state === 'open') {
      this.#buffer = sink.buffer()
      this.#readSoon()
    }
  }

  pauseReading(): void {
    this.#paused = true
  }

  resumeReading(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#readSoon()
  }

  write(buffers: readonly Uint8Array[], onDone: (error: Error | null) => void): void {
    if (this.#state === 'vanished') return
    if (this.#state !== 'open' || this.#endWanted) {
      const error = this.#error ?? closedError()
      this.#time.endOfTurn(() => onDone(error))
      return
    }
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    this.queuedBytes += bytes
    this.#queue.push({ buffers, bytes, sentBytes: 0, onDone })
    this.#flushSoon()
  }

  end(): void {
    if (this.#state !== 'open' || this.#endWanted) return
    this.#endWanted = true
    this.#flushSoon()
  }

  destroy(): void {
    if (this.#state !== 'open') return
    // With bytes unread the system resets; otherwise the peer sees an orderly end after what had left.
    if (this.#unread.length > 0) this.#tellPeer((peer) => peer.#fail(closedError()))
    else if (!this.#endSent) this.#tellPeer((peer) => peer.#receiveEnd())
    this.#close(null)
  }

  /** Both ends break: of what is under way, a part arrives. */
  breakDown(): void {
    if (this.#state === 'open') this.#fail(closedError())
  }

  /** The host is gone: nothing is called any more. */
  vanish(silently: boolean): void {
    if (this.#state === 'closed' || this.#state === 'vanished') return
    if (!silently && this.#state === 'open') this.#tellPeer((peer) => peer.#fail(closedError()))
    this.#state = 'vanished'
    this.#options.onGone(this)
  }

  #flushSoon(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#time.endOfTurn(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  /** Sends what the window allows, cut anywhere. */
  #flush(): void {
    while (this.#state === 'open' && this.#queue.length > 0) {
      const room = WINDOW_BYTES - this.#windowUsed
      if (room <= 0) return
      const packet = this.#nextPacket(Math.min(room, 1 + this.#random.integer(MAX_PACKET_BYTES)))
      if (this.#link.breaks()) {
        this.#fail(closedError())
        this.#tellPeer((peer) => peer.#fail(closedError()))
        return
      }
      this.#windowUsed += packet.length
      this.#tellPeer((peer) => peer.#receive(packet), packet.length)
    }
    if (this.#state === 'open' && this.#endWanted && !this.#endSent && this.#queue.length === 0) {
      this.#endSent = true
      this.#tellPeer((peer) => peer.#receiveEnd())
      this.#closeIfOver()
    }
  }

  #nextPacket(maxBytes: number): Uint8Array {
    const pieces: Uint8Array[] = []
    let room = maxBytes
    for (let write = this.#queue[0]; write !== undefined; write = this.#queue[0]) {
      let skip = write.sentBytes
      for (const buffer of write.buffers) {
        const piece = buffer.subarray(Math.min(skip, buffer.length), Math.min(skip + room, buffer.length))
        skip = Math.max(0, skip - buffer.length)
        if (piece.length === 0) continue
        pieces.push(piece)
        room -= piece.length
        write.sentBytes += piece.length
      }
      if (write.sentBytes < write.bytes) break
      this.#queue.shift()
      this.queuedBytes -= write.bytes
      this.#time.endOfTurn(() => {
        if (this.#state !== 'vanished') write.onDone(null)
      })
    }
    return new Uint8Array(Buffer.concat(pieces))
  }

  #tellPeer(what: (peer: SimulatedConnection) => void, bytes = 0): void {
    const peer = this.#peer
    this.#lastArrivalMs = this.#link.send(bytes, () => what(peer), this.#lastArrivalMs)
  }

  #receive(packet: Uint8Array): void {
    if (this.#state === 'vanished' || this.#state === 'closed' || this.#state === 'closing') {
      // Nobody is here any more: a reset goes back.
      this.#tellPeer((peer) => peer.#fail(closedError()))
      return
    }
    if (packet.length > 0) this.#unread.push(packet)
    this.#read()
  }

  #receiveEnd(): void {
    this.#endArrived = true
    this.#read()
  }

  #readSoon(): void {
    this.#time.after(0, () => this.#read())
  }

  #read(): void {
    const sink = this.#sink
    if (sink === null) return
    while (this.#state === 'open' && !this.#paused && this.#unread.length > 0) {
      const packet = this.#unread[0]!
      const buffer = this.#buffer!
      const length = Math.min(packet.length, buffer.length)
      buffer.set(packet.subarray(0, length))
      if (length === packet.length) this.#unread.shift()
      else this.#unread[0] = packet.subarray(length)
      this.#peer.#opened(length)
      sink.received(length)
      this.#buffer = sink.buffer()
    }
    if (this.#state === 'open' && !this.#paused && this.#endArrived && !this.#endTold && this.#unread.length === 0) {
      this.#endTold = true
      sink.ended()
      this.#closeIfOver()
    }
  }

  /** The other end has read. */
  #opened(bytes: number): void {
    this.#windowUsed -= bytes
    if (this.#queue.length > 0) this.#flushSoon()
  }

  #closeIfOver(): void {
    if (this.#endSent && this.#endTold) this.#close(null)
  }

  #fail(error: Error): void {
    if (this.#state === 'open') this.#close(error)
  }

  /** `closed` and the failed writes' `onDone` follow at the end of the turn. */
  #close(error: Error | null): void {
    this.#state = 'closing'
    this.#error = error
    this.#time.endOfTurn(() => {
      if (this.#state === 'vanished') return
      this.#state = 'closed'
      for (const write of this.#queue.splice(0)) {
        this.queuedBytes -= write.bytes
        write.onDone(error ?? closedError())
      }
      this.#unread.length = 0
      this.#options.onGone(this)
      this.#sink?.closed(error)
    })
  }
}

function closedError(): Error {
  return Object.assign(new Error('ECONNRESET: the connection is closed'), { code: 'ECONNRESET' })
}
