import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Random } from './random.ts'
import type { Transport } from './transport.ts'

/** The four interfaces through which the world comes in. */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly transport: Transport
}
