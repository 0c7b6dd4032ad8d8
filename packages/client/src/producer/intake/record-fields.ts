/** From what the application gives to what is written: keys and values through their serializers, headers as a list. */
import type { NewRecordHeader, RecordField } from '@millrace/protocol'
import type { RecordHeadersInput } from '../../record.ts'
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
    throw new TypeError(`${place(context)}: its serializer should give bytes, but gave ${kindOf(bytes)}`)
  }
}

/** @throws TypeError for what is no header. */
export function headerFields(headers: RecordHeadersInput): readonly NewRecordHeader[] {
  const pairs = isList(headers) ? headers : Object.entries(headers)
  return pairs.map(([key, value]) => {
    if (typeof key !== 'string') throw new TypeError(`the name of a header should be a text, but is ${kindOf(key)}`)
    if (value !== null && typeof value !== 'string' && !((value as unknown) instanceof Uint8Array))
      throw new TypeError(`header ${key}: expected bytes, a text or null, but got ${kindOf(value)}`)
    return { key, value }
  })
}

function isList(headers: RecordHeadersInput): headers is readonly (readonly [string, string | Uint8Array | null])[] {
  return Array.isArray(headers)
}

function place({ topic, isKey }: SerdeContext): string {
  return `the ${isKey ? 'key' : 'value'} of a record to ${topic}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? `an object (${value.constructor?.name ?? 'of no class'})` : `a ${typeof value}`
}
