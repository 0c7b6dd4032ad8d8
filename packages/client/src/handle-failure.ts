/** Callbacks that should return nothing, or something at once, and whose author made them async all the same. */
import type { Logger } from '@millrace/runtime'

/** Calls what the application wants to be told by: whatever that throws or rejects with is logged. */
export function tell(name: string, logger: Logger, call: () => unknown): void {
  const onFailed = (error: unknown): void => logger.error(`${name} has failed`, { error })
  try {
    handleFailureOf(call(), onFailed)
  } catch (error) {
    onFailed(error)
  }
}

/** If `returned` is a promise, `onFailed` is told of its failure, which would otherwise be nobody's and end the process. */
export function handleFailureOf(returned: unknown, onFailed: (error: unknown) => void): void {
  if (isThenable(returned)) returned.then(undefined, onFailed)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { readonly then?: unknown }).then === 'function'
  )
}
