/** From the options a user wrote to settings: every name known, every value checked, defaults filled in. */
import { closestName } from './closest-name.ts'
import { isObject, type Option, type OptionSet, type Settings } from './option.ts'

/**
 * The settings that `input` asks for. `place` names the call in error messages, as in `kafka.producer()`.
 * @throws TypeError for an unknown name (suggesting the nearest), a missing one, one given under two names, or a bad value.
 */
export function settingsFrom<S extends OptionSet>(
  options: S,
  input: Readonly<Record<string, unknown>>,
  place: string,
): Settings<S> {
  checkIsObject(input, place)
  const ownNames = new Map<string, string>()
  for (const [name, { kafkaName }] of Object.entries(options)) {
    ownNames.set(name, name)
    if (kafkaName !== undefined) ownNames.set(kafkaName, name)
  }
  const given = new Map<string, unknown>()
  for (const [written, value] of Object.entries(input)) {
    const name = ownNames.get(written)
    if (name === undefined) throw new TypeError(unknownOption(written, [...ownNames.keys()], place))
    if (value === undefined) continue
    if (given.has(name)) throw new TypeError(`${place}: ${name} is given twice, also under the name ${written}`)
    given.set(name, value)
  }
  const settings: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options)) {
    const value = given.get(name)
    if (value === undefined) {
      if (option.isRequired) throw new TypeError(`${place}: ${name} is missing; it expects ${option.expects}`)
      settings[name] = option.default
    } else {
      if (!option.accepts(value)) throw new TypeError(`${place}: ${whatIsWrong(name, option, value)}`)
      settings[name] = value
    }
  }
  return settings as Settings<S>
}

/** @throws TypeError for what cannot hold options. */
export function checkIsObject(input: unknown, place: string): void {
  if (!isObject(input)) throw new TypeError(`${place}: expects an object with options, but got ${shown(input)}`)
}

function unknownOption(written: string, names: readonly string[], place: string): string {
  const near = closestName(written, names)
  return `${place}: there is no option ${written}${near === null ? '' : `; did you mean ${near}?`}`
}

function whatIsWrong(name: string, { expects, problem }: Option<unknown>, value: unknown): string {
  return problem?.(value) ?? `${name} expects ${expects}, but got ${shown(value)}`
}

/** Of a value in a message, at most. */
const SHOWN_CHARACTERS = 200

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  // JSON has no form of NaN and Infinity.
  if (typeof value === 'number') return String(value)
  try {
    const text = JSON.stringify(value) ?? String(value)
    return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`
  } catch {
    return String(value)
  }
}
