// kafka-get-offsets in all its forms, kafka-producer-perf-test that fills the topic, kafka-delete-records, kafka-log-dirs.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, refusedTool, tool } from './tool.ts'

const topic = 'tools-perf'
const recordCount = 20_000
const recordSize = 1000
const batchLimit = 16_384

export async function checkOffsets(context: Context): Promise<void> {
  const { broker, report } = context
  const server = ['--bootstrap-server', broker.bootstrap]
  const check = (what: string, run: () => Promise<string | void>) => report.check(kafkaTools, what, run)
  /** "topic:partition" → offset; a partition without such an offset is not printed. */
  const offsets = async (...args: string[]) => {
    const output = await tool('kafka-get-offsets', [...server, '--topic', topic, ...args])
    const lines = output.split('\n').map((line) => /^(.+:\d+):(\d+)$/.exec(line))
    return new Map(lines.flatMap((match) => (match === null ? [] : [[match[1]!, Number(match[2])] as const])))
  }
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0)

  const startMs = Date.now()
  await check('kafka-producer-perf-test', async () => {
    // Small segments, so that kafka-dump-log sees rolled ones with their indexes and producer snapshots.
    const options = ['--partitions', '3', '--config', 'segment.bytes=1048576']
    await tool('kafka-topics', [...server, '--create', '--topic', topic, ...options])
    const load = ['--num-records', String(recordCount), '--record-size', String(recordSize), '--throughput', '-1']
    const properties = ['acks=all', 'linger.ms=5', `batch.size=${batchLimit}`, 'compression.type=lz4']
    const output = await tool('kafka-producer-perf-test', [
      ...server,
      '--topic',
      topic,
      ...load,
      ...properties.flatMap((property) => ['--command-property', property]),
    ])
    const last = output.trim().split('\n').at(-1) ?? ''
    expectTrue(last.startsWith(`${recordCount} records sent`) && last.includes('99th'), `last line: ${last}`)
  })
  await check('kafka-get-offsets --time earliest, latest', async () => {
    const earliest = await offsets('--time', 'earliest')
    expectEqual([...earliest.values()], [0, 0, 0], 'earliest')
    const latest = await offsets('--time', 'latest')
    expectEqual(sum(latest.values()), recordCount, 'sum of the latest offsets')
    expectEqual([...(await offsets()).values()], [...latest.values()], 'without --time')
  })
  await check('kafka-get-offsets --time max-timestamp', async () => {
    const latest = await offsets('--time', '-1')
    for (const [partition, offset] of await offsets('--time', 'max-timestamp'))
      expectTrue(offset >= 0 && offset < latest.get(partition)!, `${partition}: ${offset} of ${latest.get(partition)}`)
  })
  await check('kafka-get-offsets --time earliest-local, latest-tiered, earliest-pending-upload', async () => {
    expectEqual([...(await offsets('--time', 'earliest-local')).values()], [0, 0, 0], 'earliest-local')
    // Without tiered storage there is nothing to say about these two.
    const tiered = await offsets('--time', 'latest-tiered')
    expectEqual(tiered.size, 0, 'latest-tiered offsets')
    const pending = await offsets('--time', 'earliest-pending-upload')
    expectEqual(pending.size, 0, 'earliest-pending-upload offsets')
  })
  await check('kafka-get-offsets --time TIMESTAMP', async () => {
    expectEqual([...(await offsets('--time', String(startMs - 1000))).values()], [0, 0, 0], 'before the first record')
    const later = await offsets('--time', String(Date.now() + 60_000))
    expectEqual(later.size, 0, 'offsets after the last record')
  })
  await check('kafka-get-offsets --topic-partitions, --partitions', async () => {
    const output = await tool('kafka-get-offsets', [
      '--bootstrap-server',
      broker.bootstrap,
      '--topic-partitions',
      `${topic}:0-1`,
    ])
    expectEqual(output.trim().split('\n').length, 1, `lines of ${output.trim()}`)
    expectEqual([...(await offsets('--partitions', '1,2')).keys()], [`${topic}:1`, `${topic}:2`], '--partitions 1,2')
  })
  await check('kafka-delete-records', async () => {
    const file = join(context.scratchDirectory, 'delete-records.json')
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 1, offset: 100 }] }))
    const output = await tool('kafka-delete-records', [
      '--bootstrap-server',
      broker.bootstrap,
      '--offset-json-file',
      file,
    ])
    expectTrue(output.includes(`partition: ${topic}-1\tlow_watermark: 100`), `output: ${output}`)
    expectEqual([...(await offsets('--time', 'earliest')).values()], [0, 100, 0], 'earliest')
  })
  await check('kafka-delete-records beyond the end', async () => {
    const file = join(context.scratchDirectory, 'delete-too-much.json')
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 10_000_000 }] }))
    const args = [...server, '--offset-json-file', file]
    return refusedTool('kafka-delete-records', args, /OffsetOutOfRangeException/)
  })
  await check('kafka-log-dirs --describe', async () => {
    const output = await tool('kafka-log-dirs', [
      '--bootstrap-server',
      broker.bootstrap,
      '--describe',
      '--topic-list',
      topic,
    ])
    const json = output.split('\n').find((line) => line.startsWith('{'))
    const { brokers } = JSON.parse(json ?? '{"brokers":[]}') as {
      brokers: {
        logDirs: {
          error: string | null
          logDir: string
          partitions: { partition: string; size: number; isFuture: boolean }[]
        }[]
      }[]
    }
    expectEqual(brokers.length, 1, 'brokers')
    const [directory] = brokers[0]!.logDirs
    expectEqual([directory!.error, directory!.logDir], [null, broker.dataDirectory], 'directory')
    const partitions = directory!.partitions.toSorted((a, b) => (a.partition < b.partition ? -1 : 1))
    expectEqual(
      partitions.map(({ partition, isFuture }) => [partition, isFuture]),
      [0, 1, 2].map((partition) => [`${topic}-${partition}`, false]),
      'partitions',
    )
    const size = sum(partitions.map((partition) => partition.size))
    expectTrue(size > recordCount * 10, `${size} bytes`)
    return `${size} bytes`
  })
}
