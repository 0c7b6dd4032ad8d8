/** Rebuilding producer state from the batches of a log. */
import { ControlType, readControlRecord } from '@millrace/protocol'
import type { BatchCursor } from '../segments/batch-cursor.ts'
import type { CompletedTransaction, EndMarker } from './producer-append.ts'
import type { ProducerStates } from './producer-states.ts'

/** The marker in a control batch; null when it holds none (another type, or emptied by compaction). */
export function readEndMarker(bytes: Uint8Array, at: number): Pick<EndMarker, 'coordinatorEpoch' | 'isAbort'> | null {
  const record = readControlRecord(bytes, at)
  if (record === null || (record.type !== ControlType.ABORT && record.type !== ControlType.COMMIT)) return null
  return { coordinatorEpoch: record.coordinatorEpoch, isAbort: record.type === ControlType.ABORT }
}

/**
 * Takes the batch the cursor stands on into account, as a follower does: nothing is refused. Returns the transaction it completes, which
 * the caller has to give to `producers.complete`. Moves `mapEndOffset` behind the batch.
 */
export function replayBatch(producers: ProducerStates, cursor: BatchCursor): CompletedTransaction | null {
  const { producerId, lastOffset } = cursor
  producers.setMapEndOffset(lastOffset + 1n)
  if (producerId < 0n) return null
  const append = producers.prepare(producerId, 'replica')
  let completed: CompletedTransaction | null = null
  if (cursor.isControl) {
    const { baseOffset: offset, maxTimestamp: timestamp, producerEpoch: epoch } = cursor
    const marker = readEndMarker(cursor.readWholeSync(new Uint8Array(cursor.sizeBytes)), 0)
    if (marker === null) append.appendEmptiedMarker(epoch, timestamp)
    else completed = append.appendMarker({ ...marker, epoch, offset, timestamp, transactionVersion: 0 })
  } else
    append.appendData({
      epoch: cursor.producerEpoch,
      baseSequence: cursor.baseSequence,
      baseOffset: cursor.baseOffset,
      lastOffset,
      lastOffsetDelta: cursor.lastOffsetDelta,
      maxTimestamp: cursor.maxTimestamp,
      isTransactional: cursor.isTransactional,
    })
  producers.commit(append)
  return completed
}
