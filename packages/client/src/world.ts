/** What a client needs of the world outside; tests give a simulated one. */
import { nodeRuntime, type Runtime } from '@millrace/runtime'

export type World = Pick<Runtime, 'clock' | 'random' | 'transport'>

/** The world as it is. */
export function realWorld(): World {
  const { clock, random, transport } = nodeRuntime()
  return { clock, random, transport }
}
