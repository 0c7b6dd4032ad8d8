/**
 * Sends frames and keeps count of what the peer has not taken yet, so that the owner can stop producing answers for a slow reader.
 * What is sent in a turn of the event loop leaves as one system call: the transport gathers.
 */

import type { TransportConnection } from '@millrace/runtime'

export interface FrameSenderOptions {
  readonly connection: TransportConnection
  /** Above so many queued bytes the peer is slow: `congested` is called, once until drained. */
  readonly congestedBytes: number
  /** The queue has grown above the bound: stop taking requests. */
  congested(): void
  /** It has shrunk below half of the bound: go on. */
  drained(): void
}

export class FrameSender {
  readonly #options: FrameSenderOptions
  readonly #connection: TransportConnection
  #queuedFrames = 0
  #isCongested = false

  constructor(options: FrameSenderOptions) {
    this.#options = options
    this.#connection = options.connection
  }

  /** Frames given to `send` and not yet handed to the system. */
  get queuedFrames(): number {
    return this.#queuedFrames
  }

  get queuedBytes(): number {
    return this.#connection.queuedBytes
  }

  get isCongested(): boolean {
    return this.#isCongested
  }

  /**
   * Queues one frame, its length included, as a scatter list. `onSent` is called once: null when the system has the bytes and the
   * buffers are free again, an error when the connection failed before. Nothing waits: it is the owner who heeds `congested`.
   */
  send(frame: readonly Uint8Array[], onSent?: (error: Error | null) => void): void {
    this.#queuedFrames++
    this.#connection.write(
      frame,
      onSent === undefined
        ? this.#onSent
        : (error) => {
            this.#onSent()
            onSent(error)
          },
    )
    if (!this.#isCongested && this.#connection.queuedBytes > this.#options.congestedBytes) {
      this.#isCongested = true
      this.#options.congested()
    }
  }

  readonly #onSent = (): void => {
    this.#queuedFrames--
    if (this.#isCongested && this.#connection.queuedBytes <= this.#options.congestedBytes / 2) {
      this.#isCongested = false
      this.#options.drained()
    }
  }
}
