/** The TypeScript values of declared messages, by inference. */
import type { AnyField, ArrayOf, Shape, StructOf } from './field.ts'

/** What decoding gives: every field is present, whatever the version was. Not to be changed: defaults may be shared. */
export type Decoded<Fields extends Shape> = {
  readonly [Name in keyof Fields]: DecodedValue<Fields[Name]['~value']>
}

type DecodedValue<Value> =
  Value extends ArrayOf<infer Element>
    ? readonly (Element extends AnyField
        ? DecodedValue<Element['~value']>
        : Element extends Shape
          ? Decoded<Element>
          : never)[]
    : Value extends StructOf<infer Fields extends Shape>
      ? Decoded<Fields>
      : Value

/** What encoding takes: fields that have a default or are not in every version may be left out. */
export type Encodable<Fields extends Shape> = {
  [Name in keyof Fields as Fields[Name]['~optional'] extends true ? never : Name]: EncodableValue<
    Fields[Name]['~value']
  >
} & {
  [Name in keyof Fields as Fields[Name]['~optional'] extends true ? Name : never]?:
    | EncodableValue<Fields[Name]['~value']>
    | undefined
}

type EncodableValue<Value> =
  Value extends ArrayOf<infer Element>
    ? readonly (Element extends AnyField
        ? EncodableValue<Element['~value']>
        : Element extends Shape
          ? Encodable<Element>
          : never)[]
    : Value extends StructOf<infer Fields extends Shape>
      ? Encodable<Fields>
      : Value
