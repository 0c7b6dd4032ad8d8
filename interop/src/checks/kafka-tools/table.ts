/**
 * The rows of a table with a line of headings, the first of which is `firstHeading`. Columns are parted by blanks or tabs; what is in
 * parentheses belongs to the word before: `COORDINATOR (ID)`, `127.0.0.1:9092 (1)`.
 */
export function parseTable(output: string, firstHeading: string): Readonly<Record<string, string>>[] {
  const lines = output.split('\n').map((line) => line.trim().replaceAll(/\s+(\((?:ID|\d+)\))/g, '$1'))
  const cells = (line: string) => line.split(/\s+/)
  const start = lines.findIndex((line) => line.startsWith(`${firstHeading} `) || line.startsWith(`${firstHeading}\t`))
  if (start < 0) return []
  const headings = cells(lines[start]!)
  const rows = lines.slice(start + 1)
  const end = rows.indexOf('')
  return (end < 0 ? rows : rows.slice(0, end)).map((line) => {
    const row = cells(line)
    return Object.fromEntries(headings.map((heading, i) => [heading, row[i] ?? '']))
  })
}
