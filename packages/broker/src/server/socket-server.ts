/** The broker's listeners and their connections: binds, admits, and at the end drains. */
import { ReceiveMemory } from '@millrace/network'
import type { Address, BufferPool, Logger, Transport, TransportConnection, TransportListener } from '@millrace/runtime'
import type { BindAddress, ListenerConfig } from '../config/listeners.ts'
import type { BrokerServices } from './broker-services.ts'
import { ClientConnection } from './client-connection.ts'
import { ConnectionLimits, type ConnectionLimitOptions } from './connection-limits.ts'
import { IdleConnections } from './idle-connections.ts'

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
  #isOpen = false
  #drained: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(services: BrokerServices, options: SocketServerOptions) {
    this.#services = services
    this.#options = options
    this.#limits = new ConnectionLimits(options.limits)
    this.#memory = new ReceiveMemory({
      clock: services.clock,
      logger: options.logger,
      pool: options.buffers,
      limitBytes: options.maxReceiveBytes,
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

  /** Binds every address of a listener. Connections wait until `open`. @throws Error EADDRINUSE, EACCES… with the address in its message. */
  async bind(listener: ListenerConfig): Promise<void> {
    let { port } = listener
    for (const address of listener.bind) {
      const bound = await this.#bindOne(listener, { ...address, port })
      if (bound === null) continue
      // `localhost:0` is one free port on both loopback addresses.
      port = bound.address.port
      this.#listeners.push(bound)
      this.#bound.push({ name: listener.name, address: bound.address, advertised: listener.advertised })
    }
  }

  /** null when the address is optional and the machine lacks it. */
  async #bindOne(listener: ListenerConfig, address: BindAddress): Promise<TransportListener | null> {
    const listen = (host: string): Promise<TransportListener> =>
      this.#options.transport.listen({ host, port: address.port, backlog: this.#options.backlog }, (connection) =>
        this.#accept(connection, listener),
      )
    try {
      return await listen(address.host)
    } catch (error) {
      const { code } = error as { code?: string }
      const isAbsent = code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
      if (isAbsent && address.fallbackHost !== null) return await listen(address.fallbackHost)
      if (isAbsent && address.isOptional) return null
      throw error
    }
  }

  /** From now on requests are read: those of connections that came early, too. */
  open(): void {
    this.#isOpen = true
    for (const connection of this.#connections) connection.start()
  }

  #accept(connection: TransportConnection, listener: ListenerConfig): void {
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
      connection,
      memory: this.#memory,
      maxRequestBytes: this.#options.maxRequestBytes,
      services: this.#services,
      onClosed: (closed) => {
        this.#limits.release(remoteAddress)
        this.#connections.delete(closed)
        if (this.#connections.size === 0) this.#drained?.()
      },
    })
    this.#connections.add(client)
    if (this.#isOpen) client.start()
  }

  /** Takes no new connections or requests, lets what has begun be answered for a moment, and closes. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#idle[Symbol.dispose]()
    await Promise.all(this.#listeners.map((listener) => listener[Symbol.asyncDispose]()))
    if (this.#connections.size === 0) return
    const drained = new Promise<void>((resolve) => (this.#drained = resolve))
    for (const connection of this.#connections) {
      connection.drain()
      // One that came before `open` hears of its end only when it is started.
      if (!this.#isOpen) connection.start()
    }
    const timer = this.#services.clock.after(drainMs, () => {
      for (const connection of this.#connections) connection.destroy()
    })
    await drained
    timer.cancel()
  }
}
