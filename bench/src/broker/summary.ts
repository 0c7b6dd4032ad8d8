// From samples to the table of ratios in bench/RESULTS.md.
import type { Figure, Measure, Sample } from './measure.ts'

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export interface Comparison {
  readonly figure: Figure
  readonly ours: number
  readonly kafkas: number
  readonly ratio: number
}

/** Medians of both sides' samples, figure by figure. */
export function compare(measure: Measure, ours: readonly Sample[], kafkas: readonly Sample[]): Comparison[] {
  return measure.figures.map((figure) => {
    const of = (samples: readonly Sample[]) => median(samples.map((sample) => sample[figure.key]!))
    return { figure, ours: of(ours), kafkas: of(kafkas), ratio: of(ours) / of(kafkas) }
  })
}

/** One row: title, ratio, target, reached, CPU figures. */
export function row({ figure, ours, kafkas, ratio }: Comparison): string {
  const target = figure.target === null ? '' : figure.target.toFixed(2)
  const reached = figure.target === null ? '' : ratio <= figure.target ? 'yes' : '**no**'
  const absolute = figure.unit === undefined ? '' : `${ours.toFixed(2)} / ${kafkas.toFixed(2)} ${figure.unit}`
  return `| ${figure.title} | ${ratio.toFixed(3)} | ${target} | ${reached} | ${absolute} |`
}

const notesHeading = '## Notes'
const tableHead = '| measure | ratio | at most | reached | Millrace / Kafka |'

/**
 * The new text of RESULTS.md: rows measured now replace those of the same title in the `previous` text, the others and
 * everything from "## Notes" on stay.
 */
export function resultsText(
  previous: string,
  rows: readonly string[],
  titles: readonly string[],
  rounds: number,
): string {
  const titleOf = (line: string) => line.split('|')[1]!.trim()
  const isRow = (line: string) => line.startsWith('| ') && titles.includes(titleOf(line))
  const byTitle = new Map([...previous.split('\n').filter(isRow), ...rows].map((line) => [titleOf(line), line]))
  const notesStart = previous.indexOf(notesHeading)
  const notes = notesStart < 0 ? `${notesHeading}\n` : previous.slice(notesStart)
  return [
    '# Millrace and Apache Kafka 4.3.1 side by side',
    '',
    'Written by `npm run bench`: both brokers in turn on one virtual machine with 2 cores, loopback, the same client, page cache warmed;',
    `ratio = Millrace / Apache Kafka, medians of ${rounds} interleaved rounds. Below 1 is less time, memory or CPU than Apache Kafka;`,
    'for throughput above 1 is more. 1 GB = 1e9 bytes of record values; CPU is user + system time of the broker’s process.',
    '',
    tableHead,
    '|---|---|---|---|---|',
    ...titles.flatMap((title) => byTitle.get(title) ?? []),
    '',
    notes.trimEnd(),
    '',
  ].join('\n')
}
