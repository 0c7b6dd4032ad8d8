import type { SeededRandom } from './seeded-random.ts'

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'list'
  | 'make-directory'

/** When a disk operation shall fail, and how. */
export interface DiskFault {
  readonly operation: DiskOperation | 'any'
  /** Which paths. Default: all. */
  readonly path?: (path: string) => boolean
  /** EIO, ENOSPC, EACCES… */
  readonly code: string
  /** Default: always. */
  readonly probability?: number
  /** How often in all. Default: without end. */
  readonly times?: number
}

/** The faults in force on a disk. */
export class FaultRules {
  readonly #random: SeededRandom
  readonly #rules = new Set<{ readonly fault: DiskFault; left: number }>()

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** In force until disposed or used up. */
  add(fault: DiskFault): Disposable {
    const rule = { fault, left: fault.times ?? Infinity }
    this.#rules.add(rule)
    return { [Symbol.dispose]: () => void this.#rules.delete(rule) }
  }

  /** The error code the operation shall fail with; null when it may go on. */
  codeFor(operation: DiskOperation, path: string): string | null {
    for (const rule of this.#rules) {
      const { fault } = rule
      if (fault.operation !== 'any' && fault.operation !== operation) continue
      if (fault.path?.(path) === false) continue
      if (fault.probability !== undefined && !this.#random.chance(fault.probability)) continue
      if (--rule.left <= 0) this.#rules.delete(rule)
      return fault.code
    }
    return null
  }
}
