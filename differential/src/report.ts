/** Prints where the brokers differ, with what was said before. */
import type { Difference } from './answers.ts'
import { deliberate } from './deliberate.ts'
import type { Exchange } from './duet.ts'
import { show } from './show.ts'
import type { RecordDifference } from './written-records.ts'

export interface Verdict {
  readonly lines: readonly string[]
  readonly differences: number
  /** The brokers are in states of their own from here on, and may be. */
  readonly diverges: boolean
}

export function judge(
  exchanges: readonly Exchange[],
  records: readonly RecordDifference[],
  deliberates: Map<string, number>,
): Verdict {
  const lines: string[] = []
  let differences = 0
  let diverges = false
  const isReal = (message: string, difference: Difference, exchange: Exchange | null) => {
    const allowed = deliberate(message, difference, exchange, exchanges)
    if (allowed?.diverges === true) diverges = true
    if (allowed !== null) deliberates.set(allowed.reason, (deliberates.get(allowed.reason) ?? 0) + 1)
    return allowed === null
  }
  exchanges.forEach((exchange, index) => {
    const real = exchange.differences.filter((difference) => isReal(exchange.api, difference, exchange))
    if (real.length === 0 || diverges) return
    differences += real.length
    lines.push(`  step ${index}: ${title(exchange)}`, `    ${show(exchange.request)}`, ...real.map(tell))
  })
  const real = (diverges ? [] : records).filter((difference) =>
    isReal(/\((.*)\)/.exec(difference.where)![1]!, difference, null),
  )
  differences += real.length
  for (const difference of real) lines.push(`  ${difference.where}`, tell(difference))
  return { lines, differences, diverges }
}

export function title({ api, version, client }: Exchange): string {
  return `${client}: ${api} v${version}`
}

export function transcript(exchanges: readonly Exchange[]): string[] {
  return exchanges.flatMap((exchange, index) => [
    `    ${index} ${title(exchange)} ${show(exchange.request)}`,
    `      → ${exchange.answer === null ? 'waits' : show(exchange.answer)}`,
  ])
}

function tell({ path, kafka, ours }: Difference): string {
  return `    ${path}: Kafka ${show(kafka)}, ours ${show(ours)}`
}
