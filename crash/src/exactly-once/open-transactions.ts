import type { ClusterView } from './cluster-view.ts'
import type { DataEntry } from './log-entry.ts'

/** A line for each transaction that has no marker, partition by partition. */
export async function openTransactions(view: ClusterView, topics: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  for (const topic of topics) {
    const ends = await view.ends(topic, 'read_uncommitted')
    for (const [partition, end] of ends.entries()) {
      if (end === 0n) continue
      const open = new Map<bigint, DataEntry>()
      for (const entry of await view.log(topic, partition)) {
        if (entry.kind === 'marker') open.delete(entry.producerId)
        else if (entry.isTransactional && !open.has(entry.producerId)) open.set(entry.producerId, entry)
      }
      for (const { producerId, producerEpoch, offset } of open.values())
        lines.push(`open: ${topic}-${partition}: producer ${producerId} epoch ${producerEpoch} from offset ${offset}`)
    }
  }
  return lines
}
