import { inspect } from 'node:util'

/** A value on one line. */
export function show(value: unknown): string {
  return inspect(value, { depth: 10, breakLength: Infinity, compact: true, maxStringLength: 400 })
}
