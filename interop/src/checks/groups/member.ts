// One member of a group, in a process of its own, and what it was given and read.
import type { Membership, Process } from '../../clients/foreign-client.ts'

export type ReadRecord = readonly [partition: number, offset: number, value: string]

interface PollAnswer {
  assigned: number[]
  /** How often partitions were assigned; null when the client does not say. */
  rebalances: number | null
  /** How many partitions were revoked so far; null when the client does not say. */
  revoked: number | null
  records: ReadRecord[]
}

export interface JoinOptions extends Membership {
  readonly group: string
  readonly topic: string
  readonly sessionTimeoutMs: number
  readonly autoCommit: boolean
  readonly instanceId: string | null
}

const pollMs = 100

export class Member {
  readonly name: string
  /** As the last poll told. */
  assigned: readonly number[] = []
  rebalances: number | null = 0
  revoked: number | null = 0
  readonly records: ReadRecord[] = []
  readonly #process: Process

  constructor(name: string, process: Process) {
    this.name = name
    this.#process = process
  }

  async join(options: JoinOptions): Promise<void> {
    await this.#process.call('join', { ...options })
  }

  async poll(): Promise<void> {
    const answer = (await this.#process.call('poll', { timeoutMs: pollMs })) as PollAnswer
    this.assigned = answer.assigned.toSorted((a, b) => a - b)
    this.rebalances = answer.rebalances
    this.revoked = answer.revoked
    this.records.push(...answer.records)
  }

  async commit(style: string, topic: string, metadata: string): Promise<void> {
    await this.#process.call('commit', { style, topic, metadata })
  }

  /** Closes the client in the ordinary way. A static member stays in the group then. */
  async leave(): Promise<void> {
    await this.#process.call('leave')
    await this.#process[Symbol.asyncDispose]()
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }
}
