/** Appends to every partition, several at a time, until the target is gone. */
import { TargetGoneError, type CrashTarget } from './crash-target.ts'
import { valueOf, type PartitionLedger } from './ledger.ts'

const inFlight = 4
const mostRecords = 20

/** Resolves when the target is gone. @throws what an append fails with while it lives. */
export async function applyLoad(
  target: CrashTarget,
  ledgers: readonly PartitionLedger[],
  random: (bound: number) => number,
): Promise<void> {
  await Promise.all(
    ledgers.flatMap((ledger) => Array.from({ length: inFlight }, () => appendUntilDead(target, ledger, random))),
  )
}

async function appendUntilDead(
  target: CrashTarget,
  ledger: PartitionLedger,
  random: (bound: number) => number,
): Promise<void> {
  for (;;) {
    const count = 1 + random(mostRecords)
    // Now and then a batch of many pages, of which a kill may leave some.
    const sizeBytes = random(12) === 0 ? 20_000 + random(30_000) : 20 + random(200)
    const first = ledger.send(count)
    const values = Array.from({ length: count }, (_, i) => valueOf(first + i, sizeBytes))
    let offset: bigint
    try {
      offset = await target.append(ledger.partition, values)
    } catch (error) {
      if (error instanceof TargetGoneError) return
      throw error
    }
    ledger.acknowledge(first, count, offset)
  }
}
