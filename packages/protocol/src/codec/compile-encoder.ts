/**
 * Compiles the encoder of a message: one JavaScript function with the version as a parameter and every struct inlined.
 * Room is made once per run of fixed-size fields. A tagged value of unknown size is written behind one byte for its size,
 * and moved in the rare case that this was not enough.
 */
import type { AnyField, Shape } from '../schema/field.ts'
import type { Message } from '../schema/message.ts'
import { encodingFailures } from './encoding-failures.ts'
import * as layout from './layout.ts'
import type { Versions } from './layout.ts'
import { writeText, writeUuid } from './text.ts'
import { unsupportedVersion } from './unsupported-version.ts'
import { REFERENCE_FROM_BYTES, Writer, writeUnsignedVarint } from './writer.ts'

export type Encoder = (writer: Writer, value: unknown, version: number) => void

export function compileEncoder(message: Message): Encoder {
  const [oldest, newest] = message.versions
  const source = new EncoderSource(message.flexible)
  source.struct(message.fields, { oldest, newest }, '', 'value')
  const text = `'use strict'
const { classicString, compactString, closeTag, writeUuid, writeUnsignedVarint, unsupported, failures } = library
const { lacks, nullRefused, stringTooLong } = failures
return (w, value, version) => {
if (!(version >= ${oldest} && version <= ${newest})) unsupported(version)
let b = w.bytes, d = w.view, room = b.length, p = w.position
${source.body.join('\n')}
w.position = p
}`
  const failures = encodingFailures(message.name)
  const unsupported = unsupportedVersion(message)
  const library = { classicString, compactString, closeTag, writeUuid, writeUnsignedVarint, unsupported, failures }
  // oxlint-disable-next-line typescript/no-implied-eval -- the text comes from declarations, never from the network
  return new Function('library', text)(library) as Encoder
}

class EncoderSource {
  readonly body: string[] = []
  readonly #flexible: number | null
  #names = 0

  constructor(flexible: number | null) {
    this.#flexible = flexible
  }

  /** Emits the writing of the struct held by the variable `value`. */
  struct(shape: Shape, versions: Versions, path: string, value: string): void {
    const entries = Object.entries(shape)
    const flexible = layout.condition(versions, layout.from(this.#flexible))
    const tagged = layout.taggedFields(shape, versions, this.#flexible)
    const emptyTags = tagged.length === 0 && flexible !== 'false'
    let reservedTo = -1
    let offset = 0
    const flush = (): void => {
      if (offset > 0) this.body.push(`p += ${offset}`)
      offset = 0
    }
    const reserveRun = (first: number): void => {
      let bytes = 0
      let i = first
      for (; i < entries.length; i++) {
        const [, field] = entries[i]!
        if (field.tagNumber !== null) continue
        const size = layout.fixedSize(field.kind)
        if (size === 0) break
        bytes += size
      }
      if (i === entries.length && emptyTags) bytes++
      if (bytes > 0) this.#reserve(String(bytes))
      reservedTo = i
    }
    for (const [i, [name, field]] of entries.entries()) {
      const present = layout.condition(versions, field)
      const inner = path === '' ? name : `${path}.${name}`
      const access = `${value}.${name}`
      if (present !== 'true') {
        flush()
        this.#absent(field, present, inner, access)
      }
      if (field.tagNumber !== null || present === 'false') continue
      const size = layout.fixedSize(field.kind)
      if (i > reservedTo) {
        flush()
        reserveRun(i)
      }
      if (size > 0 && present === 'true') {
        this.#fixed(field, this.#valueOf(field, access), offset === 0 ? 'p' : `p + ${offset}`)
        offset += size
        continue
      }
      flush()
      this.body.push(present === 'true' ? '{' : `if (${present}) {`)
      if (size > 0) {
        this.#fixed(field, this.#valueOf(field, access), 'p')
        this.body.push(`p += ${size}`)
      } else this.#variableSize(field, layout.narrow(versions, field), inner, this.#valueOf(field, access), false)
      this.body.push('}')
    }
    flush()
    if (emptyTags) {
      if (reservedTo < entries.length) reserveRun(entries.length)
      this.body.push(layout.branch(flexible, 'b[p++] = 0'))
    } else if (flexible !== 'false') this.#taggedFields(tagged, versions, path, value, flexible)
  }

  /** Emits the check that a field which the version lacks has its default, unless it may be dropped. */
  #absent(field: AnyField, present: string, path: string, access: string): void {
    if (field.isIgnorable) return
    const lacks = `if (!(${isDefault(field, access)})) lacks(version, '${path}')`
    this.body.push(present === 'false' ? lacks : `if (!(${present})) { ${lacks} }`)
  }

  /** The expression of a field's value: what is given, or the default where it may be left out. */
  #valueOf(field: AnyField, access: string): string {
    if (!field.isOptional) return access
    const name = this.#name('v')
    this.body.push(`const ${name} = ${access} === undefined ? ${layout.defaultExpression(field)} : ${access}`)
    return name
  }

