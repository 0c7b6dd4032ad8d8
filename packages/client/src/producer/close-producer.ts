/** How a producer ends: what there is goes out first, as long as there is time. */
import type { ProducerCore } from './producer-core.ts'

/** `timeoutMs` null: as long as records are tried for. What is left then fails. */
export async function closeProducer(core: ProducerCore, timeoutMs: number | null): Promise<void> {
  const { cluster, world } = core.context
  core.sender.isClosing = true
  const enough = Promise.withResolvers<void>()
  const timer = timeoutMs === null ? null : world.clock.after(timeoutMs, () => enough.resolve())
  try {
    using _awake = cluster.holdProcess()
    await Promise.race([finish(core), enough.promise])
  } finally {
    timer?.cancel()
    await core.dispose()
  }
}

/** Sends what there is, and leaves no transaction open. */
async function finish(core: ProducerCore): Promise<void> {
  const manager = core.transactions?.manager ?? null
  try {
    if (manager === null || !manager.isOpen || manager.isCompleting) await core.flush()
    if (manager === null) return
    await manager.settlePending()
    if (manager.isOpen) await manager.abort()
  } catch (error) {
    const { logger } = core.configuration
    logger.warn('closing a producer left its transaction open; the broker aborts it in time', { error })
  }
}
