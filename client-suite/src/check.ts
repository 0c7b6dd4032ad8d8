// One thing that our client must do, whichever broker it talks to.
import type { Api } from '@millrace/protocol'
import type { Bench } from './bench.ts'

/** An API that a broker must serve for a check to make sense, and the oldest version that will do. */
export interface Need {
  readonly api: Api
  readonly version?: number
}

export interface Check {
  readonly section: string
  readonly what: string
  readonly needs?: readonly Need[]
  /** Only on the cluster, where brokers can be stopped one by one. */
  readonly needsCluster?: boolean
  /** Only where the one broker can be stopped and all is down. */
  readonly needsOneBroker?: boolean
  /** It stops brokers, or needs the machine for itself: it runs when all others have ended. */
  readonly runsAlone?: boolean
  /** Default 150 s. */
  readonly timeoutMs?: number
  /** Returns a note. @throws what is wrong. */
  readonly run: (bench: Bench) => Promise<string | void>
}

type CheckOptions = Omit<Check, 'section' | 'what' | 'run'>

/** Declares the checks of one section. */
export function section(name: string, common: CheckOptions = {}) {
  const checks: Check[] = []
  const check = (what: string, run: Check['run'], options: CheckOptions = {}) =>
    void checks.push({ section: name, what, run, ...common, ...options })
  return { checks, check }
}
