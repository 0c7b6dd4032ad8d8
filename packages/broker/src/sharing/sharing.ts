/** Share groups on the side of the partition leaders: what the handlers of ShareFetch and ShareAcknowledge have in common. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { effectiveGroupConfig, type GroupConfigName } from '../config/group-configs.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import type { AcknowledgementBatch } from './acknowledge.ts'
import { CoordinatedPersister } from './coordinated-persister.ts'
import type { Persister } from './persister.ts'
import { SharePartitions, type ShareGroupSettings } from './share-partitions.ts'
import { ShareSessions, type SharedPartitionId } from './share-sessions.ts'

export interface PartitionAcknowledgement extends SharedPartitionId {
  readonly batches: readonly AcknowledgementBatch[]
}

export interface AcknowledgeOutcome extends SharedPartitionId {
  readonly errorCode: number
  readonly errorMessage: string | null
}

type Services = Pick<BrokerServices, 'clock' | 'config' | 'coordinators' | 'logger' | 'metadata' | 'partitions'>

export class Sharing {
  readonly persister: Persister
  readonly sessions: ShareSessions
  readonly shares: SharePartitions
  readonly #services: Services

  constructor(services: Services) {
    const { clock, config, coordinators, metadata, partitions } = services
    this.#services = services
    this.persister = new CoordinatedPersister({ coordinator: coordinators.shareState, clock })
    this.shares = new SharePartitions({
      partitions,
      clock,
      persister: this.persister,
      topicNameById: (id) => metadata.image.topicNameById(id),
      settingsOf: (groupId) => this.#settingsOf(groupId),
    })
    this.sessions = new ShareSessions({
      maxSessions: config.get('group.share.max.share.sessions'),
      onMemberLost: (groupId, memberId, read) => this.#leave(groupId, memberId, read),
    })
  }

  /** Share groups may have been turned off. */
  apply(image: MetadataImage): void {
    if (image.features.level('share.version') > 0 || (this.sessions.size === 0 && this.shares.size === 0)) return
    this.close()
  }

  /** Forgets all sessions and share partitions; what is acquired is available to whoever reads next. */
  close(): void {
    this.sessions.clear()
    this.shares.dropAll()
  }

  lockDurationMs(groupId: string): number {
    return this.#setting(groupId, 'share.record.lock.duration.ms') as number
  }

  readsCommitted(groupId: string): boolean {
    return this.#setting(groupId, 'share.isolation.level') === 'read_committed'
  }

  /** Ends the member's session, and gives back what it has acquired. */
  endSession(groupId: string, memberId: string): void {
    this.#leave(groupId, memberId, this.sessions.end(groupId, memberId))
  }

  /** Resolves when what the member says is persisted, or has failed; each partition for itself. */
  acknowledge(
    groupId: string,
    memberId: string,
    acknowledgements: readonly PartitionAcknowledgement[],
  ): Promise<AcknowledgeOutcome[]> {
    return Promise.all(
      acknowledgements.map(async ({ topicId, index, batches }) => {
        try {
          const share = this.shares.get(groupId, { topicId, index })
          if (share === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
          await share.acknowledge(memberId, batches)
          return { topicId, index, errorCode: ErrorCode.NONE, errorMessage: null }
        } catch (error) {
          if (error instanceof KafkaError) return { topicId, index, errorCode: error.code, errorMessage: error.message }
          this.#services.logger.error(`cannot acknowledge records of ${topicId}-${index}`, { error, groupId })
          return { topicId, index, errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, errorMessage: null }
        }
      }),
    )
  }

  #leave(groupId: string, memberId: string, read: readonly SharedPartitionId[]): void {
    this.shares
      .release(groupId, memberId, read)
      .then(() => {
        // With nobody to read for, the state need not be kept in memory.
        if (!this.sessions.hasMembers(groupId)) this.shares.dropGroup(groupId)
      })
      .catch((error: unknown) => {
        this.#services.logger.error(`cannot release what a member of ${groupId} had acquired`, { error })
      })
  }

  #settingsOf(groupId: string): ShareGroupSettings {
    return {
      maxInFlight: () => this.#setting(groupId, 'share.partition.max.record.locks') as number,
      maxDeliveryCount: () => this.#setting(groupId, 'share.delivery.count.limit') as number,
      lockDurationMs: () => this.lockDurationMs(groupId),
      allowsRenew: () => this.#setting(groupId, 'share.renew.acknowledge.enable') as boolean,
      offsetReset: () => this.#setting(groupId, 'share.auto.offset.reset') as string,
    }
  }

  #setting(groupId: string, name: GroupConfigName): unknown {
    const { config, metadata } = this.#services
    return effectiveGroupConfig(config, metadata.image.configs('groups', groupId), name)
  }
}
