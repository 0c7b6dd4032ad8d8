/**
 * How one configuration is declared: its type, default, check and what may be done with it. A table of declarations is a plain object
 * from names to definitions; the type of each value follows from its declaration.
 */
import type { ConfigCheck } from './config-checks.ts'

/** Kafka's types, in Kafka's spelling: they are what DescribeConfigs names. */
export type ConfigType = 'BOOLEAN' | 'STRING' | 'INT' | 'SHORT' | 'LONG' | 'DOUBLE' | 'LIST' | 'CLASS' | 'PASSWORD'

export type ConfigValue = boolean | string | number | readonly string[] | null

export type Importance = 'high' | 'medium' | 'low'

/** Where a broker configuration may be changed while the broker runs: for the cluster and per broker, or per broker only. */
export type DynamicMode = 'cluster-wide' | 'per-broker'

export interface ConfigDefinition<V extends ConfigValue = ConfigValue> {
  readonly type: ConfigType
  readonly default: V
  /** The default as clients see it; null: none. */
  readonly defaultText: string | null
  readonly check: ConfigCheck | null
  readonly importance: Importance
  readonly documentation: string
  /** null: read-only, changed only by a restart. */
  readonly dynamic: DynamicMode | null
  /** Known by name, but not shown unless set. */
  readonly isInternal: boolean
  /** Not a property of the start file: it can only be set while the broker runs. */
  readonly isDynamicOnly: boolean
}

export type ConfigTable = Readonly<Record<string, ConfigDefinition>>

/** The type of the value a definition declares. */
export type ValueOf<D extends ConfigDefinition> = D extends ConfigDefinition<infer V> ? V : never

/** Kafka's largest LONG, "never" or "no bound"; inside it is Number.MAX_SAFE_INTEGER, clients are shown this. */
export const LONG_MAX = '9223372036854775807'
export const INT_MAX = 2_147_483_647
export const DOUBLE_MAX = Number.MAX_VALUE

interface Options<D> {
  readonly default: D
  readonly importance: Importance
  readonly doc: string
  readonly check?: ConfigCheck
  readonly dynamic?: DynamicMode
  readonly internal?: true
  readonly dynamicOnly?: true
}

/** What a declared default says of the value's type: without a default there may be no value. */
type Declared<D, V extends ConfigValue> = ConfigDefinition<null extends D ? V | null : V>

export function boolean<const D extends boolean | null>(options: Options<D>): Declared<D, boolean> {
  return define('BOOLEAN', options, options.default, textOrNull(options.default)) as Declared<D, boolean>
}

/** A 32-bit integer. */
export function int<const D extends number | null>(options: Options<D>): Declared<D, number> {
  return define('INT', options, options.default, textOrNull(options.default)) as Declared<D, number>
}

/** A 16-bit integer. */
export function short<const D extends number | null>(options: Options<D>): Declared<D, number> {
  return define('SHORT', options, options.default, textOrNull(options.default)) as Declared<D, number>
}

/** A 64-bit integer, held as a number: values beyond 2^53 become the nearest safe one. */
export function long<const D extends number | typeof LONG_MAX | null>(options: Options<D>): Declared<D, number> {
  const value = options.default === LONG_MAX ? Number.MAX_SAFE_INTEGER : (options.default as number | null)
  return define('LONG', options, value, textOrNull(options.default)) as Declared<D, number>
}

export function double<const D extends number | null>(options: Options<D>): Declared<D, number> {
  const text = options.default === null ? null : doubleText(options.default)
  return define('DOUBLE', options, options.default, text) as Declared<D, number>
}

export function string<const D extends string | null>(options: Options<D>): Declared<D, string> {
  return define('STRING', options, options.default, options.default) as Declared<D, string>
}

export function list<const D extends readonly string[] | null>(options: Options<D>): Declared<D, readonly string[]> {
  return define('LIST', options, options.default, options.default?.join(',') ?? null) as Declared<D, readonly string[]>
}

/** The name of a Java class. */
export function className<const D extends string | null>(options: Options<D>): Declared<D, string> {
  return define('CLASS', options, options.default, options.default) as Declared<D, string>
}

/** A secret: never shown or logged. */
export function password<const D extends string | null>(options: Options<D>): Declared<D, string> {
  return define('PASSWORD', options, options.default, options.default) as Declared<D, string>
}

function define(
  type: ConfigType,
  options: Options<unknown>,
  value: ConfigValue,
  defaultText: string | null,
): ConfigDefinition {
  return {
    type,
    default: value,
    defaultText,
    check: options.check ?? null,
    importance: options.importance,
    documentation: options.doc,
    dynamic: options.dynamic ?? null,
    isInternal: options.internal === true,
    isDynamicOnly: options.dynamicOnly === true,
  }
}

function textOrNull(value: boolean | number | string | null): string | null {
  return value === null ? null : String(value)
}

/** A double as Java prints it, which is what Kafka's clients expect to see: always with a fraction, `E` outside 10^-3 … 10^7. */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : value < 0 ? '-Infinity' : 'NaN'
  const size = Math.abs(value)
  if (value === 0 || (size >= 1e-3 && size < 1e7)) {
    const text = String(value)
    return text.includes('.') ? text : `${text}.0`
  }
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}
