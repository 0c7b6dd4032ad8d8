import { ErrorCode, KafkaError } from '../errors.ts'
import type { Message } from '../schema/message.ts'

/** The complaint about a version outside those of the message. */
export function unsupportedVersion({ name, versions: [oldest, newest] }: Message): (version: number) => never {
  return (version) => {
    throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${name} has versions ${oldest} to ${newest}, not ${version}`)
  }
}
