import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { RequestContext } from '../server/request-context.ts'

/** The error code for what a coordinator has refused. What is no KafkaError is a bug, and logged as one. */
export function refusalCode(error: unknown, context: RequestContext): number {
  if (error instanceof KafkaError) return error.code
  context.broker.logger.error('a coordinator has failed at a request', { error })
  return ErrorCode.UNKNOWN_SERVER_ERROR
}
