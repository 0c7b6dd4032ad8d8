/** Text ↔ value of a configuration, by the rules of Kafka's ConfigDef. */
import { doubleText, type ConfigDefinition, type ConfigType, type ConfigValue } from './config-definition.ts'

/** A value and its text as clients see it, or what is wrong with the text in Kafka's words. */
export type ParsedConfig =
  | { readonly value: NonNullable<ConfigValue>; readonly text: string; readonly problem: null }
  | { readonly value: null; readonly text: null; readonly problem: string }

/** Reads and checks a value given as text. */
export function parseConfig(name: string, definition: ConfigDefinition, text: string): ParsedConfig {
  const parsed = parseType(definition.type, text.trim())
  if (parsed === undefined) return invalid(name, text, expectation(definition.type))
  const value = Array.isArray(parsed) && definition.check?.dropsDuplicates ? [...new Set(parsed)] : parsed
  const complaint = definition.check?.(value, name) ?? null
  if (complaint !== null) return invalid(name, text, complaint)
  // A LONG beyond 2^53 is shown as it was written, not as the number it is held as.
  const shown =
    definition.type === 'LONG' ? BigInt(text.trim().replace(/^\+/, '')).toString() : configText(definition.type, value)
  return { value, text: shown, problem: null }
}

/** A value as clients see it, in Java's spelling. */
export function configText(type: ConfigType, value: NonNullable<ConfigValue>): string {
  if (typeof value === 'object') return value.join(',')
  return type === 'DOUBLE' ? doubleText(value as number) : String(value)
}

function invalid(name: string, text: string, reason: string): ParsedConfig {
  return { value: null, text: null, problem: `Invalid value ${text} for configuration ${name}: ${reason}` }
}

function expectation(type: ConfigType): string {
  return type === 'BOOLEAN' ? 'Expected value to be either true or false' : `Not a number of type ${type}`
}

/** undefined: the text is not of the type. */
function parseType(type: ConfigType, text: string): NonNullable<ConfigValue> | undefined {
  switch (type) {
    case 'BOOLEAN':
      return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined
    case 'INT':
      return parseInteger(text, 31n)
    case 'SHORT':
      return parseInteger(text, 15n)
    case 'LONG':
      return parseInteger(text, 63n)
    case 'DOUBLE':
      return parseDouble(text)
    case 'LIST':
      return text === '' ? [] : text.split(/\s*,\s*/)
    case 'STRING':
    case 'CLASS':
    case 'PASSWORD':
      return text
  }
}

function parseInteger(text: string, bits: bigint): number | undefined {
  if (!/^[+-]?[0-9]{1,30}$/.test(text)) return undefined
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  const bound = 1n << bits
  if (value >= bound || value < -bound) return undefined
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER
  if (value < Number.MIN_SAFE_INTEGER) return Number.MIN_SAFE_INTEGER
  return Number(value)
}

function parseDouble(text: string): number | undefined {
  if (/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?[df]?$/i.test(text)) return Number(text.replace(/[df]$/i, ''))
  if (/^[+-]?Infinity$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  return text === 'NaN' ? NaN : undefined
}
