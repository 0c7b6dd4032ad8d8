/** What becomes of a consumer's failures: which are worth repeating, and as what error it crashes. */
import { KafkaError } from '@millrace/client'
import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } from '../errors.ts'
import { translateError } from '../translate-error.ts'

/** Mistakes of the program by their names: no repetition mends them. */
const mistakes: ReadonlySet<string> = new Set(['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'])

/** The coordinator takes this member for gone, or the group forms anew: the client joins again by itself. */
const rebalances: ReadonlySet<string> = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID'])

/** What handlers throw stays what it is: their program looks for it in `cause`. */
export function failureFrom(thrown: unknown): Error {
  return thrown instanceof Error && !(thrown instanceof KafkaError) ? thrown : translateError(thrown)
}

/** What a handler throws is, unless it says otherwise or is a mistake of the program. */
export function isWorthRepeating(failure: Error): boolean {
  const { retriable, type } = failure as { retriable?: unknown; type?: string }
  return (retriable !== false || rebalances.has(type ?? '')) && !mistakes.has(failure.name)
}

export function crashFrom(failure: Error, tried: { readonly retryCount: number; readonly retryTime: number }): Error {
  return isWorthRepeating(failure)
    ? new KafkaJSNumberOfRetriesExceeded(failure, tried)
    : new KafkaJSNonRetriableError(failure, { cause: failure.cause ?? failure })
}

/** Of an error, as far as they are looked at: they may go round in a circle. */
const maxCauses = 20

/** Also when something else was tried as often as it may be, such as sending in a handler: the last cause that says so decides, as with KafkaJS. */
export function isWorthRestarting(crash: Error): boolean {
  if (crash instanceof KafkaJSNumberOfRetriesExceeded) return true
  let isRetriable = false
  let error: unknown = crash
  for (let depth = 0; error instanceof Error && depth < maxCauses; depth++) {
    if ('retriable' in error) isRetriable = error.retriable === true
    error = error.cause
  }
  return isRetriable
}
