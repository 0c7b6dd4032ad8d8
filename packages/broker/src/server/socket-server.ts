/** The broker's listeners and their connections: binds, admits, and at the end drains. */
import { FrameConnection, ReceiveMemory } from '@millrace/network'
import type { Address, BufferPool, Logger, Transport, TransportConnection, TransportListener } from '@millrace/runtime'
import type { BrokerServices } from './broker-services.ts'
import { ClientConnection } from './client-connection.ts'
import { ConnectionLimits, type ConnectionLimitOptions } from './connection-limits.ts'
import { IdleConnections } from './idle-connections.ts'

export interface ListenerOptions {
  readonly name: string
  /** Several addresses may carry one listener: localhost is 127.0.0.1 and ::1. */
  readonly bind: Address
  /** Where its clients are told to find this broker; null: where they found it. */
  readonly advertised: Address | null
  /** When true, a machine without this address (no IPv6) goes without it. */
  readonly isOptional: boolean
}

export interface SocketServerOptions {
  readonly transport: Transport
  readonly logger: Logger
  readonly buffers: BufferPool
  readonly maxRequestBytes: number
  /** Over all connections: what frames that are being received or served may hold. */
  readonly maxReceiveBytes: number
  readonly maxIdleMs: number
  readonly backlog: number
  readonly limits: ConnectionLimitOptions
}

/** Waiting requests get this long to end when the broker stops. */
const drainMs = 2_000

export interface BoundListener {
  readonly name: string
  readonly address: Address
  readonly advertised: Address | null
}

export class SocketServer implements AsyncDisposable {
  readonly #options: SocketServerOptions
  readonly #memory: ReceiveMemory
  readonly #limits: ConnectionLimits
  readonly #connections = new Set<ClientConnection>()
  readonly #listeners: TransportListener[] = []
  readonly #bound: BoundListener[] = []
  readonly #services: BrokerServices
  readonly #idle: IdleConnections
  #nextId = 1
  #drained: (() => void) | undefined

  constructor(services: BrokerServices, options: SocketServerOptions) {
    this.#services = services
    this.#options = options
    this.#limits = new ConnectionLimits(options.limits)
    this.#memory = new ReceiveMemory({
      clock: services.clock,
      logger: options.logger,
      buffers: options.buffers,
      limitBytes: options.maxReceiveBytes,
      maxFrameBytes: options.maxRequestBytes,
    })
    this.#idle = new IdleConnections({
      clock: services.clock,
      connections: this.#connections,
      maxIdleMs: options.maxIdleMs,
    })
  }

  get bound(): readonly BoundListener[] {
    return this.#bound
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Binds one listener; null when it is optional and the machine has no such address. @throws Error EADDRINUSE, EACCES… */
  async listen(listener: ListenerOptions): Promise<BoundListener | null> {
    try {
      const bound = await this.#options.transport.listen(
        { ...listener.bind, backlog: this.#options.backlog },
        (connection) => this.#accept(connection, listener),
      )
      this.#listeners.push(bound)
      const result = { name: listener.name, address: bound.address, advertised: listener.advertised }
      this.#bound.push(result)
      return result
    } catch (error) {
      const code = (error as { code?: string }).code
      if (listener.isOptional && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return null
      throw error
    }
  }

  #accept(connection: TransportConnection, listener: ListenerOptions): void {
    const { remoteAddress } = connection
    const refusal = this.#limits.admit(remoteAddress)
    if (refusal !== null) {
      this.#options.logger.warn(`refusing a connection from ${remoteAddress.host}: ${refusal}`)
      connection.destroy()
      return
    }
    const client = new ClientConnection({
      id: this.#nextId++,
      listenerName: listener.name,
      advertised: listener.advertised,
      frames: new FrameConnection(connection, this.#memory),
      services: this.#services,
      onClosed: (closed) => {
        this.#limits.release(remoteAddress)
        this.#connections.delete(closed)
        if (this.#connections.size === 0) this.#drained?.()
      },
    })
    this.#connections.add(client)
  }

  /** Takes no new connections or requests, lets what has begun be answered for a moment, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle[Symbol.dispose]()
    await Promise.all(this.#listeners.map((listener) => listener[Symbol.asyncDispose]()))
    if (this.#connections.size === 0) return
    const drained = new Promise<void>((resolve) => (this.#drained = resolve))
    for (const connection of [...this.#connections]) connection.drain()
    const timer = this.#services.clock.after(drainMs, () => {
      for (const connection of [...this.#connections]) connection.destroy()
    })
    await drained
    timer.cancel()
  }
}
