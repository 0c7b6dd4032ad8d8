/** When whom to kill, from a seed. */
import { randomIntegers } from '../random.ts'

export interface BrokerKill {
  readonly victim: 'broker'
  /** Share of the records after which it comes. */
  readonly at: number
  readonly downMs: number
  /** Another kill so long after the restarted broker answers, while it loads its coordinators; null: none. */
  readonly againAfterMs: number | null
}

export interface CopierKill {
  readonly victim: 'copier'
  readonly at: number
  readonly copier: number
  readonly downMs: number
}

export type Kill = BrokerKill | CopierKill

/** Nothing is killed before and after these shares: everybody must have begun, and something must be left. */
const firstAt = 0.03
const lastAt = 0.9
const longestDownMs = 1000
const longestUpMs = 400

export interface KillPlanOptions {
  readonly seed: number
  readonly brokerKills: number
  readonly copierKills: number
  readonly copiers: number
}

/** In order. Kills that come again while the broker starts count as broker kills. */
export function planKills({ seed, brokerKills, copierKills, copiers }: KillPlanOptions): Kill[] {
  const random = randomIntegers(seed)
  const share = (index: number, count: number) => firstAt + ((lastAt - firstAt) * (index + random(1000) / 1000)) / count
  const doubles = new Set<number>()
  const events = brokerKills - Math.floor(brokerKills / 4)
  while (doubles.size < brokerKills - events) doubles.add(random(events))
  const broker = Array.from({ length: events }, (_, index): Kill => {
    const againAfterMs = doubles.has(index) ? random(longestUpMs) : null
    return { victim: 'broker', at: share(index, events), downMs: random(longestDownMs), againAfterMs }
  })
  const copier = Array.from({ length: copierKills }, (_, index): Kill => {
    return { victim: 'copier', at: share(index, copierKills), copier: random(copiers), downMs: random(longestDownMs) }
  })
  return [...broker, ...copier].toSorted((a, b) => a.at - b.at)
}
