import type { Server } from 'node:net'
import type { Address, TransportConnection, TransportListener } from '../transport.ts'

/**
 * A listening server. Node cannot leave connections in the system's queue, so while accepting is paused those that come are held here,
 * unread, as many as that queue would hold.
 */
export class NodeListener implements TransportListener {
  readonly address: Address
  readonly #server: Server
  readonly #maxHeld: number
  readonly #onConnection: (connection: TransportConnection) => void
  readonly #held: TransportConnection[] = []
  #paused = false
  #disposed = false

  constructor(
    server: Server,
    address: Address,
    maxHeld: number,
    onConnection: (connection: TransportConnection) => void,
  ) {
    this.#server = server
    this.address = address
    this.#maxHeld = maxHeld
    this.#onConnection = onConnection
  }

  /** A connection has been established. */
  accepted(connection: TransportConnection): void {
    if (this.#disposed) connection.destroy()
    else if (!this.#paused) this.#onConnection(connection)
    else if (this.#held.length < this.#maxHeld) this.#held.push(connection)
    else connection.destroy()
  }

  pauseAccepting(): void {
    this.#paused = true
  }

  resumeAccepting(): void {
    this.#paused = false
    // Its owner may pause again at any of them.
    while (!this.#paused && this.#held.length > 0) this.#onConnection(this.#held.shift()!)
  }

  /** Frees the port. Connections handed over live on. */
  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#disposed) {
      this.#disposed = true
      for (const connection of this.#held.splice(0)) connection.destroy()
      // Its callback would wait for the connections; the port is free when it returns.
      this.#server.close()
    }
    return Promise.resolve()
  }
}
