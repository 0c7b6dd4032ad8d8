/** The open connections of a client: one per address and lane, opened when asked for, dropped when idle, with pauses for hosts that refuse. */
import {
  answerMemory,
  connectToBroker,
  noFeatures,
  type BrokerConnection,
  type ConnectToBrokerOptions,
  type ReceiveMemory,
} from '@millrace/network'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Address, Logger, Timer } from '@millrace/runtime'
import type { Place, Traffic } from '../observe/traffic.ts'
import type { World } from '../world.ts'
import { backoffMs } from './backoff.ts'
import type { Lane } from './destination.ts'

export interface ConnectionsOptions {
  readonly world: World
  readonly logger: Logger
  readonly traffic: Traffic
  readonly reconnectBackoffMs: number
  readonly reconnectBackoffMaxMs: number
  readonly socketConnectionSetupTimeoutMs: number
  readonly socketConnectionSetupTimeoutMaxMs: number
  /** -1: never. */
  readonly connectionsMaxIdleMs: number
  /** What every connection is made with. */
  readonly connect: Omit<ConnectToBrokerOptions, 'clock' | 'logger' | 'connectTimeoutMs' | 'memory' | 'observer'>
}

/** The place of one connection. `opening` is set while one is being made, `connection` while one is open. */
interface Slot extends Place {
  /** With the number of the broker once somebody who knows it has asked for the connection. */
  address: Place['address']
  readonly lane: Lane
  opening: Promise<BrokerConnection> | null
  connection: BrokerConnection | null
  failures: number
  /** On the monotonic clock: no attempt before that. */
  notBeforeMs: number
  /** The broker asked for silence until then (KIP-219). */
  throttledUntilMs: number
  lastUsedMs: number
}

