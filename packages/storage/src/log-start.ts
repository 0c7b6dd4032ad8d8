/** Moving the start of a log: by DeleteRecords, and by the retention of whole segments. Source: Kafka's UnifiedLog.deleteOldSegments. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { LogState } from './log-state.ts'
import type { DeletedSegment } from './partition-log-options.ts'
import { deletableSegments, retentionRules } from './retention.ts'
import { removeSegments, rollSegment } from './segments/segment-turnover.ts'
import type { Segment } from './segments/segment.ts'

/** For DeleteRecords. @throws KafkaError OFFSET_OUT_OF_RANGE above the high watermark. */
export function deleteRecordsBefore(log: LogState, offset: bigint): void {
  const { highWatermark } = log.ends
  if (offset > highWatermark)
    throw new KafkaError(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `${log.name}: the log cannot start at ${offset}, above the high watermark ${highWatermark}`,
    )
  advanceLogStart(log, offset)
}

/** Lets go of the segments that no rule wants kept, and tells which. A failure fails the log. */
export function applyRetention(log: LogState, nowMs: number): readonly DeletedSegment[] {
  const { ends, segments, config } = log
  const deleted: DeletedSegment[] = []
  log.health.changing(() => {
    for (const rule of retentionRules(config)) {
      const { highWatermark, logStartOffset, logEndOffset } = ends
      const state = {
        segments: segments.all,
        highWatermark,
        logStartOffset,
        logEndOffset,
        sizeBytes: segments.sizeBytes,
      }
      const deletable = deletableSegments(rule, state, config, nowMs)
      for (const { baseOffset, sizeBytes } of deletable) {
        log.logger.info('deleting a segment', { baseOffset, sizeBytes, rule })
        deleted.push({ baseOffset, sizeBytes })
      }
      deleteSegments(log, deletable)
    }
  })
  return deleted
}

function deleteSegments(log: LogState, deletable: readonly Segment[]): void {
  const last = deletable.at(-1)
  if (last === undefined) return
  const { segments, ends } = log
  if (deletable.length === segments.count) {
    // The new segment's file is all that tells the next start where the log ends.
    rollSegment(log, ends.logEndOffset).createFile()
  }
  advanceLogStart(log, segments.after(last)!.baseOffset)
  removeSegments(log, deletable)
}

function advanceLogStart({ ends, logger, leaderEpochs, producers }: LogState, offset: bigint): void {
  if (offset <= ends.logStartOffset) return
  logger.info('log start moved', { from: ends.logStartOffset, to: offset })
  ends.advanceStart(offset)
  leaderEpochs.truncateFromStart(offset)
  producers.onLogStart(offset)
  void leaderEpochs.persist(ends.writtenEndOffset)
}
