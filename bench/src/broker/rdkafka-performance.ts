// librdkafka's own load generator: built from the source inside the npm package node-rdkafka.
import { cpus } from 'node:os'
import { join } from 'node:path'
import { installOnce, run, runToSuccess } from '@millrace/interop/brokers'
import { endedChildrenCpuSeconds, PeakMemory } from './process-usage.ts'

const packageVersion = '3.6.1'

/** Builds it once; returns the program. */
export async function rdkafkaPerformance(): Promise<string> {
  const directory = await installOnce('bench/rdkafka', [packageVersion], async (target) => {
    const build = { cwd: join(target, 'package', 'deps', 'librdkafka'), timeoutMs: 580_000 }
    await runToSuccess('npm', ['pack', '--silent', `node-rdkafka@${packageVersion}`], {
      cwd: target,
      timeoutMs: 120_000,
    })
    await runToSuccess('tar', ['xzf', `node-rdkafka-${packageVersion}.tgz`], { cwd: target })
    await runToSuccess('./configure', ['--disable-ssl', '--disable-gssapi', '--disable-curl', '--no-download'], build)
    await runToSuccess('make', [`-j${cpus().length}`, '-C', 'src', 'librdkafka.a'], build)
    await runToSuccess('make', ['-C', 'examples', 'rdkafka_performance'], build)
  })
  return join(directory, 'package', 'deps', 'librdkafka', 'examples', 'rdkafka_performance')
}

export interface Load {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly recordSize: number
}

export interface LoadResult {
  /** The client's own clock, from its first record to its last. */
  readonly megabytesPerSecond: number
  readonly clientCpuSeconds: number
  readonly clientPeakBytes: number
}

async function runLoad(args: readonly string[], load: Load): Promise<LoadResult> {
  const program = await rdkafkaPerformance()
  const before = endedChildrenCpuSeconds()
  using memory = new PeakMemory()
  const { code, stdout, stderr } = await run(program, [...args, '-b', load.bootstrap, '-t', load.topic], {
    timeoutMs: 580_000,
    onStart: (pid) => memory.watch(pid),
  })
  const clientCpuSeconds = endedChildrenCpuSeconds() - before
  const output = stdout.toString() + stderr.toString()
  const last = [...output.matchAll(/(\d+) messages .*?([\d.]+) MB\/s/gi)].at(-1)
  if (code !== 0 || last === undefined) throw new Error(`rdkafka_performance ended with ${code}: ${output.slice(-500)}`)
  const [, count, rate] = last
  if (Number(count) < load.records)
    throw new Error(`rdkafka_performance: ${count} of ${load.records} records: ${output.slice(-500)}`)
  return { megabytesPerSecond: Number(rate), clientCpuSeconds, clientPeakBytes: memory.bytes }
}

/** acks=1, linger 5 ms, over all partitions of the topic. */
export function produceLoad(load: Load, batchBytes = 1_000_000): Promise<LoadResult> {
  const settings = [
    `batch.size=${batchBytes}`,
    'batch.num.messages=100000',
    'linger.ms=5',
    'queue.buffering.max.messages=1000000',
  ]
  const size = ['-s', String(load.recordSize), '-c', String(load.records), '-a', '1']
  return runLoad(['-P', ...size, ...settings.flatMap((setting) => ['-X', setting])], load)
}

/** All partitions from their beginning. */
export function consumeLoad(load: Load): Promise<LoadResult> {
  const partitions = Array.from({ length: load.partitions }, (_, partition) => ['-p', String(partition)]).flat()
  return runLoad(['-C', '-o', 'beginning', '-c', String(load.records), ...partitions], load)
}
