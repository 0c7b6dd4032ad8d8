/**
 * The offsets that the groups of a shard have committed. Kept by the log alone: decisions write records, and replay applies them.
 * Source: Kafka's OffsetMetadataManager.
 */
import { LegacyOffsetCommitRecord, OffsetCommitRecord, ZERO_UUID } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { TransactionResult } from '../../runtime/coordinator-shard.ts'
import type { Decision } from '../../runtime/decision.ts'
import type { Replayers } from '../../runtime/replayers.ts'
import type { ClassicGroups } from '../classic/classic-groups.ts'
import type { GroupPart, GroupShardContext } from '../group-part.ts'
import {
  commitOffsets,
  commitOffsetsInTransaction,
  type CommitRequest,
  type CommittedTopicAnswer,
  type TxnCommitRequest,
} from './commit-offsets.ts'
import { committedOffsetOf, type CommittedOffset, type PartitionOfGroup } from './committed-offset.ts'
import { deleteOffsets, tombstonesOfTopics, type DeletedOffsetsAnswer } from './delete-offsets.ts'
import { expiredOffsets } from './expire-offsets.ts'
import { fetchOffsets, type FetchedGroupAnswer, type OffsetFetchOptions } from './fetch-offsets.ts'
import { OffsetTable } from './offset-table.ts'
import { PendingOffsets } from './pending-offsets.ts'

const msPerMinute = 60_000
/** What records from before Kafka 0.9 lack. */
const legacyDefaults = { leaderEpoch: -1, expireTimestamp: -1n, topicId: ZERO_UUID }

export class GroupOffsets implements GroupPart {
  readonly committed = new OffsetTable<CommittedOffset>()
  readonly pending = new PendingOffsets()
  readonly #context: GroupShardContext
  readonly #classic: ClassicGroups
  /** As of the last change that was told. */
  #image: MetadataImage | null = null

  constructor(context: GroupShardContext, classic: ClassicGroups) {
    this.#context = context
    this.#classic = classic
  }

  registerReplay(replayers: Replayers): void {
    replayers.on(OffsetCommitRecord, (key, value, { offset, transaction }) => {
      if (value === null) this.#delete(key)
      else
        this.#store(
          key,
          committedOffsetOf(this.#withSharedId(key.topic, value), offset),
          transaction?.producerId ?? null,
        )
    })
    replayers.on(LegacyOffsetCommitRecord, (key, value, { offset }) => {
      if (value === null) this.#delete(key)
      else this.#store(key, committedOffsetOf({ ...legacyDefaults, ...value }, offset), null)
    })
  }

  /** What was pending counts, unless something later was committed meanwhile; or it is dropped. */
  endTransaction(producerId: bigint, result: TransactionResult): void {
    const ended = this.pending.take(producerId)
    if (result === 'ABORT') return
    for (const { group, topic, partition, value } of ended) {
      const current = this.committed.get(group, topic, partition)
      if (current === undefined || value.recordOffset > current.recordOffset)
        this.committed.set(group, topic, partition, value)
    }
  }

  loaded(): void {
    this.#scheduleExpiry()
  }

  /** Offsets of deleted topics go. Those that are deleted while no shard is loaded stay, as in Kafka. */
  metadataChanged(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    const before = this.#image
    this.#image = image
    if (before === null || changedTopics === null) return
    const deleted = new Map<string, string>()
    for (const name of changedTopics) {
      const topic = before.topics.get(name)
      if (topic !== undefined && topic.id !== image.topics.get(name)?.id) deleted.set(name, topic.id)
    }
    if (deleted.size === 0 || (this.committed.isEmpty && this.pending.isEmpty)) return
    this.#context.shard.timers.schedule(`offsets-of-deleted-topics-${image.version}`, 0, () => ({
      records: tombstonesOfTopics(this, deleted),
      isAtomic: false,
      response: undefined,
    }))
  }

  /** @throws KafkaError with the code of all partitions. */
  commit(request: CommitRequest, apiVersion: number): Decision<CommittedTopicAnswer[]> {
    return commitOffsets(this.#context, this.#classic.sessions, request, apiVersion)
  }

  /** Pending until the transaction ends. @throws KafkaError with the code of all partitions. */
  commitInTransaction(request: TxnCommitRequest, apiVersion: number): Decision<CommittedTopicAnswer[]> {
    return commitOffsetsInTransaction(this.#context, request, apiVersion)
  }

  /** @throws KafkaError with the code of the whole group. */
  fetch(options: OffsetFetchOptions): FetchedGroupAnswer {
    return fetchOffsets(this.#context.groups, this, options)
  }

  /** @throws KafkaError with the code of the answer. */
  delete(request: Parameters<typeof deleteOffsets>[2]): Decision<DeletedOffsetsAnswer> {
    return deleteOffsets(this.#context.groups, this, request)
  }

  /** Committed or pending. */
  hasAny(group: string, topic: string, partition: number): boolean {
    return this.committed.has(group, topic, partition) || this.pending.has(group, topic, partition)
  }

  #scheduleExpiry(): void {
    const { shard, config } = this.#context
    shard.timers.schedule('offset-expiry', config.get('offsets.retention.check.interval.ms'), () => {
      this.#scheduleExpiry()
      return this.#expire()
    })
  }

  #expire(): Decision<void> {
    const { shard, config, groups } = this.#context
    const expiry = {
      nowMs: shard.clock.now(),
      retentionMs: config.get('offsets.retention.minutes') * msPerMinute,
    }
    const records = expiredOffsets(groups, this, expiry)
    if (records.length > 0) shard.logger.info('offsets and groups expire', { tombstones: records.length })
    return { records, isAtomic: false, response: undefined }
  }

  /** A million offsets need not have a text of their own for the ids of their topics. */
  #withSharedId<V extends { readonly topicId: string }>(topic: string, value: V): V {
    const known = this.#context.shard.image.topics.get(topic)?.id
    return known === value.topicId ? { ...value, topicId: known } : value
  }

  #store({ group, topic, partition }: PartitionOfGroup, offset: CommittedOffset, producerId: bigint | null): void {
    this.#classic.ensureGroup(group)
    if (producerId === null) this.committed.set(group, topic, partition, offset)
    else this.pending.add(producerId, group, topic, partition, offset)
  }

  #delete({ group, topic, partition }: PartitionOfGroup): void {
    this.committed.delete(group, topic, partition)
    this.pending.drop(group, topic, partition)
  }
}
