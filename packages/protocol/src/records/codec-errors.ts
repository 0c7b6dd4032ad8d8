/** The two ways unpacking fails. */
import { ErrorCode, KafkaError } from '../errors.ts'

export function corrupt(format: string, problem: string, cause?: unknown): KafkaError {
  return new KafkaError(
    ErrorCode.CORRUPT_MESSAGE,
    `${format} data cannot be unpacked: ${problem}`,
    cause === undefined ? undefined : { cause },
  )
}

export function unpacksTooLarge(format: string, maxBytes: number, least?: number): KafkaError {
  const found = least === undefined ? '' : ` to ${least} bytes`
  return new KafkaError(
    ErrorCode.MESSAGE_TOO_LARGE,
    `${format} data unpacks${found}, more than the ${maxBytes} bytes allowed`,
  )
}
