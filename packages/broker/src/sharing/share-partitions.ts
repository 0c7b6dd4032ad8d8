/** The share partitions of this broker: for each group that reads here, one for each partition it reads. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'
import { formatSharePartitionKey, type SharePartitionKey } from '../coordinators/share-partition-key.ts'
import type { FetchWaiter, Partition } from '../partitions/partition.ts'
import type { Partitions } from '../partitions/partitions.ts'
import { firstOffsetOf } from './offset-reset.ts'
import type { Persister } from './persister.ts'
import { SharePartition, type SharePartitionSettings } from './share-partition.ts'
import type { SharedPartitionId } from './share-sessions.ts'

export interface ShareGroupSettings extends SharePartitionSettings {
  /** `share.auto.offset.reset` */
  offsetReset(): string
}

export interface SharePartitionsOptions {
  readonly partitions: Partitions
  readonly clock: Clock
  readonly persister: Persister
  readonly topicNameById: (topicId: string) => string | undefined
  readonly settingsOf: (groupId: string) => ShareGroupSettings
}

export class SharePartitions {
  readonly #options: SharePartitionsOptions
  readonly #byKey = new Map<string, SharePartition>()
  readonly #byGroup = new Map<string, Set<SharePartition>>()

  constructor(options: SharePartitionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byKey.size
  }

  /** undefined when nothing of it was read here. */
  get(groupId: string, { topicId, index }: SharedPartitionId): SharePartition | undefined {
    return this.#byKey.get(formatSharePartitionKey({ groupId, topicId, partition: index }))
  }

  /**
   * Also makes one, which is then to be loaded.
   * @throws KafkaError UNKNOWN_TOPIC_ID, and as `Partitions.find` and `Partition.leaderLog`.
   */
  find(groupId: string, id: SharedPartitionId): SharePartition {
    return this.get(groupId, id) ?? this.#create({ groupId, topicId: id.topicId, partition: id.index })
  }

  /** Where its log is. @throws KafkaError as `find`. */
  partitionOf({ topicId, index }: SharedPartitionId): Partition {
    const topic = this.#options.topicNameById(topicId)
    if (topic === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
    return this.#options.partitions.find(topic, index, topicId)
  }

  /** Gives back what the member has acquired of these. Resolves when that is persisted, or cannot be. */
  async release(groupId: string, memberId: string, partitions: readonly SharedPartitionId[]): Promise<void> {
    const shares = partitions.map((partition) => this.get(groupId, partition)).filter((share) => share !== undefined)
    await Promise.allSettled(shares.map((share) => share.release(memberId)))
  }

  /** Nobody of the group reads here any more. What is acquired is available to whoever reads next. */
  dropGroup(groupId: string): void {
    for (const share of this.#byGroup.get(groupId) ?? []) share.lose()
  }

  dropAll(): void {
    for (const share of this.#byKey.values()) share.lose()
  }

  #create(key: SharePartitionKey): SharePartition {
    const { clock, persister, settingsOf } = this.#options
    const partition = this.partitionOf({ topicId: key.topicId, index: key.partition })
    // Checks that this broker leads.
    partition.leaderLog(-1)
    const settings = settingsOf(key.groupId)
    const watch: FetchWaiter = {
      partitionMoved: () => {
        if (leads(partition, share.leaderEpoch)) share.logMoved()
        else share.lose()
      },
    }
    const share: SharePartition = new SharePartition({
      key,
      leaderEpoch: partition.leaderEpoch,
      clock,
      persister,
      settings,
      firstOffset: () => firstOffsetOf(partition.leaderLog(share.leaderEpoch), settings.offsetReset(), clock),
      onLost: () => {
        partition.removeFetchWaiter(watch)
        this.#remove(share)
      },
    })
    partition.addFetchWaiter(watch)
    this.#byKey.set(formatSharePartitionKey(key), share)
    const group = this.#byGroup.get(key.groupId)
    if (group === undefined) this.#byGroup.set(key.groupId, new Set([share]))
    else group.add(share)
    return share
  }

  #remove(share: SharePartition): void {
    const { groupId } = share.key
    this.#byKey.delete(formatSharePartitionKey(share.key))
    const group = this.#byGroup.get(groupId)
    group?.delete(share)
    if (group?.size === 0) this.#byGroup.delete(groupId)
  }
}

/** Still, and in the same epoch. */
function leads(partition: Partition, leaderEpoch: number): boolean {
  try {
    partition.leaderLog(leaderEpoch)
    return true
  } catch (error) {
    if (error instanceof KafkaError) return false
    throw error
  }
}
