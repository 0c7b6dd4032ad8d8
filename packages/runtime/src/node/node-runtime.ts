import type { Runtime } from '../runtime.ts'
import { NodeClock, type NodeClockOptions } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeRandom } from './node-random.ts'
import { NodeTransport } from './node-transport.ts'

/** The world as it is: system time, chance, the file system, TCP and TLS. */
export function nodeRuntime(options: NodeClockOptions = {}): Runtime {
  const clock = new NodeClock(options)
  return { clock, random: new NodeRandom(), disk: new NodeDisk(), transport: new NodeTransport(clock) }
}
