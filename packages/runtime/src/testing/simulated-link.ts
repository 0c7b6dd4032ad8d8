import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedTime } from './simulated-clock.ts'

export interface LinkSettings {
  /** How long a packet takes: uniform between these. Packets of one connection do not overtake each other. */
  latencyMs: readonly [number, number]
  /** What it carries. All connections share it. */
  bytesPerMs: number
  /** That a packet breaks its connection. */
  breakProbability: number
}

/** The way from one host to another. */
export class SimulatedLink {
  /** Replace to change; undefined members fall back to the network's defaults. */
  settings: Partial<LinkSettings> = {}
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #defaults: LinkSettings
  /** When it has carried all it was given. */
  #busyUntilMs = 0
  #isCut = false
  /** Arrived while cut. */
  #stuck: (() => void)[] = []

  constructor(time: SimulatedTime, random: SeededRandom, defaults: LinkSettings) {
    this.#time = time
    this.#random = random
    this.#defaults = defaults
  }

  /** Calls `arrive` when a packet of `bytes` gets there, not before `notBeforeMs`; returns when that is, if the link is not cut. */
  send(bytes: number, arrive: () => void, notBeforeMs = 0): number {
    const { latencyMs, bytesPerMs } = { ...this.#defaults, ...this.settings }
    this.#busyUntilMs = Math.max(this.#busyUntilMs, this.#time.nowMs) + bytes / bytesPerMs
    const atMs = Math.max(this.#busyUntilMs + this.#random.between(latencyMs), notBeforeMs)
    this.#time.after(atMs - this.#time.nowMs, () => {
      if (this.#isCut) this.#stuck.push(arrive)
      else arrive()
    })
    return atMs
  }

  /** Whether the next packet is to break its connection. */
  breaks(): boolean {
    return this.#random.chance(this.settings.breakProbability ?? this.#defaults.breakProbability)
  }

  cut(): void {
    this.#isCut = true
  }

  heal(): void {
    this.#isCut = false
    const stuck = this.#stuck
    this.#stuck = []
    // In the order in which it would have come.
    for (const arrive of stuck) this.#time.after(0, arrive)
  }
}
