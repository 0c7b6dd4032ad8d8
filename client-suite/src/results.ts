// What each check came to on each broker: printed as it ends, and written as a table.

export type Verdict = 'pass' | 'FAIL' | 'not supported'

export interface Result {
  readonly section: string
  readonly what: string
  readonly broker: string
  readonly verdict: Verdict
  readonly note: string
}

const noteLimit = 400
const marks: Record<Verdict, string> = { pass: 'pass', FAIL: '**FAIL**', 'not supported': '–' }

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim().slice(0, noteLimit)

export class Results {
  readonly #results: Result[] = []
  readonly #print: (line: string) => void

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  add(result: Result, seconds: number): void {
    const note = oneLine(result.note)
    this.#results.push({ ...result, note })
    const { verdict, broker, section, what } = result
    const verdictText = verdict === 'pass' ? 'pass' : verdict === 'FAIL' ? 'FAIL' : 'none'
    const time = verdict === 'not supported' ? '' : ` (${seconds.toFixed(1)} s)`
    this.#print(`${verdictText}  ${broker}: ${section}: ${what}${time}${note === '' ? '' : `: ${note}`}`)
  }

  count(verdict: Verdict, broker?: string): number {
    return this.#results.filter((result) => result.verdict === verdict && (broker ?? result.broker) === result.broker)
      .length
  }

  /** The results as Markdown, by section, in the order of `order`, a column for each broker. */
  markdown(brokers: readonly string[], order: readonly { readonly section: string; readonly what: string }[]): string {
    const found = new Map(this.#results.map((result) => [key(result), result]))
    const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
    const lines = [
      '# Our client against brokers',
      '',
      'Written by `npm run client-suite`. What each check does: README.md.',
      '',
      row(['broker', 'passed', 'failed', 'not supported']),
      row(['---', '---', '---', '---']),
      ...brokers.map((broker) =>
        row([
          broker,
          String(this.count('pass', broker)),
          String(this.count('FAIL', broker)),
          String(this.count('not supported', broker)),
        ]),
      ),
      '',
    ]
    for (const section of new Set(order.map((check) => check.section))) {
      lines.push(`## ${section}`, '', row(['check', ...brokers]), row(['---', ...brokers.map(() => '---')]))
      for (const { what } of order.filter((check) => check.section === section))
        lines.push(
          row([what, ...brokers.map((broker) => marks[found.get(key({ section, what, broker }))?.verdict ?? 'FAIL'])]),
        )
      lines.push('')
    }
    const notes = this.#results.filter(({ verdict }) => verdict !== 'pass')
    if (notes.length > 0) {
      lines.push(
        '## What did not pass, and why',
        '',
        row(['broker', 'check', 'result', 'why']),
        row(['---', '---', '---', '---']),
      )
      const rank = (result: Result) =>
        brokers.indexOf(result.broker) * order.length +
        order.findIndex(({ section, what }) => section === result.section && what === result.what)
      for (const { broker, section, what, verdict, note } of notes.toSorted((a, b) => rank(a) - rank(b)))
        lines.push(row([broker, `${section}: ${what}`, verdict, note]))
      lines.push('')
    }
    return lines.join('\n')
  }
}

function key({ section, what, broker }: Pick<Result, 'section' | 'what' | 'broker'>): string {
  return `${broker}\n${section}\n${what}`
}
