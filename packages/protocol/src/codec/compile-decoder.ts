/**
 * Compiles the decoder of a message: one JavaScript function with the version as a parameter and every struct inlined, so
 * that position, bytes and limit stay in local variables. Bytes are checked once per run of fixed-size fields; a run ends
 * with the length prefix of the field of variable size behind it, or with the count of tagged fields.
 */
import type { AnyField, Shape } from '../schema/field.ts'
import type { Message } from '../schema/message.ts'
import { decodingFailures } from './decoding-failures.ts'
import type { RunTerm } from './decoding-failures.ts'
import * as layout from './layout.ts'
import type { Versions } from './layout.ts'
import { Reader } from './reader.ts'
import { readText, readUuid } from './text.ts'
import { unsupportedVersion } from './unsupported-version.ts'

export type Decoder = (reader: Reader, version: number) => unknown

export function compileDecoder(message: Message): Decoder {
  const [oldest, newest] = message.versions
  const source = new DecoderSource(message.flexible)
  const result = source.struct(message.fields, { oldest, newest }, { path: '', indexes: '' })
  const text = `'use strict'
const { readText, readUuid, copyBytes, longVarint, skipTags, unsupported, failures } = library
const { short, negative, tooLong, tooMany, badVarint, badTag, badTagSize } = failures
return (r, version) => {
if (!(version >= ${oldest} && version <= ${newest})) unsupported(version)
const b = r.bytes, d = r.view, end = r.end
let p = r.position, n = 0, t = 0
${source.head.join('\n')}
${source.body.join('\n')}
r.position = p
return ${result}
}`
  const failures = decodingFailures(message.name, message.flexible)
  const unsupported = unsupportedVersion(message)
  const library = { readText, readUuid, copyBytes, longVarint, skipTags, unsupported, failures }
  // oxlint-disable-next-line typescript/no-implied-eval -- the text comes from declarations, never from the network
  return new Function('library', 'runs', text)(library, source.runs) as Decoder
}

/** A place in the message: its path with `[]` for indexes, and the variables of these as trailing arguments `, i1, i2`. */
interface Place {
  readonly path: string
  readonly indexes: string
}

class DecoderSource {
  /** Constants of one call, then statements. */
  readonly head: string[] = []
  readonly body: string[] = []
  readonly runs: RunTerm[][] = []
  readonly #flexible: number | null
  readonly #constants = new Map<string, string>()
  #names = 0

  constructor(flexible: number | null) {
    this.#flexible = flexible
  }

  /** Emits the reading of a struct; returns its object literal. */
  struct(shape: Shape, versions: Versions, place: Place): string {
    const entries = Object.entries(shape)
    const names = this.#sequence(entries, versions, place, true)
    const variables = new Map(entries.map(([name], i) => [name, names[i]!]))
    this.#tagSection(layout.taggedFields(shape, versions, this.#flexible), variables, versions, place)
    return layout.objectLiteral(entries.map(([name], i) => [name, names[i]!]))
  }

