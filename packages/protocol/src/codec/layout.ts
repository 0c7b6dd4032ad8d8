/**
 * What the two compilers share: which fields are on the wire in which versions, as JavaScript conditions on `version`,
 * folded to 'true' or 'false' wherever the versions at hand leave no choice.
 */
import { NO_LIMIT } from '../schema/field.ts'
import type { AnyField, Kind, Shape } from '../schema/field.ts'

export interface Versions {
  readonly oldest: number
  readonly newest: number
}

const fixedSizes: Readonly<Partial<Record<Kind, number>>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
}

/** Bytes of a kind that always takes the same number; 0 for the others. */
export function fixedSize(kind: Kind): number {
  return fixedSizes[kind] ?? 0
}

/** The versions of `around` that lie within `inner`; empty when oldest > newest. */
export function narrow(around: Versions, inner: Versions): Versions {
  return { oldest: Math.max(around.oldest, inner.oldest), newest: Math.min(around.newest, inner.newest) }
}

/** The condition that `version`, known to lie within `around`, lies within `inner`. */
export function condition(around: Versions, inner: Versions): string {
  const { oldest, newest } = narrow(around, inner)
  if (oldest > newest) return 'false'
  const tests = []
  if (oldest > around.oldest) tests.push(`version >= ${oldest}`)
  if (newest < around.newest) tests.push(`version <= ${newest}`)
  return tests.length === 0 ? 'true' : tests.join(' && ')
}

export function from(oldest: number | null): Versions {
  return { oldest: oldest ?? NO_LIMIT + 1, newest: NO_LIMIT }
}

/** `test ? yes : no`, folded. */
export function choose(test: string, yes: string, no: string): string {
  if (test === 'true' || yes === no) return yes
  return test === 'false' ? no : `(${test} ? ${yes} : ${no})`
}

/** An if statement, folded. */
export function branch(test: string, yes: string, no = ''): string {
  if (test === 'true') return yes
  if (test === 'false') return no
  return no === '' ? `if (${test}) { ${yes} }` : `if (${test}) { ${yes} } else { ${no} }`
}

/** A sum of numbers and expressions, its constant part folded. */
export function sum(terms: readonly string[]): string {
  let constant = 0
  const rest: string[] = []
  for (const term of terms) {
    if (/^\d+$/.test(term)) constant += Number(term)
    else rest.push(term)
  }
  if (constant > 0 || rest.length === 0) rest.push(String(constant))
  return rest.join(' + ')
}

/** The tagged fields of a struct in ascending order of tags. @throws Error for a declaration that cannot be on the wire. */
export function taggedFields(shape: Shape, versions: Versions, flexible: number | null): [string, AnyField][] {
  const tagged = Object.entries(shape).filter(([, { tagNumber }]) => tagNumber !== null)
  for (const [name, field] of tagged) {
    if (flexible === null || narrow(versions, field).oldest < flexible)
      throw new Error(`${name} is tagged in a version that is not flexible`)
    if (field.kind === 'records') throw new Error(`${name}: records cannot be tagged`)
    if (tagged.some(([other, { tagNumber }]) => other !== name && tagNumber === field.tagNumber))
      throw new Error(`${name}: tag ${field.tagNumber} is taken`)
  }
  return tagged.toSorted(([, a], [, b]) => a.tagNumber! - b.tagNumber!)
}

/** Bytes before the content of a field of variable size: its length, its count or the mark of a nullable struct. */
export function prefixSize(field: AnyField, versions: Versions, flexible: number | null): string {
  if (field.kind === 'struct') return choose(condition(versions, from(field.nullableFrom)), '1', '0')
  const isFlexible = condition(versions, from(flexible))
  return choose(isFlexible, '1', field.kind === 'string' ? '2' : '4')
}

/** The fewest bytes that a value of the field can take, as an expression of `version`. */
export function minimumSize(field: AnyField, versions: Versions, flexible: number | null): string {
  const size = fixedSize(field.kind)
  if (size > 0) return String(size)
  if (field.kind === 'struct' && field.nullableFrom === null)
    return minimumStructSize(field.fields ?? {}, versions, flexible)
  return prefixSize(field, versions, flexible)
}

function minimumStructSize(shape: Shape, versions: Versions, flexible: number | null): string {
  const terms = [choose(condition(versions, from(flexible)), '1', '0')]
  for (const field of Object.values(shape)) {
    const present = condition(versions, field)
    if (field.tagNumber !== null || present === 'false') continue
    terms.push(choose(present, minimumSize(field, narrow(versions, field), flexible), '0'))
  }
  return sum(terms)
}

/** The default of a field as an expression. Each evaluation makes arrays and structs anew. */
export function defaultExpression(field: AnyField): string {
  if (field.defaultValue !== undefined) return literal(field.defaultValue)
  if (field.kind === 'array') return '[]'
  if (field.kind === 'bytes') return 'new Uint8Array(0)'
  return objectLiteral(Object.entries(field.fields ?? {}).map(([name, inner]) => [name, defaultExpression(inner)]))
}

export function literal(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(value)
}

export function objectLiteral(entries: readonly (readonly [name: string, expression: string])[]): string {
  return `{ ${entries.map(([name, expression]) => `${name}: ${expression}`).join(', ')} }`
}
