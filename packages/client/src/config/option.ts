/** Options of the clients declared as data: type, default and check in one place, the types of TypeScript inferred from them. */

/** One option. `expects` completes the sentence "… expects" in error messages. */
export interface Option<T> {
  readonly expects: string
  readonly accepts: (value: unknown) => boolean
  /** For secrets: what is wrong with a value that is not accepted, without showing it. */
  readonly problem?: (value: unknown) => string | null
  readonly isRequired: boolean
  /** Undefined: none. */
  readonly default: T
  /** Kafka's own name, in camelCase, where ours differs; it may be used instead of ours. */
  readonly kafkaName?: string
}

export interface RequiredOption<T> extends Option<T> {
  readonly isRequired: true
}

export type OptionSet = Readonly<Record<string, Option<unknown>>>

/** Every option with its value: given, or the default. */
export type Settings<S extends OptionSet> = {
  readonly [Name in keyof S]: S[Name] extends Option<infer T> ? T : never
}

/** What a user writes: options with a default may be left out. */
export type OptionsInput<S extends OptionSet> = {
  readonly [Name in keyof S as S[Name] extends RequiredOption<unknown> ? Name : never]: S[Name] extends Option<infer T>
    ? T
    : never
} & {
  readonly [Name in keyof S as S[Name] extends RequiredOption<unknown> ? never : Name]?: S[Name] extends Option<infer T>
    ? T | undefined
    : never
}

type Kind<T> = Pick<Option<T>, 'expects' | 'accepts' | 'problem'>

export function optional<T>(kind: Kind<T>, fallback: T, kafkaName?: string): Option<T> {
  return { ...kind, isRequired: false, default: fallback, ...(kafkaName === undefined ? {} : { kafkaName }) }
}

export function required<T>(kind: Kind<T>, kafkaName?: string): RequiredOption<T> {
  return {
    ...kind,
    isRequired: true,
    default: undefined as T,
    ...(kafkaName === undefined ? {} : { kafkaName }),
  }
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const bound = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`
  return {
    expects: `a whole number ${bound}`,
    accepts: (value) => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max,
  }
}

/** Kafka's type of what goes into requests, and of sizes of buffers. */
export const MAX_INT32 = 0x7fff_ffff

/** A whole number of milliseconds. */
export function milliseconds(min = 0, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const kind = integer(min, max)
  return { ...kind, expects: `${kind.expects} (milliseconds)` }
}

export function fraction(min: number, max: number): Kind<number> {
  return {
    expects: `a number from ${min} to ${max}`,
    accepts: (value) => typeof value === 'number' && value >= min && value <= max,
  }
}

export const flag: Kind<boolean> = { expects: 'true or false', accepts: (value) => typeof value === 'boolean' }

export const text: Kind<string> = {
  expects: 'a text that is not empty',
  accepts: (value) => typeof value === 'string' && value !== '',
}

export function oneOf<const T extends readonly (string | number)[]>(...values: T): Kind<T[number]> {
  return {
    expects: `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`,
    accepts: (value) => (values as readonly unknown[]).includes(value),
  }
}

/** One that may hold secrets, so that errors must not show it. `problem` says what is wrong with a value, null: nothing. */
export function secret<T>(expects: string, problem: (value: unknown) => string | null): Kind<T> {
  return { expects, accepts: (value) => problem(value) === null, problem }
}

/** A value whose type the compiler knows, checked by `accepts` for those who have no compiler. */
export function shaped<T>(expects: string, accepts: (value: unknown) => boolean): Kind<T> {
  return { expects, accepts }
}

/** Null as well as what `kind` accepts. */
export function nullable<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, expects: `${kind.expects}, or null`, accepts: (value) => value === null || kind.accepts(value) }
}

export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    expects: `a list, each of it ${kind.expects}`,
    accepts: (value) => Array.isArray(value) && value.every((one) => kind.accepts(one)),
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}
