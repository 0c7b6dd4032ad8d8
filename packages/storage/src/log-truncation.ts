/** Cutting the end off a log: a follower whose records the leader does not have. Nothing may be staged. Source: Kafka's UnifiedLog.truncateTo. */
import type { LogState } from './log-state.ts'
import { replayLog } from './producers/replay-log.ts'
import { beginSegment, removeSegments } from './segments/segment-turnover.ts'

/** Cuts everything from `offset` on. Returns false when there was nothing to cut. A failure fails the log. */
export function truncateLog(log: LogState, offset: bigint): boolean {
  const { ends, segments, leaderEpochs, logger } = log
  if (offset < 0n) throw new Error(`${log.name}: cannot truncate to ${offset}`)
  if (offset >= ends.logEndOffset) {
    leaderEpochs.truncateFromEnd(ends.logEndOffset)
    return false
  }
  if (offset < ends.highWatermark)
    logger.warn('truncating below the high watermark', { offset, highWatermark: ends.highWatermark })
  if (segments.first.baseOffset > offset) {
    startLogOver(log, offset)
    return true
  }
  logger.info('truncating', { offset, logEndOffset: ends.logEndOffset })
  log.health.changing(() => {
    const behind = segments.all.filter((segment) => segment.baseOffset > offset)
    for (const segment of behind) segment.truncations++
    removeSegments(log, behind)
    // Or a crash of the system could bring them back behind what is appended next.
    if (behind.length > 0) log.services.disk.syncDirectorySync(log.directory)
    segments.active.truncateTo(offset)
    log.durability.forget(segments.active)
    leaderEpochs.truncateFromEnd(offset)
    ends.cutAt(offset)
    finishCut(log)
  })
  return true
}

/** Drops everything; the log begins again at `offset`. A failure fails the log. */
export function startLogOver(log: LogState, offset: bigint): void {
  const { ends, segments, leaderEpochs, producers } = log
  log.logger.info('dropping all records', { startAt: offset, logEndOffset: ends.logEndOffset })
  log.health.changing(() => {
    const old = [...segments.all]
    for (const segment of old) segment.truncations++
    removeSegments(log, old)
    beginSegment(log, offset).createFile()
    log.durability.syncNames()
    leaderEpochs.clear()
    producers.truncateFullyAndStartAt(offset)
    ends.startOver(offset)
    finishCut(log)
  })
}

/** The log ends at its new end: so do its recovery point, the producers' state and the leader epochs' file. */
function finishCut(log: LogState): void {
  const { ends, segments, services, durability, reader, producers, leaderEpochs } = log
  const { logStartOffset, logEndOffset: endOffset } = ends
  log.cleaning.cutTo(segments.active.baseOffset)
  durability.truncatedTo(endOffset)
  reader.forgetPositions()
  durability.addSnapshot(replayLog({ producers, segments, services, logStartOffset, endOffset }))
  void leaderEpochs.persist(endOffset)
}
