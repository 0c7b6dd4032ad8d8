// The clients, each a process of its own for every run.
import { join } from 'node:path'
import { javascriptPackages } from '@millrace/interop/javascript-packages'
import { runToSuccess } from '@millrace/interop/brokers'
import { consumeLoad, produceLoad, rdkafkaPerformance, type LoadResult } from '../broker/rdkafka-performance.ts'
import { arrayBytes, type Job, type Report } from './job.ts'
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

async function runProgram(program: string, job: Job, nodeOptions: readonly string[] = []): Promise<Report> {
  const file = join(import.meta.dirname, 'programs', `${program}.ts`)
  const args = ['--no-warnings', ...nodeOptions, file, JSON.stringify(job)]
  const env = { FOREIGN_PACKAGES: await javascriptPackages() }
  const output = await runToSuccess(process.execPath, args, { env, timeoutMs: programTimeoutMs })
  return JSON.parse(output.trim().split('\n').at(-1)!) as Report
}

const foreign = (name: string, key: string): BenchClient => ({
  name,
  key,
  variant: '',
  takesPart: () => true,
  prepare: javascriptPackages,
  run: (job) => runProgram(key, job),
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

export const clients: readonly BenchClient[] = [
  foreign('kafkajs', 'kafkajs'),
  foreign('@platformatic/kafka', 'platformatic'),
  librdkafka,
]
