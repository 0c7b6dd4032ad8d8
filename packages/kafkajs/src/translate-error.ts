/** From errors of the client to those of KafkaJS. */
import { ErrorCode, errorName, KafkaError } from '@millrace/client'
import {
  KafkaJSAggregateError,
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
} from './errors.ts'
import type { Retry } from './retry.ts'

/** KafkaJS's older names of codes that Kafka has renamed. */
const formerNames: Readonly<Record<string, string>> = {
  NOT_LEADER_OR_FOLLOWER: 'NOT_LEADER_FOR_PARTITION',
  COORDINATOR_LOAD_IN_PROGRESS: 'GROUP_LOAD_IN_PROGRESS',
  COORDINATOR_NOT_AVAILABLE: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  NOT_COORDINATOR: 'NOT_COORDINATOR_FOR_GROUP',
  UNKNOWN_SERVER_ERROR: 'UNKNOWN',
}

const authenticationErrors = new Set<number>([
  ErrorCode.SASL_AUTHENTICATION_FAILED,
  ErrorCode.UNSUPPORTED_SASL_MECHANISM,
  ErrorCode.ILLEGAL_SASL_STATE,
])

export function translateError(error: unknown): Error {
  if (error instanceof KafkaJSError || error instanceof KafkaJSAggregateError) return error
  if (!(error instanceof KafkaError)) {
    if (error instanceof TypeError || error instanceof RangeError)
      return new KafkaJSNonRetriableError(error, { cause: error })
    return error instanceof Error ? new KafkaJSError(error, { cause: error }) : new KafkaJSError(String(error))
  }
  const { code, message } = error
  const cause = { cause: error }
  if (code === ErrorCode.NETWORK_EXCEPTION) return new KafkaJSConnectionError(message, cause)
  if (code === ErrorCode.REQUEST_TIMED_OUT) return new KafkaJSRequestTimeoutError(message, cause)
  if (code === ErrorCode.UNSUPPORTED_VERSION) return new KafkaJSServerDoesNotSupportApiKey(message)
  if (authenticationErrors.has(code)) return new KafkaJSSASLAuthenticationError(message, cause)
  return protocolError(code, message, cause.cause)
}

export function protocolError(code: number, message: string, cause?: unknown): KafkaJSProtocolError {
  const name = errorName(code)
  const reason = Object.assign(new Error(message), { code, type: formerNames[name] ?? name })
  const retriable = cause instanceof KafkaError ? cause.retriable : new KafkaError(code).retriable
  return new KafkaJSProtocolError(reason, { retriable, ...(cause === undefined ? {} : { cause }) })
}

/** What `work` resolves with, or its error translated. */
export async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw translateError(error)
  }
}

/** The same of an operation that is repeated: what is left in the end of an error that may pass says that it was. */
export async function exceeding<T>({ retries, maxRetryTime }: Retry, work: Promise<T>): Promise<T> {
  try {
    return await translated(work)
  } catch (error) {
    if (!(error instanceof KafkaJSError) || !error.retriable) throw error
    throw new KafkaJSNumberOfRetriesExceeded(error, { retryCount: retries, retryTime: maxRetryTime })
  }
}
