/** The coordinators of one broker. */
import type { MetadataImage } from '../metadata/image.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import type { Coordinator } from './coordinator.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'
import { ShareCoordinator } from './share-state/share-coordinator.ts'
import { LocalMarkers } from './transactions/local-markers.ts'
import { PartitionVerification } from './transactions/partition-verification.ts'
import { TransactionCoordinator } from './transactions/transaction-coordinator.ts'
import { verifyOffsets } from './transactions/verify-offsets.ts'

export class Coordinators {
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly shareState: ShareCoordinator
  /** Ends transactions on the partitions that this broker leads. */
  readonly markers: LocalMarkers
  /** Asks for transactional records whether their partitions belong to the transaction. */
  readonly verification: PartitionVerification
  readonly #all: readonly Coordinator[]

  constructor(services: BrokerServices) {
    const { nodeId, partitions, clock, logger, config, metadata } = services
    const image = (): MetadataImage => metadata.image
    this.groups = new GroupCoordinator(services, {
      verifyTransaction: (offsets) => verifyOffsets(offsets, { partitions, image, verification: this.verification }),
    })
    this.markers = new LocalMarkers({
      nodeId,
      partitions,
      clock,
      logger,
      groupOffsets: this.groups.runtime,
      timeoutMs: () => config.get('request.timeout.ms'),
    })
    this.transactions = new TransactionCoordinator(services, this.markers)
    this.verification = new PartitionVerification({ coordination: this.transactions, clock, config })
    this.shareState = new ShareCoordinator(services)
    this.#all = [this.groups, this.transactions, this.shareState]
  }

  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    for (const coordinator of this.#all) coordinator.apply(image, changedTopics)
  }

  directoryFailed(): void {
    for (const coordinator of this.#all) coordinator.directoryFailed()
  }

  close(): void {
    for (const coordinator of this.#all) coordinator.close()
  }
}
