/**
 * Java's `.properties` text, as `server.properties` is written in: `#` and `!` comments, `=`, `:` or white space between key and value,
 * a backslash at the end of a line to go on in the next, `\n \t \r \f \uXXXX` escapes. A key given twice has its last value.
 * Unlike Java we read UTF-8.
 */

export interface Property {
  readonly value: string
  /** Where it was given, for messages: `server.properties line 12`. */
  readonly source: string
}

export type Properties = ReadonlyMap<string, Property>

/** @throws Error for a `\u` that is not followed by four hexadecimal digits, naming the line. */
export function parseProperties(text: string, fileName: string): Map<string, Property> {
  const properties = new Map<string, Property>()
  for (const { line, number } of logicalLines(text)) {
    const source = `${fileName} line ${number}`
    const keyEnd = endOfKey(line)
    const value = line.slice(keyEnd).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '')
    properties.set(unescape(line.slice(0, keyEnd), source), { value: unescape(value, source), source })
  }
  return properties
}

/** `name=value` as given on a command line. @throws Error when there is no `=` or no name. */
export function parseOverride(text: string): [name: string, property: Property] {
  const at = text.indexOf('=')
  if (at <= 0) throw new Error(`--override ${text}: expected name=value`)
  return [text.slice(0, at).trim(), { value: text.slice(at + 1), source: '--override' }]
}

/** A setting given in code; null and undefined leave the default. */
export type PropertyInput = string | number | bigint | boolean | readonly string[] | null | undefined

/** Settings given in code, by name. */
export function propertiesOf(values: Readonly<Record<string, PropertyInput>>, source: string): Map<string, Property> {
  const properties = new Map<string, Property>()
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined) continue
    const text = typeof value === 'object' ? value.join(',') : String(value)
    properties.set(name, { value: text, source })
  }
  return properties
}

/** Lines that hold a property, with their continuations joined; `number` is that of the first, from 1. */
function* logicalLines(text: string): Generator<{ line: string; number: number }> {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  for (let i = 0; i < lines.length; i++) {
    const number = i + 1
    let line = lines[i]!.replace(/^[ \t\f]+/, '')
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (isContinued(line)) {
      line = line.slice(0, -1)
      if (i + 1 === lines.length) break
      line += lines[++i]!.replace(/^[ \t\f]+/, '')
    }
    if (line !== '') yield { line, number }
  }
}

/** True when the line ends in an odd number of backslashes. */
function isContinued(line: string): boolean {
  let at = line.length
  while (at > 0 && line[at - 1] === '\\') at--
  return (line.length - at) % 2 === 1
}

function endOfKey(line: string): number {
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\') i++
    else if (/[=: \t\f]/.test(line[i]!)) return i
  }
  return line.length
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' }

function unescape(text: string, source: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(u([0-9a-fA-F]{4})|[^])/g, (_, escaped: string, hexadecimal: string | undefined) => {
    if (hexadecimal !== undefined) return String.fromCharCode(Number.parseInt(hexadecimal, 16))
    if (escaped === 'u') throw new Error(`${source}: \\u must be followed by four hexadecimal digits`)
    return escapes[escaped] ?? escaped
  })
}
