/** The partitioners that a producer has, behind one interface; records that name their partition do not come here. */
import type { Random } from '@millrace/runtime'
import type { RecordField } from '@millrace/protocol'
import { handleFailureOf } from '../../handle-failure.ts'
import { partitionOfKey } from './murmur2.ts'
import type { Partitioner } from '../partitioner.ts'
import type { StickyPartition } from './sticky-partition.ts'

/** What a chooser is told of a topic. */
export interface PartitionedTopic {
  readonly name: string
  readonly partitionsCount: number
  /** Partitions that have a leader now, ascending. */
  readonly availablePartitions: readonly number[]
  readonly sticky: StickyPartition
  /** Bytes of records that wait for this partition or are on their way. */
  readonly queuedBytes: (partition: number) => number
}

export type PartitionChooser = (topic: PartitionedTopic, key: RecordField, value: RecordField) => number

export type PartitionerName = 'default' | 'round-robin' | 'random' | 'least-loaded'

export interface ChooserOptions {
  readonly partitioner: Partitioner | PartitionerName
  readonly ignoreKeys: boolean
  readonly random: Random
}

export function partitionChooser({ partitioner, ignoreKeys, random }: ChooserOptions): PartitionChooser {
  switch (partitioner) {
    case 'default':
      return ignoreKeys ? stickyOnly : byKeyOrSticky
    case 'round-robin':
      return roundRobin()
    case 'random':
      return ({ partitionsCount, availablePartitions: available }) =>
        available.length > 0 ? available[random.integer(available.length)]! : random.integer(partitionsCount)
    case 'least-loaded':
      return leastLoaded(random)
    default:
      return checked(partitioner)
  }
}

function byKeyOrSticky(topic: PartitionedTopic, key: RecordField): number {
  if (key !== null) return partitionOfKey(key, topic.partitionsCount)
  return topic.sticky.current(topic.partitionsCount, topic.availablePartitions)
}

function stickyOnly({ sticky, partitionsCount, availablePartitions }: PartitionedTopic): number {
  return sticky.current(partitionsCount, availablePartitions)
}

/** One partition after the other, each topic for itself, whatever the key. */
function roundRobin(): PartitionChooser {
  const turns = new WeakMap<StickyPartition, number>()
  return ({ sticky, partitionsCount, availablePartitions: available }) => {
    const turn = turns.get(sticky) ?? 0
    turns.set(sticky, (turn + 1) % 0x4000_0000)
    return available.length > 0 ? available[turn % available.length]! : turn % partitionsCount
  }
}

/** The available partition with the fewest bytes waiting, whatever the key; the search begins anywhere, so that ties are spread. */
function leastLoaded(random: Random): PartitionChooser {
  return ({ partitionsCount, availablePartitions: available, queuedBytes }) => {
    if (available.length === 0) return random.integer(partitionsCount)
    const start = random.integer(available.length)
    let best = available[start]!
    for (let step = 1; step < available.length && queuedBytes(best) > 0; step++) {
      const candidate = available[(start + step) % available.length]!
      if (queuedBytes(candidate) < queuedBytes(best)) best = candidate
    }
    return best
  }
}

/** A partitioner of the application. @throws RangeError when it gives something that is not a partition. */
function checked(partitioner: Partitioner): PartitionChooser {
  return ({ name, partitionsCount, availablePartitions, queuedBytes }, key, value) => {
    const partition = partitioner({ topic: name, key, value, partitionsCount, availablePartitions, queuedBytes })
    if (Number.isInteger(partition) && partition >= 0 && partition < partitionsCount) return partition
    handleFailureOf(partition, () => {})
    throw new RangeError(
      `the partitioner gave ${String(partition)} for ${name}, which has partitions 0 to ${partitionsCount - 1}`,
    )
  }
}
