// The clients, each a process of its own for every run.
import { join } from 'node:path'
import { javascriptPackages } from '@millrace/interop/javascript-packages'
import { installedProduct, runToSuccess } from '@millrace/interop/brokers'
import { consumeLoad, produceLoad, rdkafkaPerformance, type LoadResult } from '../broker/rdkafka-performance.ts'
import { arrayBytes, type Job, type LoadKind, type Report } from './job.ts'
import type { Load } from './loads.ts'

export interface BenchClient {
  readonly name: string
  /** Key in `Load.wanted`. */
  readonly key: string
  readonly variant: string
  takesPart(load: Load): boolean
  prepare(): Promise<unknown>
  /** `countedRecords`: to produce, for clients that count instead of looking at the clock. */
  run(job: Job, countedRecords: number): Promise<Report>
}

const programTimeoutMs = 120_000

/** `packages`: the folder whose node_modules holds the client; null takes ours from the sources. */
async function runProgram(program: string, job: Job, packages: string | null): Promise<Report> {
  const file = join(import.meta.dirname, 'programs', `${program}.ts`)
  const conditions = packages === null ? ['--conditions=source'] : []
  const args = ['--no-warnings', ...conditions, file, JSON.stringify(job)]
  const env = packages === null ? {} : { CLIENT_PACKAGES: packages }
  const output = await runToSuccess(process.execPath, args, { env, timeoutMs: programTimeoutMs })
  return JSON.parse(output.trim().split('\n').at(-1)!) as Report
}

const foreign = (name: string, key: string): BenchClient => ({
  name,
  key,
  variant: '',
  takesPart: () => true,
  prepare: javascriptPackages,
  run: async (job) => runProgram(key, job, await javascriptPackages()),
})

const librdkafka: BenchClient = {
  name: 'librdkafka',
  key: 'librdkafka',
  variant: '',
  // It batches what is sent one by one, too: that is what arrays are compared with.
  takesPart: ({ kind }) => kind === 'arrays' || kind === 'consume',
  prepare: rdkafkaPerformance,
  run: async (job, countedRecords) => {
    const records = job.kind === 'consume' ? job.warmUpRecords + job.measuredRecords : countedRecords
    const load = { ...job, partitions: 1, records, recordSize: job.valueBytes }
    const result: LoadResult = job.kind === 'consume' ? await consumeLoad(load) : await produceLoad(load, arrayBytes)
    return {
      records,
      seconds: (records * job.valueBytes) / 1e6 / result.megabytesPerSecond,
      cpuSeconds: result.clientCpuSeconds,
      peakBytes: result.clientPeakBytes,
    }
  },
}

/** Ours, in the ways it can be used. The first that takes part in a load is the one compared. */
function millrace(variant: string, kinds: readonly LoadKind[], isInstalled: boolean): BenchClient {
  let packages: string | null = null
  return {
    name: `millrace (${variant})`,
    key: 'millrace',
    variant,
    takesPart: ({ kind }) => kinds.includes(kind),
    prepare: async () => {
      if (isInstalled) packages = await installedProduct()
    },
    run: (job) => runProgram('millrace', { ...job, variant }, packages),
  }
}

/** Ours as it is published and installed, or from the sources. */
export const clients = (isInstalled: boolean): readonly BenchClient[] => [
  millrace('batchSize 256 KiB', ['arrays'], isInstalled),
  millrace('defaults', ['arrays', 'concurrent'], isInstalled),
  millrace('lingerMs 0', ['singles', 'concurrent'], isInstalled),
  millrace('run', ['consume'], isInstalled),
  millrace('batches', ['consume'], isInstalled),
  millrace('for await', ['consume'], isInstalled),
  foreign('kafkajs', 'kafkajs'),
  foreign('@platformatic/kafka', 'platformatic'),
  librdkafka,
]
