/**
 * Field types: the words in which messages are declared.
 *
 * A field is immutable data; each method returns a changed copy, so `int32` and `string` can be shared by all declarations.
 * What a field means on the wire follows Kafka's message generator:
 * - A field outside its versions is not on the wire. It decodes to its default; encoding another value there is an error,
 *   unless the field is ignorable: then the value is dropped.
 * - A tagged field is written only when it differs from its default, in ascending order of tags.
 * - The default is zero, false, '', empty or (for a struct) all defaults, unless `default()` says otherwise.
 */

export type Kind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records'
  | 'array'
  | 'struct'

/** The fields of a message or struct, in the order in which they are on the wire. */
export interface Shape {
  readonly [name: string]: AnyField
}

/** Stands for the value of an array in types: elements are a field or a shape. See values.ts. */
export interface ArrayOf<out Element> {
  readonly '~element': Element
}
/** Stands for the value of a struct in types. See values.ts. */
export interface StructOf<out Fields> {
  readonly '~fields': Fields
}

type Scalar = string | number | bigint | boolean | null

export type AnyField = Field<unknown, boolean>

/** Above every version of every message; versions are int16 on the wire. */
export const NO_LIMIT = 0x7fff

/** `Value` is its TypeScript value (ArrayOf and StructOf standing for compound ones); `Optional`: may be left out when encoding. */
export class Field<out Value, out Optional extends boolean> {
  declare readonly '~value': Value
  declare readonly '~optional': Optional

  readonly kind: Kind
  /** Elements of an array; null for everything else. */
  readonly element: AnyField | null
  /** Fields of a struct; null for everything else. */
  readonly fields: Shape | null
  /** First and last version that have the field, within those of the struct around it. */
  readonly oldest: number = 0
  readonly newest: number = NO_LIMIT
  /** First version in which null is allowed; null when it never is. */
  readonly nullableFrom: number | null = null
  /** undefined: the default of an empty array, of no bytes or of a struct, whose values are made when needed. */
  readonly defaultValue: Scalar | undefined
  /** Number of the tag; null for a field at its fixed place. */
  readonly tagNumber: number | null = null
  readonly isIgnorable: boolean = false
  /** Whether encoding accepts undefined in its place. */
  readonly isOptional: boolean = false

  constructor(kind: Kind, defaultValue?: Scalar, element: AnyField | null = null, fields: Shape | null = null) {
    this.kind = kind
    this.defaultValue = defaultValue
    this.element = element
    this.fields = fields
  }

  /** The first version that has the field. */
  since(version: number): Field<Value, true> {
    return changed(this, { oldest: version, isOptional: true })
  }

  /** The last version that has the field. */
  upTo(version: number): Field<Value, true> {
    return changed(this, { newest: version, isOptional: true })
  }

  /** Allows null, from `since` on. Says nothing about the default. */
  nullable(since = 0): Field<Value | null, Optional> {
    return changed(this, { nullableFrom: since })
  }

  default(value: Extract<Value, Scalar>): Field<Value, true> {
    return changed(this, { defaultValue: value, isOptional: true })
  }

  /** Moves the field to the tagged section; only possible where the message is flexible. */
  tag(number: number): Field<Value, true> {
    return changed(this, { tagNumber: number, isOptional: true })
  }

  /** Lets a value be dropped silently in versions that lack the field. */
  ignorable(): Field<Value, Optional> {
    return changed(this, { isIgnorable: true })
  }
}

function changed(field: AnyField, change: Partial<AnyField>): never {
  return Object.assign(Object.create(Field.prototype) as object, field, change) as never
}

export const bool: Field<boolean, false> = new Field('bool', false)
export const int8: Field<number, false> = new Field('int8', 0)
export const int16: Field<number, false> = new Field('int16', 0)
export const uint16: Field<number, false> = new Field('uint16', 0)
export const int32: Field<number, false> = new Field('int32', 0)
export const uint32: Field<number, false> = new Field('uint32', 0)
export const int64: Field<bigint, false> = new Field('int64', 0n)
export const float64: Field<number, false> = new Field('float64', 0)
/** 22 characters of base64url, as Kafka prints it. */
export const uuid: Field<string, false> = new Field('uuid', 'AAAAAAAAAAAAAAAAAAAAAA')
/** UTF-8, at most 32767 bytes. */
export const string: Field<string, false> = new Field('string', '')
/** Decoded into a copy, which may outlive the frame. */
export const bytes: Field<Uint8Array, false> = new Field('bytes')
/** Record batches. Decoded into a view of the frame; encoded by reference when large. Default null. */
export const records: Field<Uint8Array | null, false> = new Field('records', null)

/** Elements are a field (`array(int32)`) or a struct given by its fields (`array({ partition: int32 })`). */
export function array<Element extends AnyField | Shape>(element: Element): Field<ArrayOf<Element>, false> {
  const field = element instanceof Field ? element : struct(element as Shape)
  return new Field('array', undefined, field as AnyField)
}

export function struct<Fields extends Shape>(fields: Fields): Field<StructOf<Fields>, false> {
  return new Field('struct', undefined, null, fields)
}
