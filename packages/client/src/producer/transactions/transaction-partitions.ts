/**
 * The partitions of the transaction under way. By the protocol of `transaction.version` 2 one belongs to it as soon as records are batched for it; by
 * the one before it, once the coordinator has added it (AddPartitionsToTxn).
 */
import { AddPartitionsToTxn } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'
import type { PartitionQueue } from '../batches/partition-queue.ts'
import type { CoordinatorRequests } from './coordinator-requests.ts'
import { gravest } from './transaction-verdict.ts'
import type { TransactionProtocol } from './transaction-protocol.ts'
import type { TransactionalIdentity } from './transactional-identity.ts'

/** The newest version that clients use; later ones are for brokers. */
const NEWEST_OF_CLIENTS = 3

export interface TransactionPartitionsOptions {
  readonly clock: Clock
  readonly protocol: TransactionProtocol
  readonly identity: TransactionalIdentity
  readonly requests: CoordinatorRequests
  /** At the end of a turn in which partitions came that have to be added: `add` is to be called. */
  readonly onNew: () => void
}

/** Invariant: no partition is both included and still to be added. */
export class TransactionPartitions {
  readonly #options: TransactionPartitionsOptions
  /** Those that records may be sent to. */
  readonly #included = new Set<PartitionQueue>()
  /** Those still to be added. */
  readonly #new = new Set<PartitionQueue>()
  #isAddingDue = false

  constructor(options: TransactionPartitionsOptions) {
    this.#options = options
  }

  /** There is none that the coordinator may know of. */
  get isEmpty(): boolean {
    return this.#included.size === 0
  }

  includes(queue: PartitionQueue): boolean {
    return this.#included.has(queue)
  }

  /** Records were batched for the partition. */
  touched(queue: PartitionQueue): void {
    const { protocol, clock, onNew } = this.#options
    if (protocol.isVersion2) {
      this.#included.add(queue)
      return
    }
    if (this.#included.has(queue)) return
    this.#new.add(queue)
    if (this.#isAddingDue) return
    this.#isAddingDue = true
    clock.endOfTurn(() => {
      this.#isAddingDue = false
      onNew()
    })
  }

  /** Has the coordinator add those that are new. Returns whether there were any. */
  async add(): Promise<boolean> {
    const { identity, requests } = this.#options
    const adding = [...this.#new]
    this.#new.clear()
    if (adding.length === 0) return false
    const { transactionalId, producerId, producerEpoch } = identity.fields
    await requests.ask({
      request: 'AddPartitionsToTxn',
      api: AddPartitionsToTxn,
      coordinator: 'transaction',
      key: transactionalId,
      maxVersion: NEWEST_OF_CLIENTS,
      body: {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [...Map.groupBy(adding, ({ topic }) => topic.name)].map(([name, queues]) => ({
          name,
          partitions: queues.map(({ partition }) => partition),
        })),
      },
      codeOf: ({ resultsByTopicV3AndBelow }) =>
        gravest(
          'AddPartitionsToTxn',
          resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) =>
            resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
          ),
        ),
    })
    for (const queue of adding) this.#included.add(queue)
    return true
  }

  /** Those that are new are not to be added: nothing will be sent to them. */
  dropNew(): void {
    this.#new.clear()
  }

  /** The transaction is ended. */
  clear(): void {
    this.#included.clear()
    this.#new.clear()
  }
}
