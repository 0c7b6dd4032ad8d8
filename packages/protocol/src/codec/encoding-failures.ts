/** How compiled encoders complain. */
import { ErrorCode, KafkaError } from '../errors.ts'

export interface EncodingFailures {
  lacks(version: number, path: string): never
  nullRefused(version: number, path: string): never
  stringTooLong(version: number, path: string, text: string): never
}

/** `name` is the message's. A path has `[]` where an index would go. */
export function encodingFailures(name: string): EncodingFailures {
  return {
    lacks(version, path) {
      throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${name} v${version} has no field ${path}, which was set`)
    },
    nullRefused(version, path) {
      throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${name} v${version} does not allow null for ${path}`)
    },
    stringTooLong(version, path, text) {
      const bytes = Buffer.byteLength(text)
      throw new RangeError(`${name} v${version}: ${path} may have 32767 bytes of UTF-8, got ${bytes}`)
    },
  }
}
