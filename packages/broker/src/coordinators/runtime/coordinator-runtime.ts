/**
 * What all coordinators stand on: the partitions of an internal topic that this broker leads, each with its shard. Follows the metadata: a shard
 * is loaded when this broker begins to lead its partition, and dropped when that ends. Source: Kafka's CoordinatorRuntime.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Partitions } from '../../partitions/partitions.ts'
import type { CoordinatorShard } from './coordinator-shard.ts'
import type { Decision } from './decision.ts'
import { partitionForKey } from './partition-for-key.ts'
import { ShardHost, type ShardHostOptions, type TransactionMarker } from './shard-host.ts'

export interface CoordinatorRuntimeOptions<S extends CoordinatorShard> extends Omit<ShardHostOptions<S>, 'partition'> {
  readonly topic: string
  /** How many partitions the topic is going to have while it does not exist. */
  readonly plannedPartitions: () => number
  readonly partitions: Partitions
}

export class CoordinatorRuntime<S extends CoordinatorShard> {
  readonly topic: string
  readonly #options: CoordinatorRuntimeOptions<S>
  /** By partition. */
  readonly #hosts = new Map<number, ShardHost<S>>()
  #isClosed = false
  /** One after the other: together they would not be done sooner, and each turn of the event loop would wait for a slice of all. */
  #loads: Promise<void> = Promise.resolve()

  constructor(options: CoordinatorRuntimeOptions<S>) {
    this.topic = options.topic
    this.#options = options
  }

  /** Partitions that this broker leads, their shards loaded or not. */
  get ledPartitions(): number[] {
    return [...this.#hosts.keys()]
  }

  /** Partitions whose shards are loaded. */
  get activePartitions(): number[] {
    return [...this.#hosts].filter(([, host]) => host.isActive).map(([partition]) => partition)
  }

  /** Whether any shard is being loaded. */
  get isLoading(): boolean {
    return this.#hosts.values().some((host) => host.isLoading)
  }

  /** The partition that coordinates `key` (a group id, a transactional id, …), or will when the topic exists: FindCoordinator creates it. */
  partitionOf(key: string): number {
    const { image, plannedPartitions } = this.#options
    return partitionForKey(key, image().topics.get(this.topic)?.partitions.length ?? plannedPartitions())
  }

  /** Rejects as `ShardHost.write`. */
  async write<T>(partition: number, decide: (shard: S) => Decision<T>): Promise<T> {
    return this.#host(partition).write(decide)
  }

  /** Rejects as `ShardHost.write`. */
  async read<T>(partition: number, look: (shard: S) => T): Promise<T> {
    return this.#host(partition).read(look)
  }

  /** Appends the marker, and tells the shard. Rejects as `ShardHost.endTransaction`. */
  async endTransaction(partition: number, marker: TransactionMarker): Promise<void> {
    return this.#host(partition).endTransaction(marker)
  }

  /** Brings the shards in step with the metadata. To be called after `Partitions.apply`, at the start and for every image. */
  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    if (changedTopics === null || changedTopics.has(this.topic)) this.#follow(image)
    for (const host of this.#hosts.values()) host.metadataChanged(image, changedTopics)
  }

  /** Ends the shards whose partitions are offline: who waits there would wait for what cannot be written any more. */
  directoryFailed(): void {
    for (const [index, host] of this.#hosts) {
      if (!host.partition.isOffline) continue
      host.close()
      this.#hosts.delete(index)
    }
  }

  /** Requests are refused with NOT_COORDINATOR from now on, also those that wait. */
  close(): void {
    this.#isClosed = true
    for (const host of this.#hosts.values()) host.close()
    this.#hosts.clear()
  }

  #follow(image: MetadataImage): void {
    if (this.#isClosed) return
    const count = image.topics.get(this.topic)?.partitions.length ?? 0
    for (const [index, host] of this.#hosts) {
      const partition = this.#options.partitions.get(this.topic, index)
      if (partition === host.partition && partition.isLeader && index < count) continue
      host.close()
      this.#hosts.delete(index)
    }
    for (let index = 0; index < count; index++) {
      const partition = this.#options.partitions.get(this.topic, index)
      if (partition === undefined || !partition.isLeader || partition.isOffline || this.#hosts.has(index)) continue
      const host = new ShardHost({ ...this.#options, partition })
      this.#hosts.set(index, host)
      this.#loads = this.#loads.then(() => host.load())
    }
  }

  #host(partition: number): ShardHost<S> {
    const host = this.#hosts.get(partition)
    if (host === undefined) throw new KafkaError(ErrorCode.NOT_COORDINATOR)
    return host
  }
}
