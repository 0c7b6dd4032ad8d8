/** What a configuration's value must fulfil beyond its type. */
import type { ConfigValue } from './config-definition.ts'

/** Says what is wrong with a value, as the second half of a sentence for people; null when it is fine. Never called with null. */
export interface ConfigCheck {
  (value: NonNullable<ConfigValue>, name: string): string | null
  /** Duplicate elements of a list are dropped before the check. */
  readonly dropsDuplicates?: boolean
}

export function atLeast(least: number): ConfigCheck {
  return (value) => ((value as number) < least ? `Value must be at least ${least}` : null)
}

/** Both ends included. */
export function between(least: number, most: number): ConfigCheck {
  return (value) => {
    if ((value as number) < least) return `Value must be at least ${least}`
    return (value as number) > most ? `Value must be no more than ${most}` : null
  }
}

/** 1 to 9, or -1 for the codec's own choice. */
export const gzipLevel: ConfigCheck = (value) => {
  const level = value as number
  if (level === -1) return null
  if (level < 1) return 'Value must be between 1 and 9 or equal to -1'
  return level > 9 ? 'Value must be between 1 and 9 or equal to -1' : null
}

export function oneOf(...allowed: readonly string[]): ConfigCheck {
  return (value) => (allowed.includes(value as string) ? null : `String must be one of: ${allowed.join(', ')}`)
}

export function oneOfInAnyCase(...allowed: readonly string[]): ConfigCheck {
  const known = new Set(allowed.map((one) => one.toUpperCase()))
  return (value) =>
    known.has((value as string).toUpperCase())
      ? null
      : `String must be one of (case insensitive): ${allowed.join(', ')}`
}

export const notEmpty: ConfigCheck = (value) => ((value as string).length === 0 ? 'String must be non-empty' : null)

/** A list whose elements are any non-empty strings. */
export const anyList: ConfigCheck = listCheck((values) => emptyElement(values))

/** As `anyList`, with one element or more. */
export const atLeastOne: ConfigCheck = listCheck((values) =>
  values.length === 0 ? 'the list must not be empty' : emptyElement(values),
)

/** A list, perhaps empty, of these. */
export function eachOf(...allowed: readonly string[]): ConfigCheck {
  return listCheck((values) => {
    const wrong = values.find((one) => !allowed.includes(one))
    if (wrong === undefined) return null
    return emptyElement(values) ?? `String must be one of: ${allowed.join(', ')}`
  })
}

/** `partition:broker` elements, or the one element `*`. */
export const throttledReplicas: ConfigCheck = (value, name) => {
  const values = (value as readonly string[]).map((one) => one.trim())
  if (values.join('') === '*' || values.every((one) => /^([0-9]+:[0-9]+)?$/.test(one))) return null
  return `${name} must be the literal '*' or a list of replicas: [partitionId]:[brokerId],[partitionId]:[brokerId],...`
}

/** `earliest`, `latest`, or `by_duration:` with a non-negative ISO 8601 duration. */
export const offsetResetStrategy: ConfigCheck = (value) => {
  const text = value as string
  if (text === 'earliest' || text === 'latest') return null
  const isDuration = /^by_duration:P(?=\d|T\d)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?$/i.test(text)
  return isDuration ? null : 'Value must be earliest, latest or by_duration:PnDTnHnMn.nS'
}

function listCheck(check: (values: readonly string[]) => string | null): ConfigCheck {
  return Object.assign((value: NonNullable<ConfigValue>) => check(value as readonly string[]), {
    dropsDuplicates: true,
  })
}

function emptyElement(values: readonly string[]): string | null {
  return values.includes('') ? 'an element of the list is empty' : null
}
