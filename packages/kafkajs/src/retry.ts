/** KafkaJS's retry options, and what they mean for the client underneath. */

export interface RetryOptions {
  /** Longest pause, milliseconds. */
  maxRetryTime?: number
  initialRetryTime?: number
  /** Share by which a pause varies. */
  factor?: number
  multiplier?: number
  retries?: number
  /** Whether a consumer whose retries are used up begins anew. Default: it does. */
  restartOnFailure?: (error: Error) => Promise<boolean>
}

export interface Retry {
  readonly maxRetryTime: number
  readonly initialRetryTime: number
  readonly factor: number
  readonly multiplier: number
  readonly retries: number
  readonly restartOnFailure: ((error: Error) => Promise<boolean>) | undefined
}

/** The later ones have precedence. */
export function retryFrom(...options: readonly (RetryOptions | undefined)[]): Retry {
  const {
    maxRetryTime = 30_000,
    initialRetryTime = 300,
    factor = 0.2,
    multiplier = 2,
    retries = 5,
    restartOnFailure,
  } = options.reduce<RetryOptions>((all, one) => ({ ...all, ...one }), {})
  return { maxRetryTime, initialRetryTime, factor, multiplier, retries, restartOnFailure }
}

/** Milliseconds before attempt number `attempt` + 1. */
export function pauseMs(attempt: number, { initialRetryTime, maxRetryTime, multiplier, factor }: Retry): number {
  const grown = Math.min(initialRetryTime * multiplier ** (attempt - 1), maxRetryTime)
  return grown * (1 - factor + 2 * factor * Math.random())
}

/** All pauses together, about. */
export function budgetMs(retry: Retry): number {
  let sum = 0
  for (let attempt = 1; attempt <= Math.min(retry.retries, 100); attempt++)
    sum += Math.min(retry.initialRetryTime * retry.multiplier ** (attempt - 1), retry.maxRetryTime)
  return Math.ceil(sum)
}