  #fixed(field: AnyField, value: string, at: string): void {
    switch (field.kind) {
      case 'bool':
        this.body.push(`b[${at}] = ${value} ? 1 : 0`)
        break
      case 'int64':
        this.body.push(`d.setBigInt64(${at}, ${value})`)
        break
      case 'uuid':
        this.body.push(`writeUuid(b, ${at}, ${value})`)
        break
      default:
        this.body.push(`d.set${field.kind.charAt(0).toUpperCase()}${field.kind.slice(1)}(${at}, ${value})`)
    }
  }

  #variableSize(field: AnyField, versions: Versions, path: string, value: string, isTagged: boolean): void {
    const flexible = layout.condition(versions, layout.from(this.#flexible))
    const nullable = layout.condition(versions, layout.from(field.nullableFrom))
    const variable = this.#name('x')
    this.body.push(`const ${variable} = ${value}`)
    const canBeNull = field.nullableFrom !== null || field.kind === 'records'
    if (canBeNull) {
      this.body.push(`if (${variable} === null) {`)
      this.body.push(layout.branch(nullable, '', `nullRefused(version, '${path}')`))
      this.#reserve('4')
      if (field.kind === 'struct') this.body.push(isTagged ? 'b[p++] = 0' : 'b[p++] = 255')
      else {
        const classic = field.kind === 'string' ? 'd.setInt16(p, -1); p += 2' : 'd.setInt32(p, -1); p += 4'
        this.body.push(layout.branch(flexible, 'b[p++] = 0', classic))
      }
      this.body.push('} else {')
    }
    if (field.kind === 'struct') this.#struct(field, versions, path, variable, nullable)
    else if (field.kind === 'string') this.#string(flexible, path, variable)
    else if (field.kind === 'array') this.#array(field.element!, versions, path, variable, flexible)
    else this.#bytes(field, flexible, variable)
    if (canBeNull) this.body.push('}')
  }

  #struct(field: AnyField, versions: Versions, path: string, variable: string, nullable: string): void {
    if (nullable !== 'false') {
      this.#reserve('1')
      this.body.push(layout.branch(nullable, 'b[p++] = 1'))
    }
    this.struct(field.fields ?? {}, versions, path, variable)
  }

