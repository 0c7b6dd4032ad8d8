// The rows of interop/RESULTS.md: collected while checks run, printed as they end.

export interface Row {
  readonly client: string
  readonly version: string
  readonly what: string
  readonly passed: boolean
  readonly note: string
}

const noteLimit = 400

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim()

export class Report {
  readonly #entries: (Row | Report)[] = []
  readonly #print: (line: string) => void

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  /** A report whose rows stand here, in this one's order, though others are added meanwhile: for checks that run side by side. */
  part(): Report {
    const part = new Report(this.#print)
    this.#entries.push(part)
    return part
  }

  get rows(): Row[] {
    return this.#entries.flatMap((entry) => (entry instanceof Report ? entry.rows : [entry]))
  }

  /** Runs one check and records it. The check returns a note, or throws what was wrong. Returns whether it passed. */
  async check(
    client: { readonly name: string; readonly version: string },
    what: string,
    check: () => Promise<string | void>,
  ) {
    const startedMs = performance.now()
    let passed = true
    let note = ''
    try {
      note = (await check()) ?? ''
    } catch (error) {
      passed = false
      note = error instanceof Error ? error.message : String(error)
    }
    note = oneLine(note).slice(0, noteLimit)
    const row = { client: client.name, version: client.version, what, passed, note }
    this.#entries.push(row)
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    this.#print(`${passed ? 'pass' : 'FAIL'}  ${client.name}: ${what} (${seconds} s)${note === '' ? '' : `: ${note}`}`)
    return passed
  }

  get passed(): number {
    return this.rows.filter((row) => row.passed).length
  }

  get failed(): number {
    return this.rows.length - this.passed
  }

  /** The rows as Markdown, grouped by client in the order they ran. */
  markdown(broker: string): string {
    const clients = [...new Set(this.rows.map((row) => row.client))]
    const sections = clients.map((client) => {
      const rows = this.rows.filter((row) => row.client === client)
      const table = rows.map(({ what, passed, note }) => `| ${what} | ${passed ? 'pass' : '**FAIL**'} | ${note} |`)
      return [`## ${client} ${rows[0]!.version}`, '', '| what | result | note |', '|---|---|---|', ...table, ''].join(
        '\n',
      )
    })
    const summary = clients.map((client) => {
      const rows = this.rows.filter((row) => row.client === client)
      const failed = rows.filter((row) => !row.passed).length
      return `| ${client} | ${rows[0]!.version} | ${rows.length - failed} | ${failed} |`
    })
    return [
      '# Foreign clients against the broker',
      '',
      `Written by \`npm run interop\`; broker: ${broker}. What each check does: README.md.`,
      '',
      '| client | version | passed | failed |',
      '|---|---|---|---|',
      ...summary,
      `| **all** | | **${this.passed}** | **${this.failed}** |`,
      '',
      ...sections,
    ].join('\n')
  }
}
