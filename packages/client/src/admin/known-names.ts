import { closestName } from '../config/closest-name.ts'
import { isObject } from '../config/option.ts'

/**
 * For those whose compiler does not tell them: what is misspelt would be left out in silence, and a filter that has lost its condition matches
 * everything. @throws TypeError that names the nearest.
 */
export function refuseUnknownNames(what: string, value: unknown, names: Readonly<Record<string, true>>): void {
  if (!isObject(value)) throw new TypeError(`${what} should be an object, but is ${JSON.stringify(value)}`)
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(names, name)) continue
    const near = closestName(name, Object.keys(names))
    throw new TypeError(`${what} has no ${name}${near === null ? '' : `; did you mean ${near}?`}`)
  }
}
