/** A conversation with the coordinators that both brokers must have alike. */
import type { Api } from '@millrace/protocol'
import type { World } from './world.ts'

export interface Scenario {
  readonly name: string
  /** APIs that must be served by both, or it is skipped. */
  readonly needs?: readonly Api[]
  /** Why what is written down is not compared. */
  readonly recordsDiffer?: string
  /** Speaks the protocol of transaction version 2 (KIP-890), which clients do only where the cluster has it. */
  readonly usesNewTransactions?: true
  run(world: World): Promise<void>
}
