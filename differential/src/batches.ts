/** Record batches in answers as values that can be compared: everything but times and checksums. */
import {
  attributes,
  baseOffset,
  baseSequence,
  batchPositions,
  isControl,
  lastOffset,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  readControlRecord,
  readRecords,
} from '@millrace/protocol'
import type { Identities, Side } from './identities.ts'

export interface Batch {
  readonly offsets: readonly [first: bigint, last: bigint]
  readonly leaderEpoch: number
  readonly attributes: number
  /** In the names of both, where known. */
  readonly producer: string
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly records: readonly unknown[]
}

export function batchesIn(bytes: Uint8Array, side: Side, identities: Identities): Batch[] {
  return Array.from(batchPositions(bytes), (at) => {
    const id = producerId(bytes, at)
    return {
      offsets: [baseOffset(bytes, at), lastOffset(bytes, at)],
      leaderEpoch: partitionLeaderEpoch(bytes, at),
      attributes: attributes(bytes, at),
      producer: id < 0n ? String(id) : identities.describe(id, side),
      producerEpoch: producerEpoch(bytes, at),
      baseSequence: baseSequence(bytes, at),
      records: isControl(bytes, at) ? [readControlRecord(bytes, at)] : Array.from(readRecords(bytes, at), recordValue),
    }
  })
}

function recordValue({
  offset,
  key,
  value,
  headers,
}: {
  offset: bigint
  key: Uint8Array | null
  value: Uint8Array | null
  headers: readonly unknown[]
}) {
  return { offset, key: text(key), value: text(value), headers: headers.length }
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString()
}
