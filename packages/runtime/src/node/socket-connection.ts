/**
 * A TCP or TLS connection over a Node socket.
 *
 * Reading: Node fills the sink's own buffers where it can (`onread`); otherwise chunks come by 'data' events and are copied into them.
 * Node asks for the buffer of the first read before there is a sink: that read goes into a buffer shared by all, and is copied.
 *
 * Writing: what is written in a turn of the event loop is gathered and leaves as one system call at its end.
 */

import type { OnReadOpts, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { Address, ByteSink, TransportConnection } from '../transport.ts'
import { subjectOf } from './certificate-subject.ts'

const KEEP_ALIVE_AFTER_MS = 60_000
const EMPTY = new Uint8Array(0)
/** Never holds anything between two events: what is read into it is copied on at once. */
const firstReadBuffer = new Uint8Array(16 * 1024)

interface QueuedWrite {
  readonly bytes: number
  readonly onDone: (error: Error | null) => void
}

export class SocketConnection implements TransportConnection {
  remoteAddress: Address = { host: '', port: 0 }
  localAddress: Address = { host: '', port: 0 }
  encrypted = false
  peerCertificateSubject: string | null = null
  queuedBytes = 0

  readonly #clock: Clock
  #socket!: Socket
  #sink: ByteSink | null = null
  #paused = false
  #ended = false
  #error: Error | null = null
  /** 'closed' once nothing more will be called but what `start` owes. */
  #state: 'open' | 'ending' | 'closed' = 'open'
  /** Came by a chunk of Node's own, and waits for `resumeReading`. */
  #held: Uint8Array | null = null
  /** Whether the read under way goes into the sink's buffer. */
  #readsIntoSink = false
  /** Whether Node has asked for a buffer: it knows how to fill ours. */
  #asked = false

  /** Written in this turn. */
  #gathered: Uint8Array[] = []
  #gatheredWrites: QueuedWrite[] = []
  /** Batches of writes given to the socket, oldest first. */
  readonly #outstanding: QueuedWrite[][] = []

  /** To be given to the socket's constructor; then `attach`. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#nextBuffer(),
    callback: (length) => {
      this.#filled(length)
      return !this.#paused
    },
  }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `socket` is connected (TLS: authenticated as wanted) and does not read yet. */
  attach(socket: Socket): void {
    this.#socket = socket
    this.remoteAddress = { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 }
    this.localAddress = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 }
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS)
    if (!this.#asked) socket.on('data', (chunk: Uint8Array) => this.#copyToSink(chunk))
    // The listener for 'data' has set the socket going; reading begins with `start`.
    socket.pause()
    socket.on('resume', () => {
      // Node's stream reads on a little after its `resume`, even when paused in between.
      if (this.#paused || this.#sink === null) socket.pause()
    })
    socket.on('end', () => {
      this.#ended = true
      if (this.#held === null) this.#sink?.ended()
    })
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => this.#onClose())
  }

  attachSecure(socket: TLSSocket): void {
    this.encrypted = true
    if (socket.authorized) this.peerCertificateSubject = subjectOf(socket)
    this.attach(socket)
  }

  start(sink: ByteSink): void {
    if (this.#state === 'closed') {
      this.#clock.endOfTurn(() => sink.closed(this.#error))
      return
    }
    this.#sink = sink
    this.#socket.resume()
  }

  pauseReading(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  resumeReading(): void {
    if (!this.#paused) return
    this.#paused = false
    const held = this.#held
    if (held !== null) {
      this.#held = null
      this.#copyToSink(held)
      if (this.#held === null && this.#ended) this.#sink?.ended()
    }
    if (!this.#paused) this.#socket.resume()
  }

  write(buffers: readonly Uint8Array[], onDone: (error: Error | null) => void): void {
    if (this.#state !== 'open' || this.#socket.destroyed) {
      const error = this.#error ?? connectionClosed()
      this.#clock.endOfTurn(() => onDone(error))
      return
    }
    if (this.#gatheredWrites.length === 0) this.#clock.endOfTurn(this.#flush)
    let bytes = 0
    for (const buffer of buffers) {
      bytes += buffer.length
      this.#gathered.push(buffer)
    }
    this.queuedBytes += bytes
    this.#gatheredWrites.push({ bytes, onDone })
  }

  end(): void {
    if (this.#state !== 'open') return
    this.#flush()
    this.#state = 'ending'
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #nextBuffer(): Uint8Array {
    this.#asked = true
    this.#readsIntoSink = this.#sink !== null && !this.#socket.destroyed
    return this.#readsIntoSink ? this.#sink!.buffer() : firstReadBuffer
  }

  #filled(length: number): void {
    if (this.#readsIntoSink) this.#sink!.received(length)
    else this.#copyToSink(firstReadBuffer.subarray(0, length))
  }

  #copyToSink(chunk: Uint8Array): void {
    const sink = this.#sink
    let done = 0
    while (done < chunk.length && !this.#socket.destroyed) {
      if (this.#paused || sink === null) {
        this.#held = chunk.slice(done)
        return
      }
      const buffer = sink.buffer()
      const length = Math.min(buffer.length, chunk.length - done)
      buffer.set(chunk.subarray(done, done + length))
      done += length
      sink.received(length)
    }
  }

  readonly #flush = (): void => {
    const batch = this.#gatheredWrites
    if (batch.length === 0) return
    const buffers = this.#gathered
    this.#gatheredWrites = []
    this.#gathered = []
    this.#outstanding.push(batch)
    const socket = this.#socket
    const last = buffers.length - 1
    if (last <= 0) {
      socket.write(buffers[0] ?? EMPTY, this.#onWritten)
      return
    }
    socket.cork()
    for (let i = 0; i < last; i++) socket.write(buffers[i]!)
    socket.write(buffers[last]!, this.#onWritten)
    socket.uncork()
  }

  readonly #onWritten = (error?: Error | null): void => {
    // After 'close' the rest has been told already. A write cut off by `destroy` comes back from Node as done: it may not be.
    const batch = this.#outstanding.shift()
    if (batch === undefined) return
    this.#finish(batch, error ?? (this.#socket.destroyed ? (this.#error ?? connectionClosed()) : null))
  }

  #finish(batch: readonly QueuedWrite[], error: Error | null): void {
    for (const write of batch) {
      this.queuedBytes -= write.bytes
      write.onDone(error)
    }
  }

  #onClose(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#held = null
    const batches = [...this.#outstanding.splice(0), this.#gatheredWrites]
    this.#gatheredWrites = []
    this.#gathered = []
    const error = this.#error ?? connectionClosed()
    for (const batch of batches) this.#finish(batch, error)
    this.#sink?.closed(this.#error)
  }
}

function connectionClosed(): Error {
  return Object.assign(new Error('the connection is closed'), { code: 'ECONNRESET' })
}

/** A socket that serves IPv4 and IPv6 alike reports 127.0.0.1 as ::ffff:127.0.0.1. */
function plainHost(host: string | undefined): string {
  if (host === undefined) return ''
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice('::ffff:'.length) : host
}
