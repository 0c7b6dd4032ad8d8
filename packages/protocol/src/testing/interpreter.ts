/**
 * The executable specification of the codec: reads and writes a message by walking its declaration, one field at a time,
 * with nothing done for speed. Property tests hold the compiled codecs against it.
 */
import { Reader, Writer } from '../index.ts'
import { ErrorCode, KafkaError, MalformedMessageError } from '../index.ts'
import type { AnyField, Message, Shape } from '../index.ts'

type Value = Record<string, unknown>

export function interpretDecode({ fields, flexible }: Message, reader: Reader, version: number): Value {
  return readStruct(fields, reader, version, flexible !== null && version >= flexible)
}

export function interpretEncode({ fields, flexible }: Message, writer: Writer, value: object, version: number): void {
  writeStruct(fields, writer, value as Value, version, flexible !== null && version >= flexible)
}

/** The value that a field has where it is not on the wire. */
export function defaultOf(field: AnyField): unknown {
  if (field.defaultValue !== undefined) return field.defaultValue
  if (field.kind === 'array') return []
  if (field.kind === 'bytes') return new Uint8Array(0)
  return Object.fromEntries(Object.entries(field.fields ?? {}).map(([name, inner]) => [name, defaultOf(inner)]))
}

function isPresent(field: AnyField, version: number): boolean {
  return version >= field.oldest && version <= field.newest
}

function isNullable(field: AnyField, version: number): boolean {
  return field.nullableFrom !== null && version >= field.nullableFrom
}

function readStruct(shape: Shape, reader: Reader, version: number, flexible: boolean): Value {
  const value: Value = {}
  for (const [name, field] of Object.entries(shape)) {
    const onWire = isPresent(field, version) && field.tagNumber === null
    value[name] = onWire ? readField(field, reader, version, flexible, false) : defaultOf(field)
  }
  for (let count = flexible ? reader.unsignedVarint() : 0; count > 0; count--) {
    const tag = reader.unsignedVarint()
    const content = new Reader(reader.view8(reader.unsignedVarint()))
    const known = Object.entries(shape).find(([, field]) => field.tagNumber === tag)
    if (known === undefined) continue
    if (!isPresent(known[1], version)) throw new MalformedMessageError('tag of another version', reader.position)
    value[known[0]] = readField(known[1], content, version, true, true)
    content.expectEnd()
  }
  return value
}

function readField(field: AnyField, reader: Reader, version: number, flexible: boolean, tagged: boolean): unknown {
  const { kind } = field
  if (kind === 'struct') {
    const mark = !isNullable(field, version) ? 0 : tagged ? reader.unsignedVarint() - 1 : reader.int8()
    // Any negative byte stands for null, as in Kafka; it writes -1.
    return mark < 0 ? null : readStruct(field.fields ?? {}, reader, version, flexible)
  }
  if (kind !== 'string' && kind !== 'bytes' && kind !== 'records' && kind !== 'array') return reader[kind]()
  const length = flexible ? reader.unsignedVarint() - 1 : kind === 'string' ? reader.int16() : reader.int32()
  if (length < -1 || (length === -1 && !isNullable(field, version)))
    throw new MalformedMessageError('negative', reader.position)
  if (length === -1) return null
  if (length > reader.remaining || (kind === 'string' && length > 0x7fff))
    throw new MalformedMessageError('too long', reader.position)
  if (kind === 'string') return reader.text(length)
  if (kind !== 'array') return Uint8Array.from(reader.view8(length))
  return Array.from({ length }, () => readField(field.element!, reader, version, flexible, false))
}

function writeStruct(shape: Shape, writer: Writer, value: Value, version: number, flexible: boolean): void {
  const tagged: [AnyField, unknown][] = []
  for (const [name, field] of Object.entries(shape)) {
    const given = value[name] === undefined && field.isOptional ? defaultOf(field) : value[name]
    if (!isPresent(field, version)) {
      if (!field.isIgnorable && !isDefault(field, given))
        throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `version ${version} has no ${name}`)
    } else if (field.tagNumber === null) writeField(field, writer, given, version, flexible, false)
    else if (!isDefault(field, given)) tagged.push([field, given])
  }
  if (!flexible) return
  writer.unsignedVarint(tagged.length)
  for (const [field, given] of tagged.toSorted(([a], [b]) => a.tagNumber! - b.tagNumber!)) {
    const content = new Writer()
    writeField(field, content, given, version, true, true)
    writer.unsignedVarint(field.tagNumber!)
    writer.unsignedVarint(content.length)
    writer.raw(Buffer.concat(content.finish()))
  }
}

function isDefault(field: AnyField, value: unknown): boolean {
  if (value === undefined) return true
  if (field.defaultValue !== undefined) return value === field.defaultValue
  if (value === null) return false
  if (field.kind !== 'struct') return (value as { length: number }).length === 0
  return Object.entries(field.fields ?? {}).every(([name, inner]) => isDefault(inner, (value as Value)[name]))
}

function writeField(
  field: AnyField,
  writer: Writer,
  value: unknown,
  version: number,
  flexible: boolean,
  tagged: boolean,
): void {
  const { kind } = field
  if (value === null && !isNullable(field, version))
    throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `null in version ${version}`)
  if (kind === 'struct') {
    if (isNullable(field, version)) writer.int8(value !== null ? 1 : tagged ? 0 : -1)
    if (value !== null) writeStruct(field.fields ?? {}, writer, value as Value, version, flexible)
    return
  }
  if (kind !== 'string' && kind !== 'bytes' && kind !== 'records' && kind !== 'array')
    return (writer[kind] as (value: unknown) => void).call(writer, value)
  const content = kind === 'string' && value !== null ? Buffer.from(value as string) : (value as ArrayLike<unknown>)
  const length = content === null ? -1 : content.length
  if (flexible) writer.unsignedVarint(length + 1)
  else if (kind === 'string') writer.int16(length)
  else writer.int32(length)
  if (content === null) return
  if (kind !== 'array') return writer.raw(content as Uint8Array)
  for (let i = 0; i < length; i++) writeField(field.element!, writer, content[i], version, flexible, false)
}
