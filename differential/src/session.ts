/** Plays scenarios and takes walks, tells what came of each, and shortens walks that found something. */
import { finalize, type Level } from './levels.ts'
import { judge, transcript } from './report.ts'
import type { Scenario } from './scenario.ts'
import { take, type Walk } from './walks/walk.ts'
import type { World } from './world.ts'

export interface WalkOptions {
  readonly steps: number
}

interface Played {
  readonly isAlike: boolean
  readonly lines: readonly string[]
}

/** How many times a walk is taken again to find out which of its steps matter. */
const shorteningAttempts = 60

export class Session {
  /** How often each difference that is meant was met, by its reason. */
  readonly deliberate = new Map<string, number>()
  passed = 0
  failed = 0
  readonly #world: World
  readonly #isVerbose: boolean
  #count = 0
  #beganMs = 0

  constructor(world: World, { isVerbose }: { readonly isVerbose: boolean }) {
    this.#world = world
    this.#isVerbose = isVerbose
  }

  async play(scenario: Scenario): Promise<void> {
    const missing = scenario.needs?.filter((api) => !this.#world.serves(api)) ?? []
    if (missing.length > 0) {
      console.log(`skip ${scenario.name}: ${missing.map(({ name }) => name).join(', ')} not served by both`)
      return
    }
    const played = await this.#play(() => scenario.run(this.#world), scenario.recordsDiffer === undefined)
    this.#tell(scenario.name, played)
  }

  /** With a feature at a lower level, which is brought back afterwards. */
  async playAt({ feature, level, usual, scenarios }: Level, isWanted: (name: string) => boolean): Promise<void> {
    const named = scenarios
      .map((scenario) => ({ ...scenario, name: `${feature} ${level}: ${scenario.name}` }))
      .filter(({ name }) => isWanted(name))
    if (named.length === 0) return
    const finalized = await this.#play(() => finalize(this.#world, feature, level, false))
    this.#tell(`${feature} goes down to ${level}`, finalized)
    for (const scenario of named) await this.play(scenario)
    this.#tell(`${feature} goes up to ${usual}`, await this.#play(() => finalize(this.#world, feature, usual, true)))
  }

  async walk(walk: Walk, seed: number, { steps }: WalkOptions): Promise<void> {
    let all = Array.from({ length: steps }, (_, step) => step)
    let played = await this.#take(walk, seed, all)
    const first = played
    const name = `${walk.name}, seed ${seed}`
    if (!played.isAlike) {
      all = all.slice(0, played.last + 1)
      const shortened = await this.#shorten(walk, seed, all)
      played = await this.#take(walk, seed, shortened)
      console.log(`     steps that matter: ${shortened.join(' ')}`)
      if (played.isAlike) played = { ...first, lines: ['  differed once, and not again:', ...first.lines] }
      else played = { ...played, lines: [...played.lines, ...transcript(this.#world.exchanges)] }
    }
    this.#tell(name, played)
  }

  async #take(walk: Walk, seed: number, steps: readonly number[]): Promise<Played & { last: number }> {
    let last = -1
    const played = await this.#play(async () => {
      const walker = await walk.start(this.#world)
      last = await take(walker, seed, steps, () => {
        const { differences, diverges } = judge(this.#world.exchanges, [], new Map())
        return differences > 0 || diverges
      })
    })
    return { ...played, last }
  }

  /** Leaves out runs of steps, half of them first, as long as the brokers still differ. */
  async #shorten(walk: Walk, seed: number, steps: readonly number[]): Promise<readonly number[]> {
    let attempts = 0
    for (let length = Math.ceil(steps.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2))
      for (let at = 0; at < steps.length && attempts < shorteningAttempts;) {
        const fewer = steps.filter((_, index) => index < at || index >= at + length)
        attempts++
        if (fewer.length < steps.length && !(await this.#take(walk, seed, fewer)).isAlike) steps = fewer
        else at += length
      }
    return steps
  }

  async #play(run: () => Promise<void>, comparesRecords = true): Promise<Played> {
    this.#beganMs = performance.now()
    await this.#world.begin(`s${this.#count++}.`)
    const lines: string[] = []
    try {
      await run()
    } catch (error) {
      lines.push(`  ${(error as Error).stack}`)
    }
    const records = comparesRecords ? await this.#world.recordDifferences() : []
    const verdict = judge(this.#world.exchanges, records, this.deliberate)
    lines.push(...verdict.lines)
    return { isAlike: lines.length === 0, lines }
  }

  #tell(name: string, { isAlike, lines }: Played): void {
    if (isAlike) this.passed++
    else this.failed++
    const took = `${this.#world.exchanges.length} requests, ${Math.round(performance.now() - this.#beganMs)} ms`
    console.log(`${isAlike ? 'ok  ' : 'FAIL'} ${name} (${took})`)
    for (const line of lines) console.log(line)
    if (this.#isVerbose) for (const line of transcript(this.#world.exchanges)) console.log(line)
  }
}
