/** From what the application gives to what is written: keys and values through their serializers, headers as a list. */
import type { NewRecordHeader, RecordField } from '@millrace/protocol'
import type { RecordHeadersInput } from '../../record.ts'
import { handleFailureOf } from '../../handle-failure.ts'
import type { SerdeContext, Serializer } from '../../serde/serde.ts'

export type FieldWriter = (value: unknown, context: SerdeContext) => RecordField

/** `serializer` null: bytes and texts as they are. @throws TypeError for values it cannot take; what `serialize` throws. */
export function fieldWriter(serializer: Serializer<unknown> | null): FieldWriter {
  if (serializer === null || serializer.isUtf8 === true) {
    const takesBytes = serializer === null
    return (value, context) => {
      if (typeof value === 'string' || value === null) return value
      if (value === undefined) return null
      if (takesBytes && value instanceof Uint8Array) return value
      throw new TypeError(
        `${place(context)}: expected a text${takesBytes ? ' or bytes, as the producer has no serializer for it' : ''}, but got ${kindOf(value)}`,
      )
    }
  }
  return (value, context) => {
    if (value === null || value === undefined) return null
    const bytes: unknown = serializer.serialize(value, context)
    if (bytes instanceof Uint8Array) return bytes
    handleFailureOf(bytes, ignore)
    throw new TypeError(`${place(context)}: its serializer should give bytes, but gave ${kindOf(bytes)}`)
  }
}

function ignore(): void {}

/** @throws TypeError for what is no header. */
export function headerFields(headers: RecordHeadersInput): readonly NewRecordHeader[] {
  return pairsOf(headers).map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new TypeError(`a header should be a pair [name, value], but is ${kindOf(pair)}`)
    const [key, value] = pair as [string, string | Uint8Array | null]
    if (typeof key !== 'string') throw new TypeError(`the name of a header should be a text, but is ${kindOf(key)}`)
    if (value !== null && typeof value !== 'string' && !((value as unknown) instanceof Uint8Array))
      throw new TypeError(`header ${key}: expected bytes, a text or null, but got ${kindOf(value)}`)
    return { key, value }
  })
}

function pairsOf(headers: unknown): readonly unknown[] {
  if (Array.isArray(headers)) return headers
  // Maps and the like have no entries of this kind: their headers would be lost without a word.
  if (typeof headers === 'object' && headers !== null && !(Symbol.iterator in headers)) return Object.entries(headers)
  throw new TypeError(`headers should be an object, or a list of pairs [name, value], but are ${kindOf(headers)}`)
}

function place({ topic, isKey }: SerdeContext): string {
  return `the ${isKey ? 'key' : 'value'} of a record to ${topic}`
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? `an object (${value.constructor?.name ?? 'of no class'})` : `a ${typeof value}`
}
