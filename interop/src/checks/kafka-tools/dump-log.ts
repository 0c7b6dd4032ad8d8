// kafka-dump-log must read every file of the data directory without complaint, and say what was written.
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { tail } from '../../command.ts'
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, runTool } from './tool.ts'

const kinds = ['log', 'index', 'timeindex', 'snapshot', 'txnindex'] as const
type Kind = (typeof kinds)[number]

/** Files of partitions that are in use. Kafka's own metadata partition has a snapshot format that needs another option. */
function dataFiles(dataDirectory: string, kind: Kind): string[] {
  return globSync(`*-*/*.${kind}`, { cwd: dataDirectory })
    .map((name) => join(dataDirectory, name))
    .filter((name) => /-\d+$/.test(dirname(name)) && !basename(dirname(name)).startsWith('__cluster_metadata'))
    .toSorted()
}

/** Dumps the files. The tool ends with 0 whatever it finds; what it finds wrong it says on standard error. */
async function dump(files: readonly string[], ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool('kafka-dump-log', ['--files', files.join(','), ...args], {
    timeoutMs: 180_000,
  })
  const output = stdout.toString()
  const complaints = withoutSegmentStarts(stderr.toString())
  const dumped = output.split('\n').filter((line) => line.startsWith('Dumping '))
  expectTrue(code === 0 && complaints === '', `exit code ${code} after ${dumped.at(-1)}: ${tail(complaints)}`)
  expectEqual(dumped.length, files.length, 'files dumped')
  const wrong = output.split('\n').find((line) => /isvalid: false|invalid bytes at the end/.test(line))
  expectTrue(wrong === undefined, `${wrong}`)
  return output
}

/**
 * With --deep-iteration the tool expects every segment to start with offset 0, and says of all others that -1 is followed by
 * their first offset. Those lines, and headings left without lines, say nothing.
 */
function withoutSegmentStarts(complaints: string): string {
  const lines = complaints.split('\n').filter((line) => line !== '' && !/^ {2}-1 is followed by \d+$/.test(line))
  const isHeading = (line: string | undefined) => line?.startsWith('Non-consecutive offsets in ') ?? true
  return lines.filter((line, i) => !(isHeading(line) && isHeading(lines[i + 1]))).join('\n')
}

/** A checkpoint file: version 0, a count, and that many lines. @throws Error otherwise. */
function expectCheckpoint(file: string): void {
  const rows = readFileSync(file, 'utf8').split('\n')
  expectTrue(rows.at(-1) === '', `${file} does not end with a line end`)
  expectEqual(rows[0], '0', `${file}: version`)
  expectEqual(rows.length - 3, Number(rows[1]), `${file}: lines`)
}

async function checkRecords(context: Context): Promise<string> {
  const files = dataFiles(context.broker.dataDirectory, 'log')
  const output = await dump(files, '--deep-iteration', '--print-data-log')
  const records = output.split('\n').filter((line) => line.startsWith('| offset:')).length
  const written = context.written.reduce((sum, { expected }) => sum + expected.records.length, 0)
  expectTrue(records >= written, `${records} records, but ${written} were written`)
  return `${files.length} files, ${records} records`
}

/**
 * Every batch must be stored as its client sent it. Clients such as librdkafka leave the codec off, batch by batch, where it makes
 * a small batch larger.
 */
async function checkCodecs(context: Context): Promise<string> {
  const logOf = ({ topic, partition }: { topic: string; partition: number }) =>
    join(context.broker.dataDirectory, `${topic}-${partition}`, `${'0'.repeat(20)}.log`)
  const output = await dump(context.written.map(logOf))
  const sections = output.split(/^Dumping /m).slice(1)
  const wrong: string[] = []
  for (const written of context.written) {
    const section = sections.find((text) => text.startsWith(logOf(written))) ?? ''
    const found = new Set([...section.matchAll(/compresscodec: (\w+)/g)].map((match) => match[1]!.toLowerCase()))
    const others = [...found].filter((codec) => codec !== written.codec && codec !== 'none')
    if (!found.has(written.codec) || others.length > 0) wrong.push(`${written.topic}: ${[...found].join(', ')}`)
  }
  expectTrue(wrong.length === 0, `other codecs than the client was told: ${wrong.join('; ')}`)
  return `${context.written.length} partitions`
}

function checkCheckpoints(dataDirectory: string): string {
  const epochs = globSync('*-*/leader-epoch-checkpoint', { cwd: dataDirectory })
  const names = ['recovery-point-offset-checkpoint', 'log-start-offset-checkpoint', 'replication-offset-checkpoint']
  const present = names.filter((name) => globSync(name, { cwd: dataDirectory }).length === 1)
  for (const name of [...epochs, ...present]) expectCheckpoint(join(dataDirectory, name))
  return `${epochs.length} leader-epoch-checkpoint, ${present.join(', ')}`
}

export interface DumpOptions {
  readonly when: 'while running' | 'after a stop'
  /** Whether index files are in a state that the tool can read. */
  readonly indexes: boolean
}

export async function checkDumpLog(context: Context, { when, indexes }: DumpOptions): Promise<void> {
  const { broker, report } = context
  const check = (what: string, run: () => Promise<string | void>) =>
    report.check(kafkaTools, `kafka-dump-log ${when}: ${what}`, run)

  await check('.log, every record', () => checkRecords(context))
  if (context.written.length > 0) await check('codecs of all batches', () => checkCodecs(context))
  for (const kind of ['index', 'timeindex', 'snapshot', 'txnindex'] as const) {
    const files = dataFiles(broker.dataDirectory, kind)
    const isIndex = kind === 'index' || kind === 'timeindex'
    if (files.length === 0 || (isIndex && !indexes)) continue
    await check(`.${kind}`, async () => {
      await dump(files)
      if (isIndex) await dump(files, '--index-sanity-check')
      return `${files.length} files`
    })
  }
  await check('checkpoints (text, read here)', async () => checkCheckpoints(broker.dataDirectory))
}
