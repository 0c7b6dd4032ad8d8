/**
 * What compaction costs: the log cleaner beside Apache Kafka's over copies of the same logs, `npm run bench -- compaction`.
 *
 * Each cleaner gets the same log three times, one after another in one process; the first warms up, the better of the others counts. CPU is that
 * of the whole process, all threads, while it cleans. Kafka's is its Cleaner class without a broker around it, with the buffers of its defaults.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkaDistribution, runToSuccess } from '@millrace/interop/brokers'
import { nodeRuntime, silentLogger, type LogFields, type Logger } from '@millrace/runtime'
import { defaultCleanerConfig, defaultLogConfig, LogManager } from '@millrace/storage'
import { makeLog } from './compaction/make-log.ts'

interface Cleaning {
  readonly cpuSeconds: number
  readonly seconds: number
}

const segmentBytes = 32 * 1024 * 1024
const logBytes = 5 * segmentBytes
const copies = 3
/** All but the last, which is active. */
const cleanedMegabytes = (logBytes - segmentBytes) / 1e6

const logs = [
  { name: '1 KiB, keys 5 times each', recordBytes: 1024, recordsPerBatch: 100, keys: 25_000, compression: 0 },
  { name: '100 B, keys 5 times each', recordBytes: 100, recordsPerBatch: 500, keys: 250_000, compression: 0 },
  { name: '1 KiB, every key once', recordBytes: 1024, recordsPerBatch: 100, keys: 2 ** 31, compression: 0 },
  { name: '1 KiB, keys 5 times each, lz4', recordBytes: 1024, recordsPerBatch: 100, keys: 50_000, compression: 3 },
  { name: '1 KiB, keys 5 times each, zstd', recordBytes: 1024, recordsPerBatch: 100, keys: 50_000, compression: 4 },
]

/** The cleaner of a LogManager, as in a broker. */
async function cleanHere(directory: string): Promise<Cleaning[]> {
  const done: Cleaning[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  let before = process.cpuUsage()
  const logger: Logger = {
    ...silentLogger,
    info: (message: string, fields: LogFields = {}) => {
      if (message !== 'cleaned a log') return
      const { user, system } = process.cpuUsage(before)
      before = process.cpuUsage()
      done.push({ cpuSeconds: (user + system) / 1e6, seconds: Number(fields['durationMs']) / 1000 })
      if (done.length === copies) resolve()
    },
    child: () => logger,
  }
  const { disk, clock, random } = nodeRuntime()
  const manager = await LogManager.open({
    disk,
    clock,
    random,
    logger,
    directories: [directory],
    nodeId: 1,
    clusterId: 'bench',
    configFor: () => ({ ...defaultLogConfig, segmentBytes, cleanupPolicies: { compact: true, delete: false } }),
    cleaner: () => ({ ...defaultCleanerConfig, backoffMs: 50 }),
  })
  for (let copy = 0; copy < copies; copy++) {
    const log = manager.get('compacted', copy)!
    log.setHighWatermark(log.writtenEndOffset)
  }
  before = process.cpuUsage()
  // Nothing else keeps the process alive while the cleaner rests.
  const alive = setInterval(() => {}, 1000)
  await promise
  clearInterval(alive)
  await manager.close()
  return done
}

async function cleanInKafka(directory: string): Promise<Cleaning[]> {
  const { classPath, toolFlags } = await kafkaDistribution()
  const output = await runToSuccess(
    'java',
    [
      ...toolFlags,
      '-cp',
      classPath,
      join(import.meta.dirname, 'compaction', 'CleanLog.java'),
      `cleanup.policy=compact,segment.bytes=${segmentBytes}`,
      String(Date.now()),
      ...Array.from({ length: copies }, (_, copy) => join(directory, `compacted-${copy}`)),
    ],
    { timeoutMs: 300_000 },
  )
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const [cpuSeconds, seconds] = line.split(' ').map(Number)
      return { cpuSeconds: cpuSeconds!, seconds: seconds! }
    })
}

function best(cleanings: readonly Cleaning[]): number {
  return cleanedMegabytes / Math.min(...cleanings.slice(1).map(({ cpuSeconds }) => cpuSeconds))
}

console.log(`compaction of ${cleanedMegabytes.toFixed(0)} MB, MB per CPU-second (first run, then warm)`)
for (const { name, ...shape } of logs) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-compaction-'))
  try {
    await makeLog({ directory: join(folder, 'made'), bytes: logBytes, segmentBytes, ...shape })
    for (const side of ['here', 'kafka'])
      for (let copy = 0; copy < copies; copy++)
        cpSync(join(folder, 'made'), join(folder, side, `compacted-${copy}`), { recursive: true })
    const here = await cleanHere(join(folder, 'here'))
    const kafka = await cleanInKafka(join(folder, 'kafka'))
    const first = (cleanings: readonly Cleaning[]) => (cleanedMegabytes / cleanings[0]!.cpuSeconds).toFixed(0)
    console.log(
      `${name.padEnd(32)} Millrace ${first(here)}, ${best(here).toFixed(0)}  Apache Kafka ${first(kafka)}, ${best(kafka).toFixed(0)}  ratio ${(best(here) / best(kafka)).toFixed(2)}`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}
