/** The offsets of batches that are appended: given by the leader, taken as they are by a follower. */
import { ErrorCode, KafkaError, setBaseOffset, setPartitionLeaderEpoch } from '@millrace/protocol'
import type { ValidatedBatch, ValidatedBatches } from './validation/index.ts'

/** Writes the offsets from `firstOffset` on, and the epoch, into the batches. Neither is under their checksum. */
export function assignOffsets({ bytes, batches }: ValidatedBatches, firstOffset: bigint, leaderEpoch: number): void {
  let offset = firstOffset
  for (const batch of batches) {
    setBaseOffset(bytes, batch.position, offset)
    setPartitionLeaderEpoch(bytes, batch.position, leaderEpoch)
    offset += BigInt(batch.lastOffsetDelta + 1)
  }
}

/** @throws KafkaError OFFSET_OUT_OF_RANGE when batches from a leader begin below the log end. */
export function checkReplicatedOffsets({ batches }: ValidatedBatches, logEndOffset: bigint, partition: string): void {
  const { baseOffset } = batches[0]!
  if (baseOffset < logEndOffset)
    throw new KafkaError(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `${partition}: records from the leader begin at ${baseOffset}, expected at least ${logEndOffset}`,
    )
}

/** The offset behind a batch that has its final offset. In magic 0 and 1 the header holds the last offset. */
export function endOffsetOf({ magic, baseOffset, lastOffsetDelta }: ValidatedBatch): bigint {
  return magic < 2 ? baseOffset + 1n : baseOffset + BigInt(lastOffsetDelta + 1)
}
