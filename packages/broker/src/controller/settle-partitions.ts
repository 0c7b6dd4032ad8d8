/** Goes over the partitions after brokers have come or gone, and writes what changes. */
import { createNode, setNode } from '@millrace/coordination'
import type { Operation } from '@millrace/coordination'
import { type Clock, TimeSlice } from '@millrace/runtime'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import { isAlive } from './create-topics.ts'
import type { ControllerSettings } from './controller-settings.ts'
import { MAX_OPERATIONS_PER_TRANSACTION } from './metadata-writer.ts'
import type { MetadataWriter } from './metadata-writer.ts'
import { nextPartitionState, NO_STATE } from './partition-election.ts'
import { encodeState, statePath } from './znodes.ts'

export interface SettleOptions {
  readonly writer: MetadataWriter
  readonly settings: ControllerSettings
  readonly clock: Clock
  /** Whether the broker has lost its place in the partition's ISR: see `ElectionFacts.isSuspect`. */
  isSuspect(topic: string, partition: number, brokerId: number): boolean
}

/** Longer than for a request: while partitions wait for their leaders, everybody waits. */
const SLICE_MS = 25

/** Resolves with the number of partitions that changed, when all is durable. In slices, since there may be very many. */
export async function settlePartitions(options: SettleOptions): Promise<number> {
  const { writer, clock } = options
  const slice = new TimeSlice(clock, SLICE_MS)
  const writes: Promise<void>[] = []
  let topics = new Map<string, TopicImage>()
  let operations: Operation[] = []
  let changed = 0
  const flush = (): void => {
    if (operations.length === 0) return
    const write = writer.submit(operations, { topics })
    // Awaited below; a failure before that is not unhandled.
    write.catch(() => {})
    writes.push(write)
    changed += operations.length
    topics = new Map()
    operations = []
  }
  for (const name of writer.draft.topics.keys()) {
    if (operations.length >= MAX_OPERATIONS_PER_TRANSACTION) flush()
    if (slice.isOver) {
      flush()
      await slice.next()
    }
    const topic = writer.draft.topics.get(name)
    const settled = topic === undefined ? null : settleTopic(topic, operations, options)
    if (settled !== null) topics.set(name, settled)
  }
  flush()
  await Promise.all(writes)
  return changed
}

/** The topic with its partitions' new states, whose writing is added to `operations`; null when none changes. */
function settleTopic(topic: TopicImage, operations: Operation[], options: SettleOptions): TopicImage | null {
  const { writer, settings } = options
  let partitions: PartitionImage[] | null = null
  for (const [index, partition] of topic.partitions.entries()) {
    const next = nextPartitionState(partition, {
      isAlive: (id) => isAlive(writer.draft, id),
      isSuspect: (id) => options.isSuspect(topic.name, index, id),
      allowsUnclean: () => settings.allowsUncleanElection(writer.draft, topic.name),
    })
    if (next === null) continue
    partitions ??= [...topic.partitions]
    partitions[index] = next
    const data = encodeState(next, writer.controllerEpoch)
    const path = statePath(topic.name, index)
    operations.push(
      partition.partitionEpoch === NO_STATE ? createNode(path, data) : setNode(path, data, partition.partitionEpoch),
    )
  }
  return partitions === null ? null : { ...topic, partitions }
}
