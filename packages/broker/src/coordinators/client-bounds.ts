/** How much of what clients make up the coordinators take. Kafka has no such bounds; what is beyond them is no use to anybody. */
import { ErrorCode, KafkaError } from '@millrace/protocol'

/**
 * Of groups, members, instances and transactions. Kafka takes up to 32,767 bytes. But V8 hashes strings of 16,384 characters and more by their
 * length alone: a few thousand such ids of one length, and each look-up compares itself with all of them. A coordinator with these would take
 * hours to load. Two of this length make a key as well.
 */
export const longestIdLength = 4096

/** That a member subscribes to: more names do not fit into its record, but would be looked at for seconds before that is found. */
const mostTopicNames = 100_000

/** @throws KafkaError with `errorCode` for an id that is not to be remembered. */
export function checkIdLength(id: string | null, errorCode: number = ErrorCode.INVALID_REQUEST): void {
  if (id !== null && id.length > longestIdLength)
    throw new KafkaError(errorCode, `an id has ${id.length} characters, more than the ${longestIdLength} it may have`)
}

/** @throws KafkaError INVALID_REQUEST. */
export function checkTopicCount(names: readonly string[] | null): void {
  if (names !== null && names.length > mostTopicNames)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `a member subscribes to ${names.length} topics, more than the ${mostTopicNames} it may`,
    )
}
