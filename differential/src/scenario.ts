/** A conversation with the coordinators that both brokers must have alike. */
import type { Api } from '@millrace/protocol'
import type { World } from './world.ts'

export interface Scenario {
  readonly name: string
  /** APIs that must be served by both, or it is skipped. */
  readonly needs?: readonly Api[]
  /** Why what is written down is not compared. */
  readonly recordsDiffer?: string
  run(world: World): Promise<void>
}
