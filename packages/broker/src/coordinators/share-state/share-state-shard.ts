/**
 * One partition of `__share_group_state`: the state of the share partitions that fall on it. A snapshot says all of a share partition, an update
 * what changed since; after a number of updates comes a snapshot again, so that what lies before it is not needed any more. Source: Kafka's
 * ShareCoordinatorShard.
 */
import {
  ErrorCode,
  KafkaError,
  ShareSnapshotRecord,
  ShareUpdateRecord,
  type RecordKey,
  type RecordValue,
} from '@millrace/protocol'
import type { MetadataImage } from '../../metadata/image.ts'
import {
  uninitializedStartOffset,
  type PersistedBatch,
  type PersistedState,
  type StateSummary,
  type StateWrite,
} from '../../sharing/persister.ts'
import type { CoordinatorShard, RecordOrigin, ShardContext } from '../runtime/coordinator-shard.ts'
import { answer, record, tombstone, type CoordinatorRecord, type Decision } from '../runtime/decision.ts'
import { Replayers, type LoadedRecord } from '../runtime/replayers.ts'
import { formatSharePartitionKey, type SharePartitionKey } from '../share-partition-key.ts'
import { combineBatches } from './combine-batches.ts'

export interface ShareStateSettings {
  /** `share.coordinator.snapshot.update.records.per.snapshot` */
  updatesPerSnapshot(): number
  /** `share.coordinator.cold.partition.snapshot.interval.ms` */
  coldSnapshotIntervalMs(): number
}

/** An epoch nobody has named. */
const noEpoch = -1
/** What Kafka writes of a state that no leader has read yet: the first epoch of a partition, whose leader then has nothing to write. */
const beforeAnyLeader = 0

interface ShareState {
  readonly key: SharePartitionKey
  snapshotEpoch: number
  stateEpoch: number
  leaderEpoch: number
  startOffset: bigint
  deliveryCompleteCount: number
  batches: readonly PersistedBatch[]
  createTimestamp: bigint
  /** Of the snapshot. */
  writeTimestamp: bigint
  /** The highest there were, whatever the state says now: who comes with a lower one is late. */
  fencingLeaderEpoch: number
  fencingStateEpoch: number
  updatesSinceSnapshot: number
  /** Where the last snapshot lies. */
  snapshotAt: bigint
}

