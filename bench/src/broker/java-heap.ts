import { runToSuccess } from '@millrace/interop/brokers'

/** What a Java process's heap holds after a full collection, in bytes: asked by the JDK's own jcmd. */
export async function liveHeapBytes(pid: number): Promise<number> {
  await runToSuccess('jcmd', [String(pid), 'GC.run'])
  const output = await runToSuccess('jcmd', [String(pid), 'GC.heap_info'])
  const used = /heap\s+total \d+K, used (\d+)K/.exec(output)?.[1]
  if (used === undefined) throw new Error(`jcmd GC.heap_info tells no used heap: ${output}`)
  return Number(used) * 1024
}
