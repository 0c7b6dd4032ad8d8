/**
 * Hosts and the network between them: TCP as applications see it, with what the network does to them. By the seed, bytes take their time, writes
 * arrive in pieces, connections break in the middle of a write; by order of the test, links are slow or cut in one or both directions and hosts
 * vanish.
 */

import type { ConnectOptions, ListenOptions, Transport, TransportConnection, TransportListener } from '../transport.ts'
import type { Address } from '../transport.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedTime } from './simulated-clock.ts'
import { SimulatedConnection } from './simulated-connection.ts'
import { SimulatedLink } from './simulated-link.ts'
import type { LinkSettings } from './simulated-link.ts'

const FIRST_EPHEMERAL_PORT = 32_768

interface Listening {
  readonly host: string
  readonly port: number
  readonly encrypted: boolean
  readonly onConnection: (connection: TransportConnection) => void
  paused: boolean
  readonly held: SimulatedConnection[]
}

export class SimulatedNetwork {
  /** For links that have no settings of their own. */
  readonly defaults: LinkSettings = { latencyMs: [0.1, 1], bytesPerMs: 1_000_000, breakProbability: 0 }
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #links = new Map<string, SimulatedLink>()
  readonly #listening = new Map<string, Listening>()
  /** Both ends of each. */
  readonly #connections = new Set<SimulatedConnection>()
  #nextPort = FIRST_EPHEMERAL_PORT

  constructor(time: SimulatedTime, random: SeededRandom) {
    this.#time = time
    this.#random = random
  }

  /** The network as seen from `host`. Hosts come into being by being named; their name is their address. */
  transport(host: string): Transport {
    return {
      listen: (options, onConnection) => this.#listen(host, options, onConnection),
      connect: (options) => this.#connect(host, options),
    }
  }

  /** The way from one host to another; the way back is another. */
  link(from: string, to: string): SimulatedLink {
    const key = `${from} → ${to}`
    let link = this.#links.get(key)
    if (link === undefined) {
      link = new SimulatedLink(this.#time, this.#random.fork(), this.defaults)
      this.#links.set(key, link)
    }
    return link
  }

  /** Cuts both directions: nothing arrives until `heal`, then all that was sent and not given up. */
  partition(a: string, b: string): void {
    this.link(a, b).cut()
    this.link(b, a).cut()
  }

  heal(a: string, b: string): void {
    this.link(a, b).heal()
    this.link(b, a).heal()
  }

  /** Breaks the connections between two hosts: both ends get ECONNRESET, of what was under way a part may arrive. */
  breakConnections(a: string, b: string): void {
    for (const connection of this.#connections) {
      if (connection.localHost === a && connection.remoteHost === b) connection.breakDown()
    }
  }

  /**
   * The host's process dies: what it listened on is refused, its connections are reset; with `silently` the others are told nothing, as
   * when the machine loses power, until they next send.
   */
  crash(host: string, options: { silently: boolean }): void {
    for (const [key, listening] of this.#listening) if (listening.host === host) this.#listening.delete(key)
    for (const connection of this.#connections) {
      if (connection.localHost === host) connection.vanish(options.silently)
    }
  }

  async #listen(
    host: string,
    options: ListenOptions,
    onConnection: (connection: TransportConnection) => void,
  ): Promise<TransportListener> {
    await Promise.resolve()
    const port = options.port === 0 ? this.#nextPort++ : options.port
    const key = `${host}:${port}`
    if (this.#listening.has(key)) throw networkError('EADDRINUSE', `listen ${key}`)
    const listening: Listening = {
      host,
      port,
      encrypted: options.tls !== undefined,
      onConnection,
      paused: false,
      held: [],
    }
    this.#listening.set(key, listening)
    return {
      address: { host, port },
      pauseAccepting: () => {
        listening.paused = true
      },
      resumeAccepting: () => {
        listening.paused = false
        while (!listening.paused && listening.held.length > 0) listening.onConnection(listening.held.shift()!)
      },
      [Symbol.asyncDispose]: () => {
        if (this.#listening.get(key) === listening) this.#listening.delete(key)
        for (const connection of listening.held.splice(0)) connection.destroy()
        return Promise.resolve()
      },
    }
  }

  #connect(from: string, options: ConnectOptions): Promise<TransportConnection> {
    const to = isLoopback(options.host) ? from : options.host
    const name = `${to}:${options.port}`
    return new Promise((resolve, reject) => {
      let over = false
      const finish = (): boolean => {
        if (over) return false
        over = true
        timer.cancel()
        options.signal?.removeEventListener('abort', onAbort)
        return true
      }
      const fail = (error: Error): void => {
        if (finish()) reject(error)
      }
      const onAbort = (): void => fail(options.signal!.reason as Error)
      const timer = this.#time.after(options.timeoutMs, () => fail(networkError('ETIMEDOUT', `connect ${name}`)))
      if (options.signal?.aborted === true) {
        onAbort()
        return
      }
      options.signal?.addEventListener('abort', onAbort, { once: true })
      this.link(from, to).send(0, () => {
        const listening = this.#listening.get(name)
        const back = this.link(to, from)
        if (listening === undefined || listening.encrypted !== (options.tls !== undefined)) {
          back.send(0, () =>
            fail(networkError(listening === undefined ? 'ECONNREFUSED' : 'ECONNRESET', `connect ${name}`)),
          )
          return
        }
        const [near, far] = this.#pair(
          { host: from, port: this.#nextPort++ },
          { host: to, port: options.port },
          listening,
        )
        if (listening.paused) listening.held.push(far)
        else listening.onConnection(far)
        back.send(0, () => {
          if (finish()) resolve(near)
          else near.destroy()
        })
      })
    })
  }

  #pair(client: Address, server: Address, listening: Listening): [SimulatedConnection, SimulatedConnection] {
    const make = (local: Address, remote: Address): SimulatedConnection =>
      new SimulatedConnection({
        time: this.#time,
        random: this.#random.fork(),
        link: this.link(local.host, remote.host),
        local,
        remote,
        encrypted: listening.encrypted,
        onGone: (connection) => this.#connections.delete(connection),
      })
    const near = make(client, server)
    const far = make(server, client)
    near.join(far)
    far.join(near)
    this.#connections.add(near)
    this.#connections.add(far)
    return [near, far]
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1' || host === '::1'
}

export function networkError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code })
}
