/** The record types of each internal topic, by id: what loading a partition of it needs. */
import { Reader } from '../codec/reader.ts'
import * as classicGroup from './classic-group.ts'
import * as consumerGroup from './consumer-group.ts'
import * as offsetCommit from './offset-commit.ts'
import type { RecordType } from './record-type.ts'
import * as shareGroup from './share-group.ts'
import * as shareState from './share-state.ts'
import * as transactionLog from './transaction-log.ts'

export type RecordTypes = ReadonlyMap<number, RecordType>

/** Of `__consumer_offsets`; those of streams groups (17 to 23) are not among them. */
export const consumerOffsetsRecords: RecordTypes = byId({
  ...offsetCommit,
  ...classicGroup,
  ...consumerGroup,
  ...shareGroup,
})
/** Of `__transaction_state`. */
export const transactionStateRecords: RecordTypes = byId(transactionLog)
/** Of `__share_group_state`. */
export const shareGroupStateRecords: RecordTypes = byId(shareState)

/**
 * The type of a record, by its key; null when it is none of `types`: a newer broker wrote it, and a loader skips it.
 * @throws MalformedMessageError when the key is shorter than a type.
 */
export function recordTypeOf(types: RecordTypes, key: Uint8Array): RecordType | null {
  return types.get(new Reader(key).int16()) ?? null
}

function byId(types: Readonly<Record<string, unknown>>): RecordTypes {
  return new Map((Object.values(types) as RecordType[]).map((type) => [type.id, type]))
}
