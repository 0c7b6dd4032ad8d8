/** What a client needs of the world outside; tests give a simulated one. */
import { nodeRuntime, type Runtime } from '@millrace/runtime'

export type World = Pick<Runtime, 'clock' | 'random' | 'transport'>

/** A producer lingers for 5 ms: ten more would be felt. */
const TIMER_TICK_MS = 1

/** The world as it is. */
export function realWorld(): World {
  const { clock, random, transport } = nodeRuntime({ tickMs: TIMER_TICK_MS })
  return { clock, random, transport }
}
