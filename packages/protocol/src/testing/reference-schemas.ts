/**
 * Kafka's own message schemas, and declarations held against them: field by field and version by version. The schemas are kept
 * beside the repository, in ../shared/kafka-messages; where that folder is absent, tests that need them are skipped.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ZERO_UUID } from '../index.ts'
import type { AnyField, Message, Shape } from '../index.ts'

/** Ends in a slash. */
export const referenceSchemas: string = fileURLToPath(new URL('../../../../../shared/kafka-messages/', import.meta.url))
/** For the option `skip` of a test. */
export const skipWithoutSchemas: string | false = existsSync(referenceSchemas)
  ? false
  : 'no reference schemas beside the repository'

export interface JsonField {
  readonly name: string
  readonly type: string
  /** Those of the tag, where it is absent. */
  readonly versions?: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly tag?: number
  /** null is no default: Kafka's generator asks for the text 'null'. */
  readonly default?: string | number | boolean | null
  readonly ignorable?: boolean
  readonly fields?: readonly JsonField[]
}
export interface JsonMessage {
  readonly apiKey?: number
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly fields: readonly JsonField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly JsonField[] }[]
}

/** One field as it is in one version. Absent fields keep what matters of them: default, and whether they may be dropped. */
interface Cell {
  readonly type: string
  readonly default: string
  readonly nullable: boolean
  readonly tag: number | null
  readonly fields: Layout | null
}
interface Layout {
  /** On the wire, in its order. */
  readonly present: readonly (readonly [name: string, cell: Cell])[]
  /** Type, default and ignorable of the fields that the version lacks, in alphabetical order. */
  readonly absent: readonly string[]
}

/** null when there is no such schema. */
export function loadSchema(folder: string, name: string): JsonMessage | null {
  const file = `${referenceSchemas}${folder}/${name}.json`
  if (!existsSync(file)) return null
  return JSON.parse(readFileSync(file, 'utf8').replace(/^(.*?)\s*\/\/(?=\s|$).*$/gm, '$1')) as JsonMessage
}

function range(versions: string | undefined): readonly [number, number] {
  const match = /^(\d+)(\+|-(\d+))?$/.exec(versions ?? 'none')
  if (match === null) return [1, 0]
  const oldest = Number(match[1])
  return [oldest, match[2] === '+' ? Infinity : Number(match[3] ?? oldest)]
}

function includes(versions: string | undefined, version: number): boolean {
  const [oldest, newest] = range(versions)
  return version >= oldest && version <= newest
}

function versionsOf({ versions, taggedVersions }: JsonField): string | undefined {
  return versions ?? taggedVersions
}

function jsonDefault(type: string, given: JsonField['default']): string {
  const text = String(given ?? '')
  if (type === 'records' || text === 'null') return 'null'
  if (type === 'string') return `'${text}'`
  if (type === 'bool') return text === '' ? 'false' : text.toLowerCase()
  if (type === 'uuid') return ZERO_UUID
  if (/^(u?int\d+|float64)$/.test(type)) return String(BigInt(text))
  return 'empty'
}

/** `everKnown`: fields of the same struct in the other schema, of older or newer releases. */
function jsonLayout(
  { commonStructs = [] }: JsonMessage,
  fields: readonly JsonField[],
  everKnown: readonly JsonField[],
  version: number,
  [oldest, newest]: readonly [number, number],
): Layout {
  const structs = new Map(commonStructs.map(({ name, fields: inner }) => [name, inner]))
  const describe = (list: readonly JsonField[], known: readonly JsonField[]): Layout => {
    const present = list.filter((field) => includes(versionsOf(field), version))
    const cells = present.map((field): [string, Cell] => {
      const element = field.type.replace('[]', '')
      const inner = field.fields ?? structs.get(element)
      const twin = known.find(({ name }) => name === field.name)
      return [
        field.name.charAt(0).toLowerCase() + field.name.slice(1),
        {
          type: inner === undefined ? field.type : field.type.replace(element, 'struct'),
          default: jsonDefault(field.type, field.default),
          nullable: includes(field.nullableVersions, version),
          tag: includes(field.taggedVersions, version) ? field.tag! : null,
          fields: inner === undefined ? null : describe(inner, twin?.fields ?? []),
        },
      ]
    })
    const absent = new Map<string, string>()
    for (const field of [...known, ...list]) {
      const [first, last] = range(versionsOf(field))
      if (first > newest || last < oldest || present.some(({ name }) => name === field.name)) continue
      const name = field.name.charAt(0).toLowerCase() + field.name.slice(1)
      absent.set(name, `${name} = ${jsonDefault(field.type, field.default)}${field.ignorable ? ' ignorable' : ''}`)
    }
    return { present: inWireOrder(cells), absent: [...absent.values()].toSorted() }
  }
  return describe(fields, everKnown)
}

function declaredType(field: AnyField): string {
  return field.kind === 'array' ? `[]${field.element!.kind}` : field.kind
}

function declaredDefault({ kind, defaultValue }: AnyField): string {
  if (defaultValue === undefined) return 'empty'
  return kind === 'string' && defaultValue !== null ? `'${String(defaultValue)}'` : String(defaultValue)
}

function declaredLayout(shape: Shape, version: number): Layout {
  const isPresent = ([, { oldest, newest }]: [string, AnyField]): boolean => version >= oldest && version <= newest
  const entries = Object.entries(shape)
  const present = entries.filter(isPresent).map(([name, field]): [string, Cell] => {
    const inner = field.fields ?? field.element?.fields ?? null
    return [
      name,
      {
        type: declaredType(field),
        default: declaredDefault(field),
        nullable: field.nullableFrom !== null && version >= field.nullableFrom,
        tag: field.tagNumber,
        fields: inner === null ? null : declaredLayout(inner, version),
      },
    ]
  })
  const absent = entries
    .filter((entry) => !isPresent(entry))
    .map(([name, field]) => `${name} = ${declaredDefault(field)}${field.isIgnorable ? ' ignorable' : ''}`)
  return { present: inWireOrder(present), absent: absent.toSorted() }
}

function inWireOrder(cells: readonly [string, Cell][]): [string, Cell][] {
  return cells.toSorted(([, a], [, b]) => (a.tag ?? -1) - (b.tag ?? -1))
}

/** Of the current schemas in `folder`, and for older versions those of Kafka 3.9.1. */
export function checkAgainstSchema(message: Message, folder: string, name: string): void {
  const current = loadSchema(folder, name)
  assert.ok(current !== null, `${name}.json`)
  const [oldest, newest] = message.versions
  const older = loadSchema('legacy-3.9.1', name)
  const legacy = older === null || range(older.validVersions)[1] < oldest ? null : older
  const flexible = range(current.flexibleVersions)
  assert.equal(message.flexible, flexible[0] > flexible[1] ? null : flexible[0], `${name}: flexible`)
  for (let version = oldest; version <= newest; version++) {
    const isCurrent = includes(current.validVersions, version)
    const schema: JsonMessage | null = isCurrent ? current : legacy
    assert.ok(schema !== null && includes(schema.validVersions, version), `${name} v${version} has no schema`)
    const known = isCurrent ? (legacy?.fields ?? []) : current.fields
    const expected = jsonLayout(schema, schema.fields, known, version, message.versions)
    assert.deepEqual(declaredLayout(message.fields, version), expected, `${name} v${version}`)
  }
}
