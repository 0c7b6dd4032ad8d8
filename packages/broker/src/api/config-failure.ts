import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'

export interface ConfigResource {
  readonly resourceType: number
  readonly resourceName: string
}

/** The answer about one resource that could not be described or changed. What is no KafkaError is a bug, and logged as one. */
export function failure(
  error: unknown,
  verb: 'describe' | 'alter',
  { resourceType, resourceName }: ConfigResource,
  logger: Logger,
): { errorCode: number; errorMessage: string; resourceType: number; resourceName: string } {
  const known = error instanceof KafkaError ? error : new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
  if (known !== error) logger.error(`cannot ${verb} configurations`, { resourceType, resourceName, error })
  return { errorCode: known.code, errorMessage: known.message, resourceType, resourceName }
}
