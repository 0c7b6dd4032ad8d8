// Our broker and Apache Kafka in turn: `npm run bench -- [measures] [options]`.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitOnSignals, repositoryRoot, type BrokerKind, writeMarkdown } from '@millrace/interop/brokers'
import { withEnvironment } from './environment.ts'
import type { Measure, Sample, Sizes } from './measure.ts'
import { contests, reference, type Contest } from './measures/index.ts'
import { compare, resultsText, row } from './summary.ts'

export interface BrokerBenchOptions {
  readonly names: readonly string[]
  readonly rounds: number
  readonly sizes: Sizes
  /** Our broker for measures that do not ask for a form of their own; null measures Apache Kafka alone. */
  readonly subject: BrokerKind | null
  /** Whether bench/RESULTS.md is written. */
  readonly write: boolean
}

/** `groups` names `groups/classic`, `groups/commit` and so on. */
const answersTo = ({ name }: Measure, asked: string) => name === asked || name.startsWith(`${asked}/`)

const show = (sample: Sample) =>
  Object.entries(sample)
    .map(([key, value]) => `${key} ${Number(value.toPrecision(4))}`)
    .join(', ')

async function sampleOf(measure: Measure, kind: BrokerKind, sizes: Sizes): Promise<Sample> {
  const sample = await withEnvironment(sizes, (environment) => measure.run(kind, environment))
  console.log(`  ${kind.name}: ${show(sample)}`)
  return sample
}

/** Rounds alternate who goes first, so that a drift of the machine hits both. */
async function hold({ measure, form }: Contest, options: BrokerBenchOptions): Promise<string[]> {
  const ours = options.subject === null ? null : (form ?? options.subject)
  const samples = new Map<BrokerKind, Sample[]>([
    [reference, []],
    ...(ours === null ? [] : [[ours, []] as [BrokerKind, Sample[]]]),
  ])
  for (const kind of samples.keys()) await kind.prepare()
  await measure.prepare?.()
  for (let round = 0; round < options.rounds; round++) {
    console.log(`${measure.name}, round ${round + 1} of ${options.rounds}`)
    const order = [...samples.keys()]
    if (round % 2 === 0) order.reverse()
    for (const kind of order) samples.get(kind)!.push(await sampleOf(measure, kind, options.sizes))
  }
  if (ours === null) return []
  const rows = compare(measure, samples.get(ours)!, samples.get(reference)!).map(row)
  for (const line of rows) console.log(line)
  return rows
}

export async function runBrokerBench(options: BrokerBenchOptions): Promise<void> {
  const unknown = options.names.filter((name) => !contests.some(({ measure }) => answersTo(measure, name)))
  if (unknown.length > 0)
    throw new Error(
      `no measure ${unknown.join(', ')}; there are ${contests.map(({ measure }) => measure.name).join(', ')}`,
    )
  const chosen = contests.filter(
    ({ measure }) => options.names.length === 0 || options.names.some((name) => answersTo(measure, name)),
  )
  exitOnSignals()
  const rows: string[] = []
  for (const contest of chosen) rows.push(...(await hold(contest, options)))
  if (!options.write || rows.length === 0) return
  const file = join(repositoryRoot, 'bench', 'RESULTS.md')
  const previous = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const titles = contests.flatMap(({ measure }) => measure.figures.map(({ title }) => title))
  await writeMarkdown(file, resultsText(previous, rows, titles, options.rounds))
  console.log('results in bench/RESULTS.md')
}
