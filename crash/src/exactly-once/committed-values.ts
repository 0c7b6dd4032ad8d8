import { runToSuccess } from '@millrace/interop/brokers'

const readTimeoutMs = 60_000

/** What a foreign read_committed consumer (kcat) gets of a partition, from its beginning to its last stable offset. */
export async function committedValues(bootstrap: string, topic: string, partition: number): Promise<string[]> {
  const where = ['-b', bootstrap, '-t', topic, '-p', String(partition), '-o', 'beginning']
  const how = ['-C', '-q', '-e', '-f', '%s\\n', '-X', 'isolation.level=read_committed', '-X', 'check.crcs=true']
  const output = await runToSuccess('kcat', [...how, ...where], { timeoutMs: readTimeoutMs })
  return output.split('\n').slice(0, -1)
}
