/** Appends the markers of ended transactions to the partitions that this broker leads (KIP-98). */
import { endTransactionMarker, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Logger } from '@millrace/runtime'
import { validateRecords, type ValidatedBatches } from '@millrace/storage'
import type { Partition } from '../../partitions/partition.ts'
import type { Partitions } from '../../partitions/partitions.ts'
import type { TransactionMarker } from '../runtime/shard-host.ts'
import type { MarkerWriter } from './marker-writer.ts'
import type { TopicPartition } from './partition-set.ts'
import { OFFSETS_TOPIC } from '../../controller/topic-names.ts'

/** The group coordinator writes the markers of its own partitions, as pending offsets take effect with them. */
export interface OffsetsMarkers {
  /** Rejects as `CoordinatorRuntime.endTransaction`. */
  endTransaction(partition: number, marker: TransactionMarker): Promise<void>
}

export interface LocalMarkersOptions {
  readonly nodeId: number
  readonly partitions: Partitions
  readonly clock: Clock
  readonly logger: Logger
  readonly groupOffsets: OffsetsMarkers
  /** How long the other replicas may take. */
  readonly timeoutMs: () => number
}

export class LocalMarkers implements MarkerWriter {
  readonly #options: LocalMarkersOptions

  constructor(options: LocalMarkersOptions) {
    this.#options = options
  }

  /** NOT_LEADER_OR_FOLLOWER for another broker: there are no connections between brokers yet. */
  write(leader: number, marker: TransactionMarker, partitions: readonly TopicPartition[]): Promise<readonly number[]> {
    if (leader !== this.#options.nodeId) return Promise.resolve(partitions.map(() => ErrorCode.NOT_LEADER_OR_FOLLOWER))
    return this.append(marker, partitions)
  }

  /** As `write`, to this broker: what WriteTxnMarkers asks for. */
  append(marker: TransactionMarker, partitions: readonly TopicPartition[]): Promise<readonly number[]> {
    return Promise.all(partitions.map((one) => this.#appendOne(marker, one)))
  }

  async #appendOne(marker: TransactionMarker, { topic, partition: index }: TopicPartition): Promise<number> {
    const partition = this.#options.partitions.get(topic, index)
    if (partition === undefined || partition.isOffline) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    try {
      if (topic !== OFFSETS_TOPIC) return await this.#appendTo(partition, marker)
      await this.#options.groupOffsets.endTransaction(index, marker)
      return ErrorCode.NONE
    } catch (error) {
      if (error instanceof KafkaError) return coordinatorsAreLeaders.get(error.code) ?? error.code
      this.#options.logger.error(`cannot write a marker to ${partition.name}`, { error })
      return ErrorCode.UNKNOWN_SERVER_ERROR
    }
  }

  /** Resolves when the marker is on all in-sync replicas. @throws KafkaError what the log refuses. */
  #appendTo(partition: Partition, marker: TransactionMarker): Promise<number> {
    const { clock, timeoutMs } = this.#options
    const { producerId, producerEpoch, coordinatorEpoch, result: type, transactionVersion } = marker
    const timestamp = BigInt(clock.now())
    const log = partition.logToAppendTo(-1)
    const batches = validateRecords(
      endTransactionMarker({ type, coordinatorEpoch, producerId, producerEpoch, timestamp }),
      { origin: 'coordinator', config: log.config, nowMs: clock.now(), partition: partition.name },
    ) as ValidatedBatches
    const { promise, resolve } = Promise.withResolvers<number>()
    const { lastOffset } = partition.append(
      batches,
      { acks: -1, origin: 'coordinator', transactionVersion },
      (errorCode) => {
        if (errorCode !== ErrorCode.NONE) return resolve(errorCode)
        let timer: { cancel(): void } | null = null
        const forget = partition.whenReplicated(lastOffset + 1n, (outcome) => {
          timer?.cancel()
          resolve(outcome)
        })
        if (forget === null) return
        timer = clock.after(timeoutMs(), () => {
          forget()
          resolve(ErrorCode.REQUEST_TIMED_OUT)
        })
      },
    )
    return promise
  }
}

/** Who writes markers thinks of leaders, not of coordinators. */
const coordinatorsAreLeaders: ReadonlyMap<number, number> = new Map([
  [ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_LEADER_OR_FOLLOWER],
  [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_LEADER_OR_FOLLOWER],
  [ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_LEADER_OR_FOLLOWER],
])
