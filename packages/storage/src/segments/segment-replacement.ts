/**
 * Puts a cleaned segment in the place of those it was made from. Source: Kafka's LocalLog.replaceSegments.
 *
 * A crash leaves the old segments (`.cleaned` files are removed at the next start) or, from the first rename on, the new one: what has the name
 * `.swap` takes the place of everything in its range then (tidy-directory.ts). Readers that have located something in an old segment go on
 * reading from it until its files go, after `file.delete.delay.ms`.
 */
import type { LogState } from '../log-state.ts'
import { Segment } from './segment.ts'
import { removeSegments } from './segment-turnover.ts'

export interface CleanedFiles {
  readonly sizeBytes: number
  readonly hasTransactionIndex: boolean
}

/**
 * `old`: neighbours in the log, none of them active, oldest first. The files of the new one have the base offset of the first of them, are
 * complete and synced, and end at the same offset as the last. A failure fails the log.
 */
export function replaceSegments(log: LogState, old: readonly Segment[], cleaned: CleanedFiles): void {
  const { services, directory, segments, logger, config } = log
  const { baseOffset } = old[0]!
  log.health.changing(() => {
    const segment = new Segment({
      services,
      logger,
      directory,
      baseOffset,
      config,
      exists: true,
      state: 'cleaned',
      ...cleaned,
    })
    // Retention of records without timestamps, and of the oldest formats' tombstones, goes by the age of the file.
    services.disk.setModifiedSync(segment.path, old.at(-1)!.modifiedMs())
    segment.changeState('swap')
    services.disk.syncDirectorySync(directory)
    removeSegments(log, old, { replacedAt: baseOffset })
    segments.add(segment)
    segment.changeState('live')
    services.disk.syncDirectorySync(directory)
  })
}
