import type { Timer } from '@millrace/runtime'
import type { RunHost } from '../run-host.ts'
import type { WaitingKeys } from './waiting-keys.ts'

/** How long nothing may come of a retry topic before its rest is taken for empty. */
const quietMs = 10_000

/** Which keys have records in the retry topic that are not done with. Nothing of a new partition is handled before that is known. */
export async function learnWaitingKeys<K, V>(
  { consumer, cluster, openScanner }: Pick<RunHost<K, V>, 'consumer' | 'cluster' | 'openScanner'>,
  { waitingKeys, topic, signal }: { waitingKeys: WaitingKeys; topic: string; signal: AbortSignal },
): Promise<void> {
  const { partitions } = await cluster.metadata.topic(topic, { signal })
  const all = partitions.map((_, partition) => ({ topic, partition }))
  const [ends, beginnings, committed] = await Promise.all([
    consumer.endOffsets(all),
    consumer.beginningOffsets(all),
    consumer.committed(all),
  ])
  const { clock } = cluster.world
  const left = new Map<number, bigint>()
  const scanner = openScanner()
  try {
    const starts = all.map(({ partition }, index) => {
      const from = committed[index]?.offset ?? 0n
      const begin = beginnings[index]!.offset
      return { topic, partition, offset: from > begin ? from : begin }
    })
    for (const { partition, offset } of starts) {
      const end = ends[partition]!.offset
      if (offset < end) left.set(partition, end)
    }
    if (left.size === 0) return
    scanner.assign([...left.keys()].map((partition) => ({ topic, partition })))
    for (const { partition, offset } of starts)
      if (left.has(partition)) await scanner.seek(offset, [{ topic, partition }])
    // Where nothing is left of the offsets, nothing waits: no batch will come of them.
    const quiet = new AbortController()
    const listen = (): Timer => clock.after(quietMs, () => quiet.abort())
    let timer = listen()
    for await (const batch of scanner.batches({ signal: AbortSignal.any([signal, quiet.signal]) })) {
      timer.cancel()
      const end = left.get(batch.partition) ?? 0n
      for (const { rawKey, offset } of batch)
        if (rawKey !== null && offset < end) waitingKeys.learn(rawKey, batch.partition, offset)
      if (batch.end.offset >= end) left.delete(batch.partition)
      if (left.size === 0) return
      timer = listen()
    }
  } finally {
    await scanner.close()
  }
}
