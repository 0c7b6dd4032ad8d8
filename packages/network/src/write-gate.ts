import type { KafkaError } from '@millrace/protocol'
import type { TransportConnection } from '@millrace/runtime'
import type { InFlight, PendingRequest } from './in-flight.ts'

interface HeldWrite {
  readonly buffers: readonly Uint8Array[]
  readonly onDone: (error: Error | null) => void
  readonly request: PendingRequest | null
}

/**
 * Holds back what a connection is to send while it authenticates again, and lets it go in its order. Invariant: while the gate is shut `isHeld`
 * tells of each request in flight whether it waits here.
 */
export class WriteGate {
  readonly #connection: TransportConnection
  readonly #inFlight: InFlight
  /** Not null while the gate is shut. */
  #held: HeldWrite[] | null = null
  /** Who has shut it, and waits for those that went before. */
  #onDrained: ((error: KafkaError | null) => void) | null = null

  constructor(connection: TransportConnection, inFlight: InFlight) {
    this.#connection = connection
    this.#inFlight = inFlight
  }

  get isShut(): boolean {
    return this.#held !== null
  }

  /** `request` is null when no answer is expected; else its `isHeld` says where it goes. */
  write(
    buffers: readonly Uint8Array[],
    onDone: (error: Error | null) => void,
    request: PendingRequest | null = null,
  ): void {
    if (this.#held === null || request?.isHeld === false) this.#connection.write(buffers, onDone)
    else this.#held.push({ buffers, onDone, request })
  }

  /** Resolves when the requests that were sent before have their answers, or no time left. Rejects with what `fail` is given. */
  shut(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#held ??= []
      this.#onDrained = (error) => {
        this.#onDrained = null
        if (error === null) resolve()
        else reject(error)
      }
      this.requestEnded()
    })
  }

  open(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const { buffers, onDone, request } of held) {
      // Nobody waits any more for one whose time was over.
      if (request?.isExpired === true) continue
      if (request !== null) request.isHeld = false
      this.#connection.write(buffers, onDone)
    }
  }

  /** One of the requests in flight has its answer, or no time left. */
  requestEnded(): void {
    if (this.#onDrained !== null && this.#inFlight.awaited === 0) this.#onDrained(null)
  }

  /** The connection has ended. Requests are told by their owner. */
  fail(error: KafkaError): void {
    const held = this.#held ?? []
    this.#held = null
    for (const { request, onDone } of held) if (request === null) onDone(error)
    this.#onDrained?.(error)
  }
}
