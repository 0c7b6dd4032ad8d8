/** What an event in a group has to write, if anything, whatever the request that brought it is answered. */
import type { Decision } from '../../runtime/decision.ts'

export type Consequence = Pick<Decision<void>, 'records' | 'replays' | 'settled'>

export const nothing: Consequence = { records: [] }

export function withResponse<T>(consequence: Consequence, response: T | Promise<T>): Decision<T> {
  return { ...consequence, response }
}
