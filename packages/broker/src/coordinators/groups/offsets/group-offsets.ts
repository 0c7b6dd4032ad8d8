/**
 * The offsets that the groups of a shard have committed. Kept by the log alone: decisions write records, and replay applies them.
 * Source: Kafka's OffsetMetadataManager.
 */
import { LegacyOffsetCommitRecord, OffsetCommitRecord, ZERO_UUID } from '@millrace/protocol'
import type { TransactionResult } from '../../runtime/coordinator-shard.ts'
import type { Replayers } from '../../runtime/replayers.ts'
import type { ClassicGroups } from '../classic/classic-groups.ts'
import type { GroupPart } from '../group-part.ts'
import { committedOffsetOf, type CommittedOffset, type PartitionOfGroup } from './committed-offset.ts'
import { OffsetTable } from './offset-table.ts'
import { PendingOffsets } from './pending-offsets.ts'

/** What records from before Kafka 0.9 lack. */
const legacyDefaults = { leaderEpoch: -1, expireTimestamp: -1n, topicId: ZERO_UUID }

export class GroupOffsets implements GroupPart {
  readonly committed = new OffsetTable<CommittedOffset>()
  readonly pending = new PendingOffsets()
  readonly #classic: ClassicGroups

  constructor(classic: ClassicGroups) {
    this.#classic = classic
  }

  registerReplay(replayers: Replayers): void {
    replayers.on(OffsetCommitRecord, (key, value, { offset, transaction }) => {
      if (value === null) this.#delete(key)
      else this.#store(key, committedOffsetOf(value, offset), transaction?.producerId ?? null)
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
