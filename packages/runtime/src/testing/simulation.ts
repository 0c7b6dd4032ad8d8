/** A world in one process that does the same again for the same seed: time, chance, hosts with disks, and the network between them. */

import type { Random } from '../random.ts'
import type { Runtime } from '../runtime.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedClock, SimulatedTime } from './simulated-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'

export class Simulation {
  readonly seed: number
  /** Makes time pass: `run`, `advance`, `runUntilIdle`. */
  readonly time = new SimulatedTime()
  /** The test's own clock, which no host's crash stops. */
  readonly clock: SimulatedClock
  /** The test's own chance; hosts have theirs. */
  readonly random: Random
  readonly network: SimulatedNetwork
  readonly #chance: SeededRandom
  readonly #hosts = new Map<string, SimulatedHost>()

  constructor(seed: number) {
    this.seed = seed
    this.#chance = new SeededRandom(seed)
    this.clock = new SimulatedClock(this.time)
    this.random = this.#chance.fork()
    this.network = new SimulatedNetwork(this.time, this.#chance.fork())
  }

  /** The host of that name, made when first asked for. */
  host(name: string): SimulatedHost {
    let host = this.#hosts.get(name)
    if (host === undefined) this.#hosts.set(name, (host = new SimulatedHost(name, this, this.#chance.fork())))
    return host
  }

  /** A disk that belongs to no host. */
  disk(): SimulatedDisk {
    return new SimulatedDisk(this.time, this.#chance.fork())
  }
}

/**
 * A machine with a disk and a network name. Its process has the `Runtime` that the host itself is; after a crash the next process has the
 * same disk, and a new clock: the old one calls nothing back any more.
 */
export class SimulatedHost implements Runtime {
  readonly name: string
  readonly disk: SimulatedDisk
  readonly #simulation: Simulation
  readonly #chance: SeededRandom
  #runtime: Runtime & { readonly clock: SimulatedClock }

  constructor(name: string, simulation: Simulation, chance: SeededRandom) {
    this.name = name
    this.#simulation = simulation
    this.#chance = chance
    this.disk = new SimulatedDisk(simulation.time, chance.fork())
    this.#runtime = this.#boot()
  }

  get clock(): SimulatedClock {
    return this.#runtime.clock
  }

  get random(): Random {
    return this.#runtime.random
  }

  get transport(): Runtime['transport'] {
    return this.#runtime.transport
  }

  /** The runtime of the process that lives now. To hand to what shall die with the next crash. */
  get runtime(): Runtime {
    return this.#runtime
  }

  /** The machine loses power: see SimulatedDisk.crash. Other hosts are not told. The host is up again at once, with a new process. */
  crash(keep: 'random' | 'nothing' = 'random'): void {
    this.disk.crash(keep)
    this.#restart(true)
  }

  /** The process dies, and the system closes its connections. */
  crashProcess(): void {
    this.disk.crashProcess()
    this.#restart(false)
  }

  #restart(silently: boolean): void {
    this.#simulation.network.crash(this.name, { silently })
    this.#runtime.clock.stop()
    this.#runtime = this.#boot()
  }

  #boot(): Runtime & { readonly clock: SimulatedClock } {
    return {
      clock: new SimulatedClock(this.#simulation.time),
      random: this.#chance.fork(),
      disk: this.disk,
      transport: this.#simulation.network.transport(this.name),
    }
  }
}

/** Everything in it, in every run, follows from `seed`. */
export function simulation(seed: number): Simulation {
  return new Simulation(seed)
}
