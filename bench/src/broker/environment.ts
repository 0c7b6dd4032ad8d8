// A run's folder and the brokers started in it, all gone at its end.
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningBroker } from '@millrace/interop/brokers'
import type { Environment, Sizes } from './measure.ts'

/** Room for the largest log, the page cache warmer, and as much again. */
const neededBytes = ({ logBytes, records1KiB, records100B }: Sizes) =>
  2 * Math.max(logBytes, records1KiB * 1024 + records100B * 100)

export async function withEnvironment<T>(sizes: Sizes, use: (environment: Environment) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const removeDirectory = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', removeDirectory)
  const started: RunningBroker[] = []
  try {
    const { bavail, bsize } = statfsSync(directory)
    if (bavail * bsize < neededBytes(sizes))
      throw new Error(
        `${(neededBytes(sizes) / 1e9).toFixed(0)} GB of disk are needed, ${((bavail * bsize) / 1e9).toFixed(0)} are free`,
      )
    return await use({
      directory,
      sizes,
      start: async (kind, properties = {}) => {
        const broker = await kind.start({ dataDirectory: join(directory, 'data'), properties })
        started.push(broker)
        return broker
      },
    })
  } catch (error) {
    const output = started.at(-1)?.output() ?? ''
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${output}`, { cause: error })
  } finally {
    for (const broker of started) await broker.kill()
    removeDirectory()
    process.off('exit', removeDirectory)
  }
}