export class Connections implements AsyncDisposable {
  readonly #options: ConnectionsOptions
  readonly #memory: ReceiveMemory
  readonly #slots = new Map<string, Slot>()
  readonly #closing = new AbortController()
  #sweep: Timer | null = null
  /** The newest that a broker told of when it was connected to. */
  features = noFeatures

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#memory = answerMemory(options.world.clock, options.logger)
  }

  /**
   * An open connection to `address`. Waits where the host has refused lately.
   * @throws KafkaError: NETWORK_EXCEPTION when the host cannot be reached; errors of authentication are not retriable.
   */
  async open(address: Place['address'], lane: Lane, signal?: AbortSignal): Promise<BrokerConnection> {
    const { clock } = this.#options.world
    for (;;) {
      const slot = this.#slot(address, lane)
      this.#closing.signal.throwIfAborted()
      signal?.throwIfAborted()
      const open = this.openNow(slot.address, lane)
      if (open !== null) return open
      const pauseMs = Math.max(slot.notBeforeMs, slot.throttledUntilMs) - clock.monotonicMs()
      if (slot.opening === null && pauseMs > 0) {
        using _awake = clock.holdProcess()
        await clock.sleep(pauseMs, anySignal(signal, this.#closing.signal))
        continue
      }
      slot.opening ??= this.#connect(slot)
      return await abortable(slot.opening, signal)
    }
  }

  /** The connection if there is an open one that may be used now. */
  openNow(address: Place['address'], lane: Lane): BrokerConnection | null {
    const slot = this.#slots.get(nameOf(address, lane))
    if (slot === undefined) return null
    if (address.id !== undefined) slot.address = address
    const connection = this.#usable(slot)
    if (connection !== null) slot.lastUsedMs = this.#options.world.clock.monotonicMs()
    return connection
  }

  /** Requests without answer on the connection; null when there is none that may be used now. Asking is no use of it: idle it may be all the same. */
  load(address: Address, lane: Lane): number | null {
    const slot = this.#slots.get(nameOf(address, lane))
    return slot === undefined ? null : (this.#usable(slot)?.inFlight ?? null)
  }

  #usable({ connection, throttledUntilMs }: Slot): BrokerConnection | null {
    const isUsable =
      connection !== null && connection.isOpen && throttledUntilMs <= this.#options.world.clock.monotonicMs()
    return isUsable ? connection : null
  }

  /** Requests without answer on all connections. */
  get inFlight(): number {
    let count = 0
    for (const { connection } of this.#slots.values()) count += connection?.inFlight ?? 0
    return count
  }

  /** Whether the last attempt failed, and the pause after it is not over. */
  isAvoided(address: Address, lane: Lane): boolean {
    const slot = this.#slots.get(nameOf(address, lane))
    return slot !== undefined && slot.failures > 0 && slot.notBeforeMs > this.#options.world.clock.monotonicMs()
  }

  /** The broker wants no requests for so long (`throttleTimeMs` of an answer). */
  throttle(address: Address, lane: Lane, durationMs: number): void {
    if (durationMs <= 0) return
    const slot = this.#slot(address, lane)
    slot.throttledUntilMs = Math.max(slot.throttledUntilMs, this.#options.world.clock.monotonicMs() + durationMs)
  }

  /** Ends all connections; whoever waits for one gets `reason`. */
  async close(reason: Error): Promise<void> {
    this.#closing.abort(reason)
    this.#sweep?.cancel()
    await Promise.all(
      [...this.#slots.values()].map(async ({ connection, opening }) => {
        await connection?.[Symbol.asyncDispose]()
        await opening?.then((late) => late[Symbol.asyncDispose]()).catch(() => {})
      }),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(new Error('the client is closed'))
  }

  #slot(address: Place['address'], lane: Lane): Slot {
    const name = nameOf(address, lane)
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = {
        address,
        lane,
        opening: null,
        connection: null,
        failures: 0,
        notBeforeMs: 0,
        throttledUntilMs: 0,
        lastUsedMs: 0,
      }
      this.#slots.set(name, slot)
    }
    if (address.id !== undefined) slot.address = address
    return slot
  }

  async #connect(slot: Slot): Promise<BrokerConnection> {
    const { world, logger, connect, traffic } = this.#options
    const { host, port } = slot.address
    using _awake = world.clock.holdProcess()
    try {
      const connection = await connectToBroker(world.transport, slot.address, {
        ...connect,
        clock: world.clock,
        logger,
        memory: this.#memory,
        connectTimeoutMs: this.#setupTimeoutMs(slot),
        observer: traffic.observer(slot),
        signal: this.#closing.signal,
      })
      slot.failures = 0
      slot.connection = connection
      if (connection.versions.features.epoch > this.features.epoch) this.features = connection.versions.features
      slot.lastUsedMs = world.clock.monotonicMs()
      traffic.opened(slot.address)
      void connection.closed.then(() => this.#lost(slot, connection))
      this.#sweepSoon()
      return connection
    } catch (error) {
      this.#closing.signal.throwIfAborted()
      slot.failures++
      slot.notBeforeMs = world.clock.monotonicMs() + this.#pauseMs(slot)
      const failure = connectionFailure(`${host}:${port}`, error as Error)
      // Told once: who reads the log should see that something is wrong, not each attempt.
      const isNews = slot.failures === 1
      logger[isNews ? 'warn' : 'debug']('a broker cannot be reached, and is tried again', {
        host,
        port,
        error: failure,
      })
      traffic.failed(slot.address, failure)
      throw failure
    } finally {
      slot.opening = null
    }
  }

  #lost(slot: Slot, connection: BrokerConnection): void {
    this.#options.traffic.closed(slot.address, connection.failure)
    if (slot.connection !== connection) return
    slot.connection = null
    // Even a broker that accepts and then hangs up is not asked again at once.
    slot.notBeforeMs = this.#options.world.clock.monotonicMs() + this.#pauseMs(slot)
  }

  #pauseMs(slot: Slot): number {
    const { reconnectBackoffMs, reconnectBackoffMaxMs, world } = this.#options
    return backoffMs(Math.max(1, slot.failures), {
      initialMs: reconnectBackoffMs,
      maxMs: reconnectBackoffMaxMs,
      random: world.random,
    })
  }

  #setupTimeoutMs({ failures }: Slot): number {
    const { socketConnectionSetupTimeoutMs, socketConnectionSetupTimeoutMaxMs, world } = this.#options
    return backoffMs(failures + 1, {
      initialMs: socketConnectionSetupTimeoutMs,
      maxMs: socketConnectionSetupTimeoutMaxMs,
      random: world.random,
    })
  }

  #sweepSoon(): void {
    const { connectionsMaxIdleMs, world } = this.#options
    if (connectionsMaxIdleMs < 0 || this.#sweep !== null || this.#closing.signal.aborted) return
    this.#sweep = world.clock.after(connectionsMaxIdleMs / 2, () => {
      this.#sweep = null
      this.#closeIdle(world.clock.monotonicMs() - connectionsMaxIdleMs)
    })
  }

  #closeIdle(unusedSinceMs: number): void {
    let isAnyOpen = false
    for (const [name, { connection, opening, lastUsedMs }] of this.#slots) {
      // Addresses come and go; those nobody has asked for lately are forgotten, and their pauses are over.
      if (connection === null) {
        if (opening === null && lastUsedMs <= unusedSinceMs) this.#slots.delete(name)
      } else if (connection.inFlight === 0 && lastUsedMs <= unusedSinceMs) void connection[Symbol.asyncDispose]()
      else isAnyOpen = true
    }
    if (isAnyOpen) this.#sweepSoon()
  }
}

function nameOf({ host, port }: Address, lane: Lane): string {
  return `${host}:${port} ${lane}`
}

function connectionFailure(place: string, error: Error): KafkaError {
  if (error instanceof KafkaError) return error
  // Options that are none stay so, however often it is tried.
  const retriable = !(error instanceof TypeError)
  return new KafkaError(ErrorCode.NETWORK_EXCEPTION, `no connection to ${place}: ${error.message}`, {
    cause: error,
    retriable,
  })
}

function anySignal(one: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return one === undefined ? other : AbortSignal.any([one, other])
}

/** Stops waiting when `signal` aborts; what was waited for goes on for others. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
