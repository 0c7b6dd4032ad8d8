/** The share coordinator of a broker: keeps the state of share partitions in `__share_group_state`. Source: Kafka's ShareCoordinatorService. */
import { shareGroupStateRecords } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import { createAutomatically } from '../../controller/automatic-topics.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { BrokerServices } from '../../server/broker-services.ts'
import type { PersistedState, StateSummary, StateWrite } from '../../sharing/persister.ts'
import { runtimeServices, type Coordinator } from '../coordinator.ts'
import { CoordinatorRuntime } from '../runtime/coordinator-runtime.ts'
import type { Decision } from '../runtime/decision.ts'
import { formatSharePartitionKey, type SharePartitionKey } from '../share-partition-key.ts'
import { ShareStateShard } from './share-state-shard.ts'
import { SHARE_STATE_TOPIC } from '../../controller/topic-names.ts'

export class ShareCoordinator implements Coordinator {
  readonly #services: BrokerServices
  readonly #runtime: CoordinatorRuntime<ShareStateShard>
  #pruneTimer: Timer | null = null
  #isClosed = false

  constructor(services: BrokerServices) {
    const { config } = services
    this.#services = services
    this.#runtime = new CoordinatorRuntime<ShareStateShard>({
      ...runtimeServices(services),
      topic: SHARE_STATE_TOPIC,
      plannedPartitions: () => config.get('share.coordinator.state.topic.num.partitions'),
      types: shareGroupStateRecords,
      makeShard: (context) =>
        new ShareStateShard(context, {
          updatesPerSnapshot: () => config.get('share.coordinator.snapshot.update.records.per.snapshot'),
          coldSnapshotIntervalMs: () => config.get('share.coordinator.cold.partition.snapshot.interval.ms'),
        }),
      loadBufferBytes: config.get('share.coordinator.load.buffer.size'),
      writeTimeoutMs: () => config.get('share.coordinator.write.timeout.ms'),
      compression: () => config.get('share.coordinator.state.topic.compression.codec'),
    })
    this.#schedulePruning()
  }

  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    this.#runtime.apply(image, changedTopics)
  }

  directoryFailed(): void {
    this.#runtime.directoryFailed()
  }

  close(): void {
    this.#isClosed = true
    this.#pruneTimer?.cancel()
    this.#runtime.close()
  }

  /** Creates the topic if it is missing, and waits for it a moment. */
  async ensureTopic(): Promise<void> {
    if (!this.#services.metadata.image.topics.has(SHARE_STATE_TOPIC))
      await createAutomatically([SHARE_STATE_TOPIC], this.#services)
  }

  /** These reject as the shard's methods, and as `ShardHost.write`. */
  async initialize(key: SharePartitionKey, start: { stateEpoch: number; startOffset: bigint }): Promise<void> {
    return this.#write(key, (shard) => shard.initialize(key, start))
  }

  async read(key: SharePartitionKey, leaderEpoch: number): Promise<PersistedState> {
    return this.#write(key, (shard) => shard.read(key, leaderEpoch))
  }

  async write(key: SharePartitionKey, write: StateWrite): Promise<void> {
    return this.#write(key, (shard) => shard.write(key, write))
  }

  async readSummary(key: SharePartitionKey): Promise<StateSummary> {
    return this.#runtime.read(this.#partitionOf(key), (shard) => shard.summary(key))
  }

  async delete(key: SharePartitionKey): Promise<void> {
    return this.#write(key, (shard) => shard.delete(key))
  }

  async #write<T>(key: SharePartitionKey, decide: (shard: ShareStateShard) => Decision<T>): Promise<T> {
    return this.#runtime.write(this.#partitionOf(key), decide)
  }

  #partitionOf(key: SharePartitionKey): number {
    return this.#runtime.partitionOf(formatSharePartitionKey(key))
  }

  #schedulePruning(): void {
    const { clock, config, logger } = this.#services
    this.#pruneTimer = clock.after(config.get('share.coordinator.state.topic.prune.interval.ms'), () => {
      this.prune()
        .catch((error: unknown) => {
          logger.warn(`cannot prune ${SHARE_STATE_TOPIC}`, { error })
        })
        .finally(() => {
          if (!this.#isClosed) this.#schedulePruning()
        })
    })
  }

  /** Deletes records that newer ones have made useless: the topic is not compacted. */
  async prune(): Promise<void> {
    for (const index of this.#runtime.activePartitions) {
      const neededFrom = await this.#runtime.read(index, ({ neededFrom: offset }) => offset)
      const partition = this.#services.partitions.get(SHARE_STATE_TOPIC, index)
      if (partition === undefined || partition.isOffline || !partition.isLeader) continue
      const { log } = partition
      const target = neededFrom < log.highWatermark ? neededFrom : log.highWatermark
      if (target <= log.logStartOffset) continue
      log.deleteRecordsBefore(target)
      partition.logStartMoved()
    }
  }
}
