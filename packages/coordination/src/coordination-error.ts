/**
 * Why an operation on the coordination tree failed.
 * - `no-node`, `node-exists`, `bad-version`, `not-empty`, `ephemeral-parent` (an ephemeral node has no children), `too-large`,
 *   `bad-arguments`: the operation was refused and nothing has changed.
 * - `connection-loss`: the engine could not be reached. What was under way may or may not have been done; look before trying again.
 * - `session-expired`: the session and its ephemeral nodes are gone for good; open another. What was under way has the same doubt.
 * - `storage-failure`: the embedded engine could not make the change durable. Nothing has changed.
 * - `closed`: the session or the tree was closed by its owner.
 */
export type CoordinationFailure =
  | 'no-node'
  | 'node-exists'
  | 'bad-version'
  | 'not-empty'
  | 'ephemeral-parent'
  | 'too-large'
  | 'bad-arguments'
  | 'connection-loss'
  | 'session-expired'
  | 'storage-failure'
  | 'closed'

export interface CoordinationErrorOptions {
  readonly cause?: unknown
  /** The node the failure is about. */
  readonly path?: string
  /** Index within the multi of the operation that was refused. */
  readonly operation?: number
}

export class CoordinationError extends Error {
  override readonly name = 'CoordinationError'
  readonly failure: CoordinationFailure
  readonly path: string | null
  /** Index within the multi of the operation that was refused; null when the multi as a whole failed. */
  readonly operation: number | null
  /** Whether the same call may succeed later. After `connection-loss` the first try may have succeeded already. */
  readonly retriable: boolean

  constructor(failure: CoordinationFailure, message: string, options: CoordinationErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.failure = failure
    this.path = options.path ?? null
    this.operation = options.operation ?? null
    this.retriable = failure === 'connection-loss' || failure === 'storage-failure'
  }
}

/** Whether `error` is the tree's refusal of that kind. */
export function isCoordinationFailure(error: unknown, failure: CoordinationFailure): error is CoordinationError {
  return error instanceof CoordinationError && error.failure === failure
}
