/** What answers to fetches say of partitions: records, a better replica, a log that is not what was read, a reason to wait or to tell the application. */
import { ErrorCode, errorName, KafkaError, type CodecWorker, type Fetch, type Response } from '@millrace/protocol'
import { backoffMs } from '../../cluster/backoff.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { EpochEnd } from '../offsets/epoch-ends.ts'
import type { ConsumerSettings } from '../options.ts'
import type { AssignedPartition } from '../positions/assigned-partition.ts'
import { askedName, type AskedPartition, type BrokerFetches } from './broker-fetches.ts'
import type { FetchCounts } from './fetch-counts.ts'
import { FetchedPart } from './fetched-part.ts'
import { unreadable } from './unreadable.ts'

/** Records of a partition that are less than this part of their answer are copied out of it. */
const SMALL_SHARE = 4

export interface FetchAnswersOptions<K, V> {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly codecs: CodecWorker
  readonly counts: FetchCounts
  /** Something can be taken that could not before. */
  readonly onRecords: () => void
  /** For whoever reads next, unless reading goes on elsewhere in the partition before that. */
  readonly onError: (error: Error, about: AssignedPartition<K, V> | null) => void
  readonly onOutOfRange: (partition: AssignedPartition<K, V>) => void
  readonly onDiverged: (partition: AssignedPartition<K, V>, end: EpochEnd) => void
}

export type FetchAnswer = Response<typeof Fetch>
type PartitionAnswer = FetchAnswer['responses'][number]['partitions'][number]

export class FetchAnswers<K, V> {
  readonly #options: FetchAnswersOptions<K, V>

  constructor(options: FetchAnswersOptions<K, V>) {
    this.#options = options
  }

  /** Whether it brought no records. What nobody has asked, or does not want to know any more, is passed over. */
  read(broker: BrokerFetches<K, V>, answer: FetchAnswer, usesTopicIds: boolean): boolean {
    const { counts, cluster } = this.#options
    const { metadata } = cluster
    let recordsCount = 0
    let isEmpty = true
    const moved: { readonly asked: AskedPartition<K, V>; readonly answer: PartitionAnswer }[] = []
    for (const { topic, topicId, partitions } of answer.responses) {
      const ofTopic = { name: topic, sizeBytes: 0, recordsCount: 0 }
      for (const partition of partitions) {
        const asked = broker.asked.get(askedName(partition.partitionIndex, usesTopicIds ? topicId : topic))
        if (asked === undefined || !isCurrent(asked)) continue
        if (partition.errorCode === ErrorCode.NONE) {
          const part = this.#received(asked, partition)
          if (part === null) continue
          isEmpty = false
          ofTopic.name = asked.of.topic
          ofTopic.sizeBytes += part.sizeBytes
          ofTopic.recordsCount += part.recordsCount
        } else {
          this.#refused(broker, asked, partition.errorCode)
          if (partition.currentLeader.leaderId >= 0) moved.push({ asked, answer: partition })
        }
      }
      if (ofTopic.sizeBytes > 0) counts.broughtOf(ofTopic.name, ofTopic)
      recordsCount += ofTopic.recordsCount
    }
    if (!isEmpty) counts.brought(recordsCount)
    // KIP-951. Last, as what metadata say now changes the partitions.
    const endpoints = answer.nodeEndpoints.map(({ nodeId, host, port, rack }) => ({ id: nodeId, host, port, rack }))
    for (const { asked, answer: partition } of moved)
      metadata.leaderMoved(
        { topic: asked.of.topic, partition: asked.of.partition, ...partition.currentLeader },
        endpoints,
      )
    return isEmpty
  }

