/** Brings producer state to an offset: from the newest snapshot, then by the headers of the batches behind it. */
import type { LogServices } from '../log-services.ts'
import type { SegmentList } from '../segments/segment-list.ts'
import type { ProducerStates } from './producer-states.ts'
import { replayBatch } from './replay.ts'

export interface ReplayOptions {
  readonly producers: ProducerStates
  readonly segments: SegmentList
  readonly services: LogServices
  readonly logStartOffset: bigint
  /** The producers' state is wanted before this offset; the end of the log. */
  readonly endOffset: bigint
}

/**
 * After a truncation. Returns the path of the snapshot it took at the end, not synced; null when there was none to take.
 * Source: UnifiedLog.rebuildProducerState.
 */
export function replayLog(options: ReplayOptions): string | null {
  const { producers, services, endOffset, logStartOffset } = options
  // Who had no producers before has none after; their log need not be read.
  const nothingToReplay = producers.isEmpty && producers.mapEndOffset >= endOffset
  producers.truncateAndReload(logStartOffset, endOffset, services.clock.now())
  if (!nothingToReplay) replayBatches(options)
  producers.setMapEndOffset(endOffset)
  return producers.takeSnapshot()
}

/** Replays the batches between `mapEndOffset` and `endOffset`. Returns the bytes of log that were walked over. */
export function replayBatches({ producers, segments, services, logStartOffset, endOffset }: ReplayOptions): number {
  let walkedBytes = 0
  const from = producers.mapEndOffset > logStartOffset ? producers.mapEndOffset : logStartOffset
  for (const segment of segments.from(from)) {
    if (segment.baseOffset >= endOffset || segment.writtenBytes === 0) continue
    const start = segment.baseOffset >= from ? 0 : segment.positionBelow(from)
    const cursor = services.cursor.reset(segment.log, start, segment.writtenBytes)
    while (cursor.nextSync()) {
      if (cursor.lastOffset < from) continue
      if (cursor.baseOffset >= endOffset) break
      const completed = replayBatch(producers, cursor)
      if (completed !== null) producers.complete(completed)
    }
    walkedBytes += cursor.position - start
    segment.assertWalked(cursor)
  }
  return walkedBytes
}
