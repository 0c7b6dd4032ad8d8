/** The orderly end of one log directory. */
import type { Clock, Logger } from '@millrace/runtime'
import type { LogDirectory } from './log-directory.ts'
import { forEachPaced } from './pace.ts'

export interface CloseOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly concurrency: number
  readonly brokerEpoch: bigint
}

/**
 * Closes every log, writes the checkpoints and says that the stop was clean. A disk error leaves the directory as after a crash, with its
 * next start doing a recovery; it does not keep the other directories from closing.
 */
export async function closeDirectory(directory: LogDirectory, options: CloseOptions): Promise<void> {
  const { clock, logger, concurrency, brokerEpoch } = options
  if (!directory.isOnline) return
  const startMs = clock.monotonicMs()
  const logs = [...directory.logs.values(), ...directory.futures.values()]
  await directory.guardAsync(async () => {
    await directory.unsettled.settle()
    await forEachPaced(logs, { clock, concurrency }, ({ log }) => log.close())
    await directory.checkpoints.writeAll()
    if (!directory.isOnline) return
    directory.markCleanShutdown(brokerEpoch)
    logger.info('Closed log directory', {
      directory: directory.path,
      logs: logs.length,
      durationMs: Math.round(clock.monotonicMs() - startMs),
    })
  })
  directory.release()
}
