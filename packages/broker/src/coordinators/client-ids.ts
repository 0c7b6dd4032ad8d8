/**
 * Ids that clients make up, and that the coordinators remember: of groups, members, instances and transactions.
 *
 * Kafka takes up to 32,767 bytes. But V8 hashes strings of 16,384 characters and more by their length alone: a few thousand such ids of one
 * length, and each look-up compares itself with all of them. A coordinator with these would take hours to load.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'

/** Two of these make a key as well. */
export const longestIdLength = 4096

/** @throws KafkaError with `errorCode` for an id that is not to be remembered. */
export function checkIdLength(id: string | null, errorCode: number = ErrorCode.INVALID_REQUEST): void {
  if (id !== null && id.length > longestIdLength)
    throw new KafkaError(errorCode, `an id has ${id.length} characters, more than the ${longestIdLength} it may have`)
}
