/** `max.connections`, `max.connections.per.ip` and its overrides. */
import type { Address } from '@millrace/runtime'

export interface ConnectionLimitOptions {
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
  /** By address. */
  readonly perIpOverrides: ReadonlyMap<string, number>
}

export class ConnectionLimits {
  readonly #options: ConnectionLimitOptions
  readonly #perIp = new Map<string, number>()
  #total = 0

  constructor(options: ConnectionLimitOptions) {
    this.#options = options
  }

  /** Counts a new connection; says why it may not stay, or null. Refused ones are not counted. */
  admit(remote: Address): string | null {
    const { maxConnections, maxConnectionsPerIp, perIpOverrides } = this.#options
    const ofThisIp = this.#perIp.get(remote.host) ?? 0
    const perIp = perIpOverrides.get(remote.host) ?? maxConnectionsPerIp
    if (this.#total >= maxConnections) return `max.connections (${maxConnections}) is reached`
    if (ofThisIp >= perIp) return `${remote.host} has ${ofThisIp} connections, max.connections.per.ip allows ${perIp}`
    this.#total++
    this.#perIp.set(remote.host, ofThisIp + 1)
    return null
  }

  release(remote: Address): void {
    this.#total--
    const left = (this.#perIp.get(remote.host) ?? 1) - 1
    if (left > 0) this.#perIp.set(remote.host, left)
    else this.#perIp.delete(remote.host)
  }
}
