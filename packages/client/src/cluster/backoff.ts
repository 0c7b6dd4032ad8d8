/** Pauses that grow with each failure: Kafka's, KIP-580. */
import type { Random } from '@millrace/runtime'

const FACTOR = 2
const JITTER = 0.2

/** Milliseconds to wait after `failures` failures in a row (≥ 1). */
export function backoffMs(
  failures: number,
  { initialMs, maxMs, random }: { readonly initialMs: number; readonly maxMs: number; readonly random: Random },
): number {
  const grown = Math.min(initialMs * FACTOR ** Math.min(failures - 1, 30), Math.max(initialMs, maxMs))
  return grown * (1 - JITTER + 2 * JITTER * random.next())
}