  #string(flexible: string, path: string, variable: string): void {
    this.#reserve(`${variable}.length * 3 + 5`)
    this.body.push(`p = ${layout.choose(flexible, 'compactString', 'classicString')}(b, p, ${variable})`)
    this.body.push(`if (p < 0) stringTooLong(version, '${path}', ${variable})`)
  }

  #bytes(field: AnyField, flexible: string, variable: string): void {
    const size = `${variable}.length`
    this.#reserve(field.kind === 'records' ? '5' : `${size} + 5`)
    this.#length(flexible, size)
    if (field.kind === 'bytes') this.body.push(`b.set(${variable}, p)`, `p += ${size}`)
    else {
      this.body.push(`if (${size} < ${REFERENCE_FROM_BYTES}) {`)
      this.#reserve(size)
      this.body.push(`b.set(${variable}, p)`, `p += ${size}`)
      this.body.push(`} else { w.position = p; w.reference(${variable}) }`)
    }
  }

  #array(element: AnyField, versions: Versions, path: string, variable: string, flexible: string): void {
    const [index, count, item] = [this.#name('i'), this.#name('n'), this.#name('e')]
    const size = layout.fixedSize(element.kind)
    this.body.push(`const ${count} = ${variable}.length`)
    this.#reserve(size > 0 ? `${count} * ${size} + 5` : '5')
    this.#length(flexible, count)
    this.body.push(`for (let ${index} = 0; ${index} < ${count}; ${index}++) {`, `const ${item} = ${variable}[${index}]`)
    if (size > 0) {
      this.#fixed(element, item, 'p')
      this.body.push(`p += ${size}`)
    } else if (element.kind === 'struct') this.struct(element.fields ?? {}, versions, `${path}[]`, item)
    else this.#variableSize(element, versions, `${path}[]`, item, false)
    this.body.push('}')
  }

  #length(flexible: string, size: string): void {
    const compact = `if (${size} < 127) b[p++] = ${size} + 1; else p = writeUnsignedVarint(b, p, ${size} + 1)`
    this.body.push(layout.branch(flexible, compact, `d.setInt32(p, ${size}); p += 4`))
  }

  #taggedFields(tagged: [string, AnyField][], versions: Versions, path: string, value: string, flexible: string): void {
    const around = layout.narrow(versions, layout.from(this.#flexible))
    const fields = tagged.map(([name, field]) => ({ name, field, used: this.#name('c') }))
    this.body.push(`if (${flexible}) {`)
    for (const { name, field, used } of fields) {
      const present = layout.condition(around, field)
      const differs = `!(${isDefault(field, `${value}.${name}`)})`
      this.body.push(`const ${used} = ${present === 'true' ? differs : `${present} && ${differs}`} ? 1 : 0`)
    }
    this.#reserve('1')
    this.body.push(`b[p++] = ${fields.map(({ used }) => used).join(' + ')}`)
    for (const { name, field, used } of fields) {
      const access = `${value}.${name}`
      const size = layout.fixedSize(field.kind)
      this.body.push(`if (${used} === 1) {`)
      this.#reserve(String(5 + 1 + size))
      this.body.push(`p = writeUnsignedVarint(b, p, ${field.tagNumber})`)
      if (size > 0) {
        this.body.push(`b[p++] = ${size}`)
        this.#fixed(field, access, 'p')
        this.body.push(`p += ${size}`)
      } else {
        const start = this.#name('p')
        this.body.push(`const ${start} = ++p`)
        const inner = path === '' ? name : `${path}.${name}`
        this.#variableSize(field, layout.narrow(around, field), inner, access, true)
        this.#reserve('4')
        this.body.push(`p = closeTag(b, ${start}, p)`)
      }
      this.body.push('}')
    }
    this.body.push('}')
  }

  #reserve(count: string): void {
    this.body.push(`if (p + ${count} > room) { w.position = p; w.reserve(${count}); ${RELOAD} }`)
  }

  #name(prefix: string): string {
    return `${prefix}${++this.#names}`
  }
}

const RELOAD = 'b = w.bytes; d = w.view; room = b.length'

/** The condition that a value, or undefined, is the default of its field. */
function isDefault(field: AnyField, access: string): string {
  const orMissing = `${access} === undefined || `
  if (field.defaultValue !== undefined) return `${orMissing}${access} === ${layout.literal(field.defaultValue)}`
  if (field.kind !== 'struct') return `${orMissing}${access} !== null && ${access}.length === 0`
  const inner = Object.entries(field.fields ?? {}).map(([name, part]) => `(${isDefault(part, `${access}.${name}`)})`)
  return `${orMissing}${access} !== null && ${inner.join(' && ')}`
}

/** Writes an int16 length and the text; returns the position behind it, -1 when the text is too long. */
function classicString(bytes: Uint8Array, position: number, text: string): number {
  const stop = writeText(bytes, position + 2, text)
  const length = stop - position - 2
  bytes[position] = length >> 8
  bytes[position + 1] = length
  return length > 0x7fff ? -1 : stop
}

/** Writes length + 1 as a varint and the text; returns the position behind it, -1 when the text is too long. */
function compactString(bytes: Uint8Array, position: number, text: string): number {
  const guess = text.length < 127 ? 1 : text.length < 16383 ? 2 : 3
  let stop = writeText(bytes, position + guess, text)
  const length = stop - position - guess
  if (length > 0x7fff) return -1
  const prefix = length < 127 ? 1 : length < 16383 ? 2 : 3
  if (prefix !== guess) {
    bytes.copyWithin(position + prefix, position + guess, stop)
    stop += prefix - guess
  }
  writeUnsignedVarint(bytes, position, length + 1)
  return stop
}

/** Writes the size of the tagged value from `start` to `stop` before it, where one byte is free; returns the position behind. */
function closeTag(bytes: Uint8Array, start: number, stop: number): number {
  const size = stop - start
  if (size < 128) {
    bytes[start - 1] = size
    return stop
  }
  const prefix = size < 2 ** 14 ? 2 : size < 2 ** 21 ? 3 : size < 2 ** 28 ? 4 : 5
  bytes.copyWithin(start - 1 + prefix, start, stop)
  writeUnsignedVarint(bytes, start - 1, size)
  return stop + prefix - 1
}
