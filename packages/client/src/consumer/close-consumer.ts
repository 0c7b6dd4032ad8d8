/** How a consumer gives up what it has: for good, or for another subscription. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ConsumerCore } from './consumer-core.ts'

/** Kafka's. */
const defaultCloseTimeoutMs = 30_000
/**
 * `close` waits so long for a loop to ask for its next record. Not longer, as it may be the loop's own body that waits for `close`; then the record in hand
 * is not committed.
 */
const loopGraceMs = 1_000

export interface CloseOptions {
  /** For finishing what is in hand, committing and leaving. Default 30 s. */
  readonly timeoutMs?: number | undefined
  /** Whether the group gives the partitions to others at once. Default: not those of a static member (`groupInstanceId`), which may come back. */
  readonly leaveGroup?: boolean | undefined
}

/** Never rejects: what goes wrong goes to `onError`. */
export async function closeConsumer<K, V>(
  core: ConsumerCore<K, V>,
  { timeoutMs = defaultCloseTimeoutMs, leaveGroup = leavesByDefault(core) }: CloseOptions,
): Promise<void> {
  using _awake = core.cluster.holdProcess()
  core.rebalances.hurry({ loopMs: Math.min(loopGraceMs, timeoutMs), handlerMs: timeoutMs })
  core.source.close()
  await within(core, timeoutMs, (signal) => giveUpEverything(core, { leaveGroup, signal }))
  await core.dispose()
}

/** A loop that is in the middle of a record is not waited for: it is where this is called from. */
export async function endSubscription<K, V>(core: ConsumerCore<K, V>): Promise<void> {
  const { settings, rebalances } = core
  using _awake = core.cluster.holdProcess()
  core.subscription = null
  core.isAssignedByHand = false
  rebalances.hurry({ loopMs: 0, handlerMs: settings.defaultApiTimeoutMs })
  try {
    const leaveGroup = leavesByDefault(core)
    await within(core, settings.defaultApiTimeoutMs, (signal) => giveUpEverything(core, { leaveGroup, signal }))
  } finally {
    rebalances.calmDown()
  }
}

/** Static members keep their place until their session ends (KIP-345). */
function leavesByDefault<K, V>({ settings }: ConsumerCore<K, V>): boolean {
  return settings.groupInstanceId === null
}

async function giveUpEverything<K, V>(
  core: ConsumerCore<K, V>,
  options: { readonly leaveGroup: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { membership, rebalances, assignment, source } = core
  if (membership === null) {
    await rebalances.dismissed([...assignment])
    return
  }
  try {
    await membership.leave(options)
  } finally {
    await membership[Symbol.asyncDispose]()
    // Nothing is left, unless leaving has failed.
    await rebalances.lost([...assignment].map(({ topic, partition }) => ({ topic, partition })))
    // Asked for twice, both wait for the same one; by now another may have taken its place.
    if (core.membership === membership) core.membership = null
    // A loop may wait already for what was subscribed to meanwhile.
    if (core.subscription !== null || core.isAssignedByHand) source.wake()
  }
}

/** Waits for `work` as long as that; its signal is aborted then. */
async function within<K, V>(
  core: ConsumerCore<K, V>,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const late = new AbortController()
  const { promise: timeout, resolve } = Promise.withResolvers<void>()
  const timer = core.cluster.world.clock.after(timeoutMs, () => {
    const failure = new KafkaError(ErrorCode.REQUEST_TIMED_OUT, `giving up partitions took longer than ${timeoutMs} ms`)
    late.abort(failure)
    core.troubled(failure)
    resolve()
  })
  const done = work(late.signal).catch((error: unknown) => {
    if (!late.signal.aborted) core.troubled(error as Error)
  })
  await Promise.race([done, timeout])
  timer.cancel()
}
