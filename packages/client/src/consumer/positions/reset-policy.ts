/** What `offsetReset` asks for. */
import type { OffsetReset } from '../options.ts'
import type { ResetTarget } from './assigned-partition.ts'

/** Where to begin when there is no offset to begin at; null: the application has to say. `nowMs` of the wall clock. */
export function resetTarget(policy: OffsetReset, nowMs: number): ResetTarget | null {
  switch (policy) {
    case 'earliest':
      return 'beginning'
    case 'latest':
      return 'end'
    case 'none':
      return null
  }
  return { timestamp: BigInt(Math.max(0, nowMs - policy.byDurationMs)) }
}
