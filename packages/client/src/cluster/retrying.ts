/** Repeating what failed for a passing reason. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { World } from '../world.ts'
import { backoffMs } from './backoff.ts'
import { abortable } from './connections.ts'

export interface RetryOptions {
  readonly world: World
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Calls `attempt` until it resolves, throws what is not a retriable KafkaError, or the time is over. The signal it is given is aborted at the
 * deadline. Keeps the process alive meanwhile.
 * @throws KafkaError REQUEST_TIMED_OUT naming `operation` and the last failure; the signal's reason.
 */
export async function retrying<T>(
  operation: string,
  attempt: (signal: AbortSignal) => Promise<T>,
  { world, retryBackoffMs, retryBackoffMaxMs, timeoutMs, signal }: RetryOptions,
): Promise<T> {
  const { clock, random } = world
  using _awake = clock.holdProcess()
  const deadlineMs = clock.monotonicMs() + timeoutMs
  const deadline = new AbortController()
  let last: KafkaError | null = null
  const timedOut = (): KafkaError =>
    new KafkaError(
      ErrorCode.REQUEST_TIMED_OUT,
      `${operation}: not done within ${timeoutMs} ms${last === null ? '' : `; the last failure: ${last.message}`}`,
      last === null ? {} : { cause: last },
    )
  const timer = clock.after(timeoutMs, () => deadline.abort(timedOut()))
  const until = AbortSignal.any([signal, deadline.signal])
  try {
    for (let failures = 1; ; failures++) {
      try {
        until.throwIfAborted()
        return await abortable(attempt(until), until)
      } catch (error) {
        if (until.aborted) throw until.reason
        if (!(error instanceof KafkaError) || !error.retriable) throw error
        last = error
      }
      const pauseMs = backoffMs(failures, { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs, random })
      if (clock.monotonicMs() + pauseMs >= deadlineMs) throw timedOut()
      await clock.sleep(pauseMs, until)
    }
  } finally {
    timer.cancel()
  }
}