  /** Null when there are no records. */
  #received({ of, fetchOffset }: AskedPartition<K, V>, answer: PartitionAnswer): FetchedPart | null {
    const { settings, codecs, cluster, onRecords, onDiverged, onError } = this.#options
    of.failures = 0
    if (answer.highWatermark >= 0n) of.highWatermark = answer.highWatermark
    if (answer.lastStableOffset >= 0n) of.lastStableOffset = answer.lastStableOffset
    if (answer.logStartOffset >= 0n) of.logStartOffset = answer.logStartOffset
    if (answer.divergingEpoch.endOffset >= 0n) {
      onDiverged(of, { leaderEpoch: answer.divergingEpoch.epoch, endOffset: answer.divergingEpoch.endOffset })
      return null
    }
    if (answer.preferredReadReplica >= 0) {
      of.preferredReplica = answer.preferredReadReplica
      of.preferredUntilMs = cluster.world.clock.monotonicMs() + cluster.settings.metadataMaxAgeMs
    }
    if (answer.records === null || answer.records.length === 0) return null
    try {
      const part = new FetchedPart({
        bytes: apartFromOthers(answer.records),
        fetchOffset,
        isolationLevel: settings.isolationLevel,
        abortedTransactions: answer.abortedTransactions,
        checkCrcs: settings.checkCrcs,
        codecs,
        onUnpacked: onRecords,
      })
      of.received(part)
      return part
    } catch (error) {
      this.#postpone(of)
      onError(unreadable(of, error as Error), of)
      return null
    }
  }

  #refused(broker: BrokerFetches<K, V>, { of, fetchOffset }: AskedPartition<K, V>, code: number): void {
    const { cluster, onError, onOutOfRange } = this.#options
    const place = `${of.topic}-${of.partition} at offset ${fetchOffset}`
    this.#postpone(of)
    switch (code) {
      case ErrorCode.OFFSET_OUT_OF_RANGE:
        if (broker.nodeId !== of.leader.id) {
          // A follower may lag behind, or have a log of another length: the leader knows.
          of.preferredReplica = -1
          of.retryAtMs = 0
        } else if (!of.hasRecords) onOutOfRange(of)
        return
      case ErrorCode.TOPIC_AUTHORIZATION_FAILED:
        onError(
          new KafkaError(code, `this client may not read ${of.topic}; it needs the operation Read on the topic`),
          of,
        )
        return
      case ErrorCode.UNKNOWN_LEADER_EPOCH:
      case ErrorCode.UNKNOWN_SERVER_ERROR:
        return
      case ErrorCode.NOT_LEADER_OR_FOLLOWER:
      case ErrorCode.REPLICA_NOT_AVAILABLE:
      case ErrorCode.KAFKA_STORAGE_ERROR:
      case ErrorCode.FENCED_LEADER_EPOCH:
      case ErrorCode.OFFSET_NOT_AVAILABLE:
      case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
      case ErrorCode.UNKNOWN_TOPIC_ID:
      case ErrorCode.INCONSISTENT_TOPIC_ID:
        of.preferredReplica = -1
        cluster.metadata.refreshSoon()
        return
    }
    onError(new KafkaError(code, `the broker cannot read ${place}: ${errorName(code)}`), of)
  }

  #postpone(partition: AssignedPartition<K, V>): void {
    const { cluster, settings } = this.#options
    const { clock, random } = cluster.world
    partition.failures++
    partition.retryAtMs =
      clock.monotonicMs() +
      backoffMs(partition.failures, { initialMs: settings.retryBackoffMs, maxMs: settings.retryBackoffMaxMs, random })
  }
}

function isCurrent<K, V>({ of, generation, fetchOffset }: AskedPartition<K, V>): boolean {
  return !of.isGone && of.generation === generation && of.phase === 'reading' && of.fetchPlace.offset === fetchOffset
}

/**
 * Records that are a small part of an answer are copied: else one that is kept, or waits in a partition that is paused, would keep all the others in
 * memory. Where they are most of it a copy would cost more than it saves.
 */
function apartFromOthers(records: Uint8Array): Uint8Array {
  return records.length * SMALL_SHARE < records.buffer.byteLength ? Buffer.from(records) : records
}
