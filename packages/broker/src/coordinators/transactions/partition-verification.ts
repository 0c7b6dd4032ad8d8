/**
 * Asks the coordinator of a transaction, before the first records of the transaction are appended to a partition, whether the partition belongs
 * to it; for clients of transaction version 2 that adds the partition (KIP-890). Source: Kafka's AddPartitionsToTxnManager and ReplicaManager.
 */
import { ErrorCode, isRetriable, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'
import type { Verification } from '@millrace/storage'
import type { BrokerConfigReader } from '../../config/broker-configs.ts'
import type { Partition } from '../../partitions/partition.ts'
import type { ProducerIdentity } from '../runtime/decision.ts'
import type { AddRequest, VerifyRequest } from './add-partitions.ts'
import type { TopicPartition } from './partition-set.ts'

/** The coordinator of a transactional id, wherever it is: the seam for asking other brokers. All reject as the coordinator refuses. */
export interface TransactionCoordination {
  /** Whether there is one to ask: a broker that is alive leads the partition of the transactional id. */
  hasCoordinator(transactionalId: string): boolean
  addPartitions(transactionalId: string, request: AddRequest): Promise<number>
  /** An error code for each partition, in their order. */
  verifyPartitions(transactionalId: string, request: VerifyRequest): Promise<readonly number[]>
  /** Resolves when a transaction whose outcome is decided has its markers, or it is worth asking again; at once when there is none. Never rejects. */
  completion(transactionalId: string): Promise<void>
}

/** What the client understands, by the version of its request. */
export type ClientAbility =
  /** Has added the partition itself; knows nothing of TRANSACTION_ABORTABLE. */
  | 'adds partitions'
  /** Has added the partition itself. */
  | 'aborts when told'
  /** Leaves it to the broker to add the partition. */
  | 'leaves adding to the broker'

export function produceAbility(version: number): ClientAbility {
  return version >= 12 ? 'leaves adding to the broker' : version === 11 ? 'aborts when told' : 'adds partitions'
}

export function txnOffsetCommitAbility(version: number): ClientAbility {
  return version >= 5 ? 'leaves adding to the broker' : version === 4 ? 'aborts when told' : 'adds partitions'
}

export interface TransactionalWrite {
  readonly partition: Partition
  /** Of the batch to append; -1 for none. */
  readonly baseSequence: number
}

export interface VerifiedTransaction extends ProducerIdentity {
  readonly transactionalId: string
  readonly ability: ClientAbility
}

export interface Verified {
  readonly errorCode: number
  /** For the append, when there is no error; as in the log's `AppendOptions`. */
  readonly verification: Verification | 'none' | undefined
}

export class PartitionVerification {
  readonly #coordination: TransactionCoordination
  readonly #clock: Clock
  readonly #config: BrokerConfigReader

  constructor(options: {
    readonly coordination: TransactionCoordination
    readonly clock: Clock
    readonly config: BrokerConfigReader
  }) {
    this.#coordination = options.coordination
    this.#clock = options.clock
    this.#config = options.config
  }

  /** Whether anything is asked for such a client. */
  concerns(ability: ClientAbility): boolean {
    return ability === 'leaves adding to the broker' || this.#isDemanded
  }

  /**
   * What is to be done with each write, in their order. A client that leaves adding to the broker begins its next transaction while the last
   * one's markers are still being written; that is waited for a moment, as its records would be dear to send again.
   */
  async verify(transaction: VerifiedTransaction, writes: readonly TransactionalWrite[]): Promise<readonly Verified[]> {
    const mayWait = transaction.ability === 'leaves adding to the broker'
    const deadlineMs = this.#clock.monotonicMs() + this.#config.get('add.partitions.to.txn.retry.backoff.max.ms')
    for (;;) {
      const verified = await this.#verifyOnce(transaction, writes)
      const mustWait = verified.some(({ errorCode }) => errorCode === ErrorCode.CONCURRENT_TRANSACTIONS)
      if (!mayWait || !mustWait || this.#clock.monotonicMs() >= deadlineMs) return verified
      await Promise.race([
        this.#coordination.completion(transaction.transactionalId),
        this.#clock.sleep(this.#config.get('add.partitions.to.txn.retry.backoff.ms')),
      ])
    }
  }

  async #verifyOnce(
    transaction: VerifiedTransaction,
    writes: readonly TransactionalWrite[],
  ): Promise<readonly Verified[]> {
    const { producerId, producerEpoch, ability } = transaction
    const supportsEpochBump = ability === 'leaves adding to the broker'
    const isDemanded = this.#isDemanded
    const nothingToShow = { errorCode: ErrorCode.NONE, verification: isDemanded ? ('none' as const) : undefined }
    if (!this.concerns(ability)) return writes.map(() => nothingToShow)

    const asked: { readonly at: number; readonly verification: Verification }[] = []
    const verified: Verified[] = writes.map(({ partition, baseSequence }, at) => {
      try {
        const verification = partition
          .leaderLog(-1)
          .producers.beginVerification(
            { producerId, producerEpoch, baseSequence, supportsEpochBump },
            this.#clock.now(),
          )
        if (verification !== null) asked.push({ at, verification })
        return nothingToShow
      } catch (error) {
        if (error instanceof KafkaError) return { errorCode: error.code, verification: undefined }
        throw error
      }
    })
    if (asked.length === 0) return verified
    const partitions = asked.map(({ at }) => {
      const { topic, index } = writes[at]!.partition
      return { topic, partition: index }
    })
    const errorCodes = await this.#ask(transaction, partitions)
    for (const [index, { at, verification }] of asked.entries()) {
      if (isFinal(errorCodes[index]!)) forget(writes[at]!.partition, producerId, verification)
      const errorCode = forProducer(errorCodes[index]!, ability)
      verified[at] = { errorCode, verification: isDemanded ? verification : undefined }
    }
    return verified
  }

  get #isDemanded(): boolean {
    return this.#config.get('transaction.partition.verification.enable')
  }

  async #ask(
    { transactionalId, producerId, producerEpoch, ability }: VerifiedTransaction,
    partitions: readonly TopicPartition[],
  ): Promise<readonly number[]> {
    if (!this.#coordination.hasCoordinator(transactionalId))
      return partitions.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE)
    try {
      if (ability !== 'leaves adding to the broker')
        return await this.#coordination.verifyPartitions(transactionalId, { producerId, producerEpoch, partitions })
      const errorCode = await this.#coordination.addPartitions(transactionalId, {
        producerId,
        producerEpoch,
        partitions,
        clientVersion: 2,
      })
      return partitions.map(() => errorCode)
    } catch (error) {
      if (error instanceof KafkaError) return partitions.map(() => error.code)
      throw error
    }
  }
}

/** After an error that passes the producer sends the batch again, and what was begun has to be there still. */
function isFinal(errorCode: number): boolean {
  return errorCode !== ErrorCode.NONE && !isRetriable(errorCode)
}

function forget(partition: Partition, producerId: bigint, verification: Verification): void {
  if (!partition.isOffline) partition.log.producers.verifications.refused(producerId, verification)
}

/** Producers expect the code of the partition, not that of the coordinator. */
function forProducer(errorCode: number, ability: ClientAbility): number {
  if (errorCode === ErrorCode.PRODUCER_FENCED) return ErrorCode.INVALID_PRODUCER_EPOCH
  if (errorCode === ErrorCode.TRANSACTION_ABORTABLE && ability === 'adds partitions') return ErrorCode.INVALID_TXN_STATE
  return errorCode
}
