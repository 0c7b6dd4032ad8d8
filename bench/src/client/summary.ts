// From reports to the tables in bench/RESULTS.md.
import { median } from '../broker/summary.ts'
import type { Report } from './job.ts'
import type { Load } from './loads.ts'

/** The reports of one client for one load, round by round. */
export interface Result {
  readonly load: Load
  /** Key in `Load.wanted`; 'millrace': ours. */
  readonly key: string
  readonly name: string
  readonly reports: readonly Report[]
}

export interface Medians {
  /** CPU-seconds per million records. */
  readonly cpu: number
  readonly recordsPerSecond: number
  readonly peakBytes: number
}

export function mediansOf(reports: readonly Report[]): Medians {
  const of = (figure: (report: Report) => number) => median(reports.map(figure))
  return {
    cpu: of(({ cpuSeconds, records }) => (cpuSeconds / records) * 1e6),
    recordsPerSecond: of(({ records, seconds }) => records / seconds),
    peakBytes: of(({ peakBytes }) => peakBytes),
  }
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))

function rateOf(recordsPerSecond: number): string {
  return recordsPerSecond >= 1e6 ? `${digits(recordsPerSecond / 1e6)} M` : `${digits(recordsPerSecond / 1e3)} k`
}

function row({ load, name, reports }: Result): string {
  const { cpu, recordsPerSecond, peakBytes } = mediansOf(reports)
  return `| ${load.title} | ${name} | ${digits(cpu)} | ${rateOf(recordsPerSecond)} | ${(peakBytes / 1e6).toFixed(0)} |`
}

/** How others compare with the first result of ours for the same load. */
function comparison(results: readonly Result[], { load, key, name, reports }: Result): string[] {
  const ours = results.find((result) => result.load === load && result.key === 'millrace')
  if (ours === undefined || key === 'millrace') return []
  const [own, other] = [mediansOf(ours.reports), mediansOf(reports)]
  const ratio = other.cpu / own.cpu
  const wanted = load.wanted[key]
  const reached = wanted === undefined ? '' : ratio >= wanted ? 'yes' : '**no**'
  const memory = other.peakBytes / own.peakBytes
  return [
    `| ${load.title} | ${name} | ${digits(ratio)} | ${wanted === undefined ? '' : digits(wanted)} | ${reached} | ${digits(memory)} |`,
  ]
}

const sectionHeading = '## Clients'
const notesHeading = '### Notes on the clients'

export function tables(results: readonly Result[], rounds: number): string {
  return [
    sectionHeading,
    '',
    'Written by `npm run bench -- client`: each client a process of its own, in turn, against the same Apache Kafka 4.3.1 on a machine with 2 cores; one',
    `topic with one partition, acks=all, medians of ${rounds} interleaved rounds. CPU is user and system time of the client’s process, all threads, after warming`,
    'up, in seconds per million records; memory is the largest resident memory.',
    '',
    '| load | client | CPU-s per million | records/s | MB |',
    '|---|---|---|---|---|',
    ...results.map(row),
    '',
    'CPU per record and memory of others in multiples of ours, ours used as in the first row of its load; memory is to be no higher than theirs.',
    '',
    '| load | client | CPU | at least | reached | memory |',
    '|---|---|---|---|---|---|',
    ...results.flatMap((result) => comparison(results, result)),
    '',
  ].join('\n')
}

/** RESULTS.md with the tables replaced; all else, with the notes on them, stays. */
export function resultsText(previous: string, tablesText: string): string {
  const start = previous.indexOf(sectionHeading)
  const notes = previous.indexOf(notesHeading)
  const before = start < 0 ? previous.trimEnd() : previous.slice(0, start).trimEnd()
  const after = notes < 0 ? `${notesHeading}\n` : previous.slice(notes)
  return `${before}\n\n${tablesText}\n${after.trimEnd()}\n`
}
