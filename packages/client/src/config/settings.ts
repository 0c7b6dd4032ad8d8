/** From the options a user wrote to settings: every name known, every value checked, defaults filled in. */
import { closestName } from './closest-name.ts'
import type { OptionSet, Settings } from './option.ts'

/**
 * The settings that `input` asks for. `place` names the call in error messages, as in `kafka.producer()`.
 * @throws TypeError for an unknown name (suggesting the nearest), a missing one, one given under two names, or a bad value.
 */
export function settingsFrom<S extends OptionSet>(
  options: S,
  input: Readonly<Record<string, unknown>>,
  place: string,
): Settings<S> {
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
      if (!option.accepts(value))
        throw new TypeError(`${place}: ${name} expects ${option.expects}, but got ${shown(value)}`)
      settings[name] = value
    }
  }
  return settings as Settings<S>
}

function unknownOption(written: string, names: readonly string[], place: string): string {
  const near = closestName(written, names)
  return `${place}: there is no option ${written}${near === null ? '' : `; did you mean ${near}?`}`
}

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
