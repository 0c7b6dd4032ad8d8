/** Gives a batch to the program's handler: whole, or message by message. */
import type { TopicPartitionOffset } from '@millrace/client'
import { flat, type Offsets } from '../producer/transaction.ts'
import { translated } from '../translate-error.ts'
import type { Batch } from './batch.ts'
import type { ConsumerRunConfig } from './handlers.ts'
import { byTopic } from './resolved-offsets.ts'

export interface HandlingContext {
  /** The offset behind the batch, and behind what follows it unseen: markers of transactions, records that were compacted away. */
  readonly end: bigint
  /** Whether the rest of the batch is not to be handled: sought away from, or being taken away. */
  readonly isStale: () => boolean
  readonly isRunning: () => boolean
  readonly isPaused: () => boolean
  /** Of the batch's partition. The function it returns resumes it. */
  readonly pause: () => () => void
  /** Everything before `next` is done. */
  readonly resolve: (next: bigint) => void
  /** What is resolved, if `autoCommitInterval` or `autoCommitThreshold` says so. */
  readonly commitIfDue: () => Promise<void>
  readonly commit: (offsets: readonly TopicPartitionOffset[]) => Promise<void>
  readonly uncommitted: () => readonly TopicPartitionOffset[]
}

/** Resolves when the handler is done with it. What is not resolved then is to come again. @throws what the handler throws. */
export async function handleBatch(batch: Batch, config: ConsumerRunConfig, context: HandlingContext): Promise<void> {
  if (config.eachMessage) await eachMessage(batch, config, context)
  else if (config.eachBatch) await eachBatch(batch, config, context)
  else context.resolve(context.end)
}

async function eachMessage(
  { topic, partition, messages }: Batch,
  { eachMessage: handler, autoCommit }: ConsumerRunConfig,
  context: HandlingContext,
): Promise<void> {
  for (const [index, message] of messages.entries()) {
    if (!context.isRunning() || context.isStale()) return
    await handler!({ topic, partition, message, heartbeat: async () => {}, pause: context.pause })
    const isLast = index === messages.length - 1
    if (!context.isStale()) context.resolve(isLast ? context.end : BigInt(message.offset) + 1n)
    if (autoCommit !== false) await context.commitIfDue()
    if (context.isPaused()) return
  }
}

async function eachBatch(batch: Batch, config: ConsumerRunConfig, context: HandlingContext): Promise<void> {
  const { end, isStale } = context
  const last = batch.messages.at(-1)?.offset
  await config.eachBatch!({
    batch,
    resolveOffset: (offset) => {
      if (!isStale()) context.resolve(offset === last ? end : BigInt(offset) + 1n)
    },
    heartbeat: async () => {},
    pause: context.pause,
    commitOffsetsIfNecessary: (offsets) => committed(offsets, context),
    uncommittedOffsets: () => byTopic(context.uncommitted()),
    isRunning: context.isRunning,
    isStale,
  })
  if (config.eachBatchAutoResolve !== false && !isStale()) context.resolve(end)
}

/** Without offsets, what is due: with `autoCommit: false` as well, as with KafkaJS. */
async function committed(offsets: Partial<Offsets> | undefined | null, context: HandlingContext): Promise<void> {
  if (!offsets) return await translated(context.commitIfDue())
  const { topics } = offsets
  await translated(context.commit(topics === undefined ? context.uncommitted() : flat(topics)))
}