export class ShareStateShard implements CoordinatorShard {
  readonly #context: ShardContext
  readonly #settings: ShareStateSettings
  readonly #states = new Map<string, ShareState>()
  /** Behind the last snapshot or tombstone. */
  #lastSnapshotEnd = 0n
  #image: MetadataImage | null = null
  readonly #replayers = new Replayers()
    .on(ShareSnapshotRecord, (key, value, { offset }) => this.#replaySnapshot(key, value, offset))
    .on(ShareUpdateRecord, (key, value) => {
      if (value !== null) this.#replayUpdate(key, value)
    })

  constructor(context: ShardContext, settings: ShareStateSettings) {
    this.#context = context
    this.#settings = settings
  }

  get size(): number {
    return this.#states.size
  }

  /** Records below this offset say nothing that later ones do not say, too. */
  get neededFrom(): bigint {
    let first: bigint | null = null
    for (const { snapshotAt } of this.#states.values()) if (first === null || snapshotAt < first) first = snapshotAt
    return first ?? this.#lastSnapshotEnd
  }

  replay(loaded: LoadedRecord, origin: RecordOrigin): void {
    this.#replayers.apply(loaded, origin)
  }

  loaded(): void {
    this.#scheduleColdSnapshots()
  }

  /** What belongs to a topic that was deleted is of no more use. */
  metadataChanged(image: MetadataImage): void {
    const before = this.#image
    this.#image = image
    if (before === null) return
    const isDeleted = ({ topicId }: SharePartitionKey): boolean =>
      before.topicNameById(topicId) !== undefined && image.topicNameById(topicId) === undefined
    const deleted = [...this.#states.values()].filter(({ key }) => isDeleted(key))
    if (deleted.length === 0) return
    const records = deleted.map(({ key }) => tombstone(ShareSnapshotRecord, key))
    this.#context
      .write(() => ({ records, response: undefined, isAtomic: false }))
      .catch((error: unknown) => {
        this.#context.logger.warn('state of shared partitions of deleted topics stays', { error })
      })
  }

  /**
   * Creates the state, or makes it new: what was persisted before is gone.
   * @throws KafkaError FENCED_STATE_EPOCH, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
   */
  initialize(key: SharePartitionKey, start: { stateEpoch: number; startOffset: bigint }): Decision<void> {
    const state = this.#find(key)
    if (state !== undefined && start.stateEpoch !== noEpoch && state.fencingStateEpoch > start.stateEpoch)
      throw new KafkaError(ErrorCode.FENCED_STATE_EPOCH)
    this.#checkPartition(key)
    const now = BigInt(this.#context.clock.now())
    const snapshot = record(ShareSnapshotRecord, key, {
      ...start,
      snapshotEpoch: state === undefined ? 0 : state.snapshotEpoch + 1,
      leaderEpoch: beforeAnyLeader,
      // With a start that was chosen a lag can be told, without one it cannot.
      deliveryCompleteCount: start.startOffset === uninitializedStartOffset ? -1 : 0,
      createTimestamp: now,
      writeTimestamp: now,
      stateBatches: [],
    })
    return { records: [snapshot], response: undefined }
  }

  /**
   * What is persisted, for the leader of `leaderEpoch` (−1: for nobody in particular), who fences all before it.
   * @throws KafkaError INVALID_REQUEST for what was never initialized, FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
   */
  read(key: SharePartitionKey, leaderEpoch: number): Decision<PersistedState> {
    const state = this.#initialized(key, 'Read')
    if (leaderEpoch !== noEpoch && state.fencingLeaderEpoch > leaderEpoch)
      throw new KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
    this.#checkPartition(key)
    const { stateEpoch, startOffset, deliveryCompleteCount, batches } = state
    const response = { stateEpoch, startOffset, batches }
    if (leaderEpoch === noEpoch || state.fencingLeaderEpoch === leaderEpoch) return answer(response)
    const write = { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount, batches: [] }
    return { records: [this.#recordOf(state, write, leaderEpoch)], response }
  }

  /** @throws KafkaError as `read`, and FENCED_STATE_EPOCH. */
  write(key: SharePartitionKey, write: StateWrite): Decision<void> {
    const state = this.#initialized(key, 'Write')
    if (write.leaderEpoch !== noEpoch && state.fencingLeaderEpoch > write.leaderEpoch)
      throw new KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
    if (write.stateEpoch !== noEpoch && state.fencingStateEpoch > write.stateEpoch)
      throw new KafkaError(ErrorCode.FENCED_STATE_EPOCH)
    this.#checkPartition(key)
    // A write that was tried again may come after a later one: but the start only moves on, unless the state is initialized anew.
    const startOffset = write.startOffset < state.startOffset ? state.startOffset : write.startOffset
    return { records: [this.#recordOf(state, { ...write, startOffset }, state.leaderEpoch)], response: undefined }
  }

  /** Also of what was never initialized. @throws KafkaError INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION. */
  summary(key: SharePartitionKey): StateSummary {
    this.#checkPartition(key)
    const state = this.#find(key)
    if (state === undefined)
      return { stateEpoch: 0, leaderEpoch: 0, startOffset: uninitializedStartOffset, deliveryCompleteCount: -1 }
    const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = state
    return { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount }
  }

  /** It is no error when there is none. @throws KafkaError INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION. */
  delete(key: SharePartitionKey): Decision<void> {
    this.#checkPartition(key)
    if (this.#find(key) === undefined) return answer<void>(undefined)
    return { records: [tombstone(ShareSnapshotRecord, key)], response: undefined }
  }

  #find(key: SharePartitionKey): ShareState | undefined {
    if (key.partition < 0)
      throw new KafkaError(ErrorCode.INVALID_REQUEST, 'The partition id cannot be a negative number.')
    return this.#states.get(formatSharePartitionKey(key))
  }

  #initialized(key: SharePartitionKey, operation: 'Read' | 'Write'): ShareState {
    const state = this.#find(key)
    if (state === undefined)
      throw new KafkaError(
        ErrorCode.INVALID_REQUEST,
        `${operation} operation on uninitialized share partition not allowed.`,
      )
    return state
  }

  #checkPartition({ topicId, partition }: SharePartitionKey): void {
    if (partition < 0) throw new KafkaError(ErrorCode.INVALID_REQUEST, 'The partition id cannot be a negative number.')
    const topic = this.#context.image.topicById(topicId)
    if (topic === undefined || topic.partitions.length <= partition)
      throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }

  #recordOf(state: ShareState, write: StateWrite, leaderEpoch: number): CoordinatorRecord {
    const { key } = state
    const { deliveryCompleteCount } = write
    if (state.updatesSinceSnapshot < this.#settings.updatesPerSnapshot())
      return record(ShareUpdateRecord, key, {
        snapshotEpoch: state.snapshotEpoch,
        leaderEpoch,
        startOffset: write.startOffset,
        deliveryCompleteCount,
        stateBatches: combineBatches(write.batches, write.startOffset),
      })
    const { startOffset } = write
    const now = BigInt(this.#context.clock.now())
    return record(ShareSnapshotRecord, key, {
      snapshotEpoch: state.snapshotEpoch + 1,
      stateEpoch: state.stateEpoch,
      leaderEpoch,
      startOffset,
      deliveryCompleteCount,
      createTimestamp: now,
      writeTimestamp: now,
      stateBatches: combineBatches([...state.batches, ...write.batches], startOffset),
    })
  }

  #scheduleColdSnapshots(): void {
    this.#context.timers.schedule('cold-snapshots', this.#settings.coldSnapshotIntervalMs(), () => {
      this.#scheduleColdSnapshots()
      return { records: this.#coldSnapshots(), response: undefined, isAtomic: false }
    })
  }

  /** New snapshots of what has had none for long: or the oldest of them would hold back what may be deleted. None when all are such. */
  #coldSnapshots(): CoordinatorRecord[] {
    const states = [...this.#states.values()]
    if (states.every(({ createTimestamp, writeTimestamp }) => createTimestamp !== writeTimestamp)) return []
    const now = BigInt(this.#context.clock.now())
    const oldest = now - BigInt(this.#settings.coldSnapshotIntervalMs())
    return states
      .filter(({ writeTimestamp }) => writeTimestamp <= oldest)
      .map(({ key, batches, ...state }) =>
        record(ShareSnapshotRecord, key, {
          snapshotEpoch: state.snapshotEpoch + 1,
          stateEpoch: state.stateEpoch,
          leaderEpoch: state.leaderEpoch,
          startOffset: state.startOffset,
          deliveryCompleteCount: state.deliveryCompleteCount,
          createTimestamp: state.createTimestamp,
          writeTimestamp: now,
          stateBatches: batches,
        }),
      )
  }

  #replaySnapshot(
    key: RecordKey<typeof ShareSnapshotRecord>,
    value: RecordValue<typeof ShareSnapshotRecord> | null,
    offset: bigint,
  ): void {
    const name = formatSharePartitionKey(key)
    this.#lastSnapshotEnd = offset + 1n
    if (value === null) {
      this.#states.delete(name)
      return
    }
    const before = this.#states.get(name)
    const { stateBatches, ...state } = value
    this.#states.set(name, {
      ...state,
      key: before?.key ?? { ...key },
      batches: stateBatches,
      fencingLeaderEpoch: Math.max(before?.fencingLeaderEpoch ?? noEpoch, value.leaderEpoch),
      fencingStateEpoch: Math.max(before?.fencingStateEpoch ?? noEpoch, value.stateEpoch),
      updatesSinceSnapshot: 0,
      snapshotAt: offset,
    })
  }

  /** An update whose snapshot was deleted says too little; there is a later snapshot then. */
  #replayUpdate(key: RecordKey<typeof ShareUpdateRecord>, update: RecordValue<typeof ShareUpdateRecord>): void {
    const state = this.#states.get(formatSharePartitionKey(key))
    if (state === undefined) return
    if (update.startOffset !== uninitializedStartOffset) state.startOffset = update.startOffset
    if (update.leaderEpoch !== noEpoch) state.leaderEpoch = update.leaderEpoch
    state.fencingLeaderEpoch = Math.max(state.fencingLeaderEpoch, update.leaderEpoch)
    state.deliveryCompleteCount = update.deliveryCompleteCount
    state.batches = combineBatches([...state.batches, ...update.stateBatches], state.startOffset)
    state.updatesSinceSnapshot++
  }
}