  /** Emits the reading of untagged fields and declares a variable for each field; returns their names. */
  #sequence(entries: [string, AnyField][], versions: Versions, place: Place, isStruct: boolean): string[] {
    let checkedTo = -1
    let offset = 0
    const flush = (): void => {
      if (offset > 0) this.body.push(`p += ${offset}`)
      offset = 0
    }
    const names = entries.map(([name, field], i) => {
      const variable = this.#name('v')
      const present = field.tagNumber === null ? layout.condition(versions, field) : 'false'
      if (present === 'false') {
        this.body.push(`let ${variable} = ${this.#default(field)}`)
        return variable
      }
      if (i > checkedTo) {
        flush()
        checkedTo = this.#checkRun(entries, i, versions, place, isStruct)
      }
      const size = layout.fixedSize(field.kind)
      if (size > 0 && present === 'true') {
        this.body.push(`const ${variable} = ${readFixed(field, offset === 0 ? 'p' : `p + ${offset}`)}`)
        offset += size
        return variable
      }
      flush()
      this.body.push(`let ${variable}`)
      if (present !== 'true') this.body.push(`if (${present}) {`)
      if (size > 0) this.body.push(`${variable} = ${readFixed(field, 'p')}; p += ${size}`)
      else this.#variableSize(variable, field, layout.narrow(versions, field), inside(place, name), false)
      if (present !== 'true') this.body.push(`} else ${variable} = ${this.#default(field)}`)
      return variable
    })
    flush()
    if (isStruct && checkedTo < entries.length) this.#checkRun(entries, entries.length, versions, place, true)
    return names
  }

  /** Emits one check for the fields from `first` on; returns the index of the last field it covers. */
  #checkRun(entries: [string, AnyField][], first: number, versions: Versions, place: Place, isStruct: boolean): number {
    const run: RunTerm[] = []
    const sizes: string[] = []
    const add = (path: string, { oldest, newest }: Versions, bytes: string, term: Partial<RunTerm>): void => {
      run.push({ path, oldest, newest, classicBytes: 0, flexibleBytes: 0, ...term })
      sizes.push(layout.choose(layout.condition(versions, { oldest, newest }), bytes, '0'))
    }
    let i = first
    for (; i < entries.length; i++) {
      const [name, field] = entries[i]!
      const { path } = inside(place, name)
      const present = layout.narrow(versions, field)
      if (field.tagNumber !== null || present.oldest > present.newest) continue
      const size = layout.fixedSize(field.kind)
      if (size > 0) {
        add(path, present, String(size), { classicBytes: size, flexibleBytes: size })
        continue
      }
      const from = field.kind === 'struct' ? layout.narrow(present, layout.from(field.nullableFrom)) : present
      if (from.oldest > from.newest) break
      const classicBytes = field.kind === 'struct' ? 1 : field.kind === 'string' ? 2 : 4
      add(path, from, layout.prefixSize(field, from, this.#flexible), { classicBytes, flexibleBytes: 1 })
      break
    }
    const flexible = layout.narrow(versions, layout.from(this.#flexible))
    if (i >= entries.length && isStruct && flexible.oldest <= flexible.newest)
      add(inside(place, '<tags>').path, flexible, '1', { flexibleBytes: 1 })
    const needed = layout.sum(sizes)
    if (needed !== '0') {
      const at = this.runs.push(run) - 1
      this.body.push(`if (end - p < ${this.#constant(needed)}) short(r, version, p, end, runs[${at}]${place.indexes})`)
    }
    return i
  }

  /** Emits the reading of a field of variable size, whose length prefix is known to be there unless `isTagged`. */
  #variableSize(variable: string, field: AnyField, versions: Versions, place: Place, isTagged: boolean): void {
    const flexible = layout.condition(versions, layout.from(this.#flexible))
    const nullable = layout.condition(versions, layout.from(field.nullableFrom))
    const where = `r, version, p, '${place.path}'`
    if (field.kind === 'struct') {
      if (nullable !== 'false') {
        const mark = isTagged ? `${this.#varint('n', place)}; n--` : 'n = d.getInt8(p++)'
        this.body.push(layout.branch(nullable, mark, 'n = 1'), `if (n < 0) ${variable} = null`, 'else {')
      }
      this.body.push(`${variable} = ${this.struct(field.fields ?? {}, versions, place)}`)
      if (nullable !== 'false') this.body.push('}')
      return
    }
    const classicLength = field.kind === 'string' ? 'n = d.getInt16(p); p += 2' : 'n = d.getInt32(p); p += 4'
    const compactLength = `n = b[p++]; if (n > 127) { ${this.#longVarint('n', place)} } n--`
    if (isTagged) this.body.push(`if (p >= end) badVarint(${where}${place.indexes})`)
    this.body.push(layout.branch(flexible, compactLength, classicLength))
    const refuse = `negative(${where}, n${place.indexes})`
    if (nullable === 'false') this.body.push(`if (n < 0) ${refuse}`)
    else {
      const unless = nullable === 'true' ? '' : ` || !(${nullable})`
      this.body.push(`if (n < 0) { if (n < -1${unless}) ${refuse}; ${variable} = null }`, 'else {')
    }
    if (field.kind === 'array') this.#elements(variable, field.element!, versions, place)
    else {
      const bound = field.kind === 'string' && flexible !== 'false' ? ' || n > 32767' : ''
      this.body.push(`if (n > end - p${bound}) tooLong(${where}, n, end${place.indexes})`)
      const read =
        field.kind === 'string'
          ? 'readText(b, p, p + n)'
          : field.kind === 'bytes'
            ? 'copyBytes(b, p, p + n)'
            : 'b.subarray(p, p + n)'
      this.body.push(`${variable} = ${read}`, 'p += n')
    }
    if (nullable !== 'false') this.body.push('}')
  }

  /** Emits the reading of `n` elements. Their count is held against the bytes left before anything is allocated. */
  #elements(variable: string, element: AnyField, versions: Versions, place: Place): void {
    const minimum = layout.minimumSize(element, versions, this.#flexible)
    const least = this.#constant(/^\d+$/.test(minimum) ? minimum.replace(/^0$/, '1') : `Math.max(1, ${minimum})`)
    const product = least === '1' ? 'n' : `n * ${least}`
    this.body.push(`if (${product} > end - p) tooMany(r, version, p, '${place.path}', n, end${place.indexes})`)
    const [index, count, list] = [this.#name('i'), this.#name('n'), this.#name('a')]
    const each = { path: `${place.path}[]`, indexes: `${place.indexes}, ${index}` }
    this.body.push(`const ${list} = [], ${count} = n`, `for (let ${index} = 0; ${index} < ${count}; ${index}++) {`)
    const size = layout.fixedSize(element.kind)
    if (size > 0) this.body.push(`${list}.push(${readFixed(element, 'p')})`, `p += ${size}`)
    else if (element.kind === 'struct')
      this.body.push(`${list}.push(${this.struct(element.fields ?? {}, versions, each)})`)
    else this.body.push(`${list}.push(${this.#sequence([['', element]], versions, each, false)[0]!})`)
    this.body.push('}', `${variable} = ${list}`)
  }

  /** Emits the reading of the tagged section, whose first byte is known to be there. */
  #tagSection(
    tagged: [string, AnyField][],
    variables: ReadonlyMap<string, string>,
    versions: Versions,
    place: Place,
  ): void {
    const flexible = layout.narrow(versions, layout.from(this.#flexible))
    if (flexible.oldest > flexible.newest) return
    const tags = inside(place, '<tags>')
    const isFlexible = layout.condition(versions, flexible)
    if (isFlexible !== 'true') this.body.push(`if (${isFlexible}) {`)
    this.body.push('n = b[p++]', 'if (n > 0) {')
    if (tagged.length === 0) {
      const failure = `badVarint(r, version, ~p, '${tags.path}'${place.indexes})`
      this.body.push(`p = skipTags(r, p - 1, end)`, `if (p < 0) ${failure}`)
    } else this.#knownTags(tagged, variables, flexible, place)
    this.body.push('}')
    if (isFlexible !== 'true') this.body.push('}')
  }

  /** Emits the reading of `n` tags into the variables of their fields. Each value has to fill its size exactly. */
  #knownTags(
    tagged: [string, AnyField][],
    variables: ReadonlyMap<string, string>,
    versions: Versions,
    place: Place,
  ): void {
    const tags = inside(place, '<tags>')
    const where = `r, version, p, '${tags.path}'`
    const [count, tag, stop] = [this.#name('n'), this.#name('t'), this.#name('p')]
    this.body.push(`if (n > 127) { ${this.#longVarint('n', tags)} }`)
    this.body.push(`for (let ${count} = n; ${count} > 0; ${count}--) {`)
    this.body.push(this.#varint('t', tags), `const ${tag} = t`, this.#varint('t', tags))
    this.body.push(`if (t > end - p) tooLong(${where}, t, end${place.indexes})`, `const ${stop} = p + t`)
    this.body.push(`switch (${tag}) {`)
    for (const [name, field] of tagged) {
      const inner = inside(place, name)
      const variable = variables.get(name)!
      const valid = layout.condition(versions, field)
      this.body.push(`case ${field.tagNumber}:`)
      if (valid !== 'true') this.body.push(`if (!(${valid})) badTag(${where}, ${tag}${place.indexes})`)
      const size = layout.fixedSize(field.kind)
      const mismatch = `badTagSize(r, version, p, '${inner.path}', ${stop}${place.indexes})`
      if (size > 0)
        this.body.push(`if (t !== ${size}) ${mismatch}`, `${variable} = ${readFixed(field, 'p')}`, `p += ${size}`)
      else this.#variableSize(variable, field, layout.narrow(versions, field), inner, true)
      this.body.push(`if (p !== ${stop}) ${mismatch}`, 'break')
    }
    this.body.push(`default: p = ${stop}`, '}', '}')
  }

  /** Statements that read a varint, its first byte checked. */
  #varint(target: string, place: Place): string {
    const failure = `badVarint(r, version, p, '${place.path}'${place.indexes})`
    return `if (p >= end) ${failure}\n${target} = b[p++]; if (${target} > 127) { ${this.#longVarint(target, place)} }`
  }

  /** Statements that read the varint again whose first byte was read and says that there are more. */
  #longVarint(target: string, place: Place): string {
    const failure = `badVarint(r, version, p - 1, '${place.path}'${place.indexes})`
    return `${target} = longVarint(r, p - 1, end); if (${target} < 0) ${failure}; p = r.position`
  }

  #default(field: AnyField): string {
    const expression = layout.defaultExpression(field)
    return field.kind === 'struct' && field.defaultValue === undefined ? this.#constant(expression) : expression
  }

  /** Moves an expression of `version` alone, or a struct of defaults, to the head of the function. */
  #constant(expression: string): string {
    if (/^\d+$/.test(expression)) return expression
    let name = this.#constants.get(expression)
    if (name === undefined) {
      name = this.#name('c')
      this.#constants.set(expression, name)
      this.head.push(`const ${name} = ${expression}`)
    }
    return name
  }

  #name(prefix: string): string {
    return `${prefix}${++this.#names}`
  }
}

function inside(place: Place, name: string): Place {
  if (name === '') return place
  return { path: place.path === '' ? name : `${place.path}.${name}`, indexes: place.indexes }
}

function readFixed(field: AnyField, at: string): string {
  switch (field.kind) {
    case 'bool':
      return `b[${at}] !== 0`
    case 'int8':
      return `d.getInt8(${at})`
    case 'int16':
      return `d.getInt16(${at})`
    case 'uint16':
      return `d.getUint16(${at})`
    case 'int32':
      return `d.getInt32(${at})`
    case 'uint32':
      return `d.getUint32(${at})`
    case 'int64':
      return `d.getBigInt64(${at})`
    case 'float64':
      return `d.getFloat64(${at})`
    default:
      return `readUuid(b, ${at})`
  }
}

function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

/** Reads a varint that ends before `end`; -1 when it is malformed. Leaves the reader behind it. */
function longVarint(reader: Reader, at: number, end: number): number {
  const { bytes } = reader
  let value = 0
  let position = at
  for (let shift = 0; shift < 28; shift += 7) {
    if (position >= end) return -1
    const byte = bytes[position++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      reader.position = position
      return value
    }
  }
  if (position >= end) return -1
  const last = bytes[position++]!
  reader.position = position
  return last > 0x0f ? -1 : value + last * 2 ** 28
}

/** Skips a tagged section and returns the position behind it; the complement of the position where it is malformed. */
function skipTags(reader: Reader, at: number, end: number): number {
  let count = longVarint(reader, at, end)
  if (count < 0) return ~at
  for (; count > 0; count--) {
    const start = reader.position
    if (longVarint(reader, start, end) < 0) return ~start
    const size = longVarint(reader, reader.position, end)
    if (size < 0 || size > end - reader.position) return ~start
    reader.position += size
  }
  return reader.position
}
