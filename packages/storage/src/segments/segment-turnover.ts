/** How segments come into a log and leave it. */
import type { LogState } from '../log-state.ts'
import { Segment } from './segment.ts'

/** An empty segment without a file yet becomes the active one. */
export function beginSegment(log: LogState, baseOffset: bigint): Segment {
  const segment = new Segment({
    services: log.services,
    logger: log.logger,
    directory: log.directory,
    baseOffset,
    sizeBytes: 0,
    config: log.config,
    exists: false,
    hasTransactionIndex: false,
  })
  log.segments.add(segment)
  return segment
}

/**
 * Returns the segment to append to, which begins at `baseOffset`. The snapshot lets recovery begin at its start. The old segment is synced in
 * the background.
 */
export function rollSegment(log: LogState, baseOffset: bigint): Segment {
  const { durability, producers } = log
  const old = log.segments.active
  if (old.baseOffset === baseOffset && old.sizeBytes === 0) return old
  const segment = beginSegment(log, baseOffset)
  producers.setMapEndOffset(baseOffset)
  durability.addSnapshot(producers.takeSnapshot())
  if (old.writtenBytes === old.sizeBytes) durability.sealRolled(old)
  log.logger.debug('rolled', { baseOffset, previousBytes: old.sizeBytes })
  return segment
}

/**
 * Out of the list and renamed at once; the files go when readers have had time to finish. `replacedAt`: one that begins there takes their place,
 * and so the records, and the snapshot of that offset, are not lost.
 */
export function removeSegments(
  log: LogState,
  segments: readonly Segment[],
  { replacedAt = null }: { readonly replacedAt?: bigint | null } = {},
): void {
  for (const segment of segments) {
    log.segments.remove(segment)
    log.durability.forget(segment)
    segment.isReplaced = replacedAt !== null
    const keepsSnapshot = segment.baseOffset === replacedAt
    const snapshot = keepsSnapshot ? null : log.producers.markSnapshotDeleted(segment.baseOffset)
    log.removals.add(segment, snapshot, log.config.fileDeleteDelayMs)
  }
  log.reader.forgetPositions()
}
