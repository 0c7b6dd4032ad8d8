/** A member of a classic group. */
import type { JoinAnswer, SyncAnswer } from './classic-answers.ts'

/** What a member can do, and what it tells the leader if that is chosen. In the member's order of preference. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export interface ClassicMemberOptions {
  readonly id: string
  /** null for a dynamic member. */
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly protocols: readonly MemberProtocol[]
  readonly assignment?: Uint8Array
}

export const noAssignment = new Uint8Array(0)

export class ClassicMember {
  readonly id: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Uint8Array
  /** Joined, but in no generation yet. */
  isNew = false
  /** Changed by the group, which counts them. */
  awaitingJoin: ((answer: JoinAnswer) => void) | null = null
  awaitingSync: ((answer: SyncAnswer) => void) | null = null

  constructor(options: ClassicMemberOptions) {
    this.id = options.id
    this.groupInstanceId = options.groupInstanceId
    this.clientId = options.clientId
    this.clientHost = options.clientHost
    this.rebalanceTimeoutMs = options.rebalanceTimeoutMs
    this.sessionTimeoutMs = options.sessionTimeoutMs
    this.protocols = options.protocols
    this.assignment = options.assignment ?? noAssignment
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null
  }

  /**
   * A member that waits for an answer cannot send heartbeats, and needs none. But a new one may be gone, and would ask again under another
   * id: it is given up after a while even when it waits.
   */
  get needsNoHeartbeat(): boolean {
    return !this.isNew && (this.awaitingJoin !== null || this.awaitingSync !== null)
  }

  supports(protocol: string): boolean {
    return this.protocols.some(({ name }) => name === protocol)
  }

  /** @throws Error for a protocol that the member does not support: then it should not have been chosen. */
  metadata(protocol: string): Uint8Array {
    const found = this.protocols.find(({ name }) => name === protocol)
    if (found === undefined) throw new Error(`member ${this.id} does not support protocol ${protocol}`)
    return found.metadata
  }

  /** Whether it would say the same again. */
  hasProtocols(protocols: readonly MemberProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, index) => {
        const own = this.protocols[index]!
        return own.name === name && Buffer.compare(own.metadata, metadata) === 0
      })
    )
  }
}
