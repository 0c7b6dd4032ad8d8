/** The group coordinator of a broker: finds the shard of a group. What a request does there is up to the shard's parts. */
import { consumerOffsetsRecords, ErrorCode, KafkaError } from '@millrace/protocol'
import type { MetadataImage } from '../../metadata/image.ts'
import type { BrokerServices } from '../../server/broker-services.ts'
import { runtimeServices, type Coordinator } from '../coordinator.ts'
import { CoordinatorRuntime } from '../runtime/coordinator-runtime.ts'
import type { Decision, ProducerIdentity } from '../runtime/decision.ts'
import type { Assignor } from './assignors/assignor.ts'
import { consumerAssignors } from './assignors/consumer-assignors.ts'
import { GroupShard } from './group-shard.ts'
import type { CommittedTopicAnswer, TxnCommitRequest } from './offsets/commit-offsets.ts'
import { OFFSETS_TOPIC } from '../../controller/topic-names.ts'

/** Offsets that are about to be committed in a transaction. */
export interface OffsetsInTransaction extends ProducerIdentity {
  readonly transactionalId: string
  /** Where the offsets are written: the partition must be in the transaction. */
  readonly topic: string
  readonly partition: number
  /** Of TxnOffsetCommit. */
  readonly apiVersion: number
}

export interface GroupCoordinatorOptions {
  /**
   * Makes sure that the transaction is open and holds the partition, which later versions of the API add to it (KIP-890). Resolves with what
   * the append has to show for it. Rejects with the KafkaError to answer.
   */
  readonly verifyTransaction: (offsets: OffsetsInTransaction) => Promise<Decision<unknown>['verification']>
}

export class GroupCoordinator implements Coordinator {
  readonly runtime: CoordinatorRuntime<GroupShard>
  /** Of consumer groups. */
  readonly assignors: ReadonlyMap<string, Assignor>
  readonly #verifyTransaction: GroupCoordinatorOptions['verifyTransaction']

  constructor(services: BrokerServices, { verifyTransaction }: GroupCoordinatorOptions) {
    const { config } = services
    this.#verifyTransaction = verifyTransaction
    this.assignors = consumerAssignors(config.get('group.consumer.assignors'))
    this.runtime = new CoordinatorRuntime<GroupShard>({
      ...runtimeServices(services),
      topic: OFFSETS_TOPIC,
      plannedPartitions: () => config.get('offsets.topic.num.partitions'),
      types: consumerOffsetsRecords,
      makeShard: (shard) => new GroupShard(shard, config),
      loadBufferBytes: config.get('offsets.load.buffer.size'),
      writeTimeoutMs: () => config.get('offsets.commit.timeout.ms'),
      compression: () => config.get('offsets.topic.compression.codec'),
    })
  }

  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    this.runtime.apply(image, changedTopics)
  }

  directoryFailed(): void {
    this.runtime.directoryFailed()
  }

  close(): void {
    this.runtime.close()
  }

  /** As `CoordinatorRuntime.partitionOf`. */
  partitionOf(groupId: string): number {
    return this.runtime.partitionOf(groupId)
  }

  /** Rejects with what `decide` throws, and as `ShardHost.write`. */
  async write<T>(groupId: string, decide: (shard: GroupShard) => Decision<T>): Promise<T> {
    return this.runtime.write(this.partitionOf(groupId), decide)
  }

  /** Rejects with what `look` throws, and as `ShardHost.write`. */
  async read<T>(groupId: string, look: (shard: GroupShard) => T): Promise<T> {
    return this.runtime.read(this.partitionOf(groupId), look)
  }

  /**
   * Commits offsets that count when the transaction does. Rejects as `write`, and with what the transaction coordinator says about the
   * transaction.
   */
  async commitInTransaction(request: TxnCommitRequest, apiVersion: number): Promise<CommittedTopicAnswer[]> {
    const partition = this.partitionOf(request.groupId)
    const verification = await this.#verifyTransaction({
      ...request,
      topic: OFFSETS_TOPIC,
      partition,
      apiVersion,
    })
    return this.runtime.write(partition, (shard) => {
      const decision = shard.offsets.commitInTransaction(request, apiVersion)
      return verification === undefined ? decision : { ...decision, verification }
    })
  }

  /** From each shard. Rejects with COORDINATOR_LOAD_IN_PROGRESS while one is loading: the answer would lack its groups. */
  async readAll<T>(look: (shard: GroupShard) => T): Promise<T[]> {
    const seen: T[] = []
    await Promise.all(
      this.runtime.ledPartitions.map(async (partition) => {
        try {
          seen.push(await this.runtime.read(partition, look))
        } catch (error) {
          const isElsewhere = error instanceof KafkaError && error.code === ErrorCode.NOT_COORDINATOR
          if (!isElsewhere) throw error
        }
      }),
    )
    return seen
  }
}
