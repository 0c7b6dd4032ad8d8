/**
 * By which of two protocols transactions go, and how their producer comes by a new epoch. No I/O. Source: Kafka's TransactionManager, KIP-360,
 * KIP-890.
 *
 * - From `transaction.version` 2 on, partitions and offsets need not be added to a transaction: Produce and TxnOffsetCommit do that. Each end of a
 *   transaction brings a new epoch.
 * - Before it they are added first. A new epoch has to be asked for, where the coordinator gives any: with InitProducerId, when the transaction is
 *   ended.
 */
import type { FinalizedFeatures } from '@millrace/network'

/** Of `transaction.version`. */
const IMPLICIT_PARTITIONS_SINCE = 2

/** Invariant: a transaction ends by the protocol that it began with, so `isVersion2` changes only between two. */
export class TransactionProtocol {
  /** Whether InitProducerId of the coordinator gives the next epoch of an id (KIP-360). */
  coordinatorBumpsEpochs = false
  #isVersion2 = false
  #featuresEpoch = -1n
  #needsNewEpoch = false

  get isVersion2(): boolean {
    return this.#isVersion2
  }

  /** Whether the producer can go on when sequence numbers were lost. */
  get givesNewEpochs(): boolean {
    return this.#isVersion2 || this.coordinatorBumpsEpochs
  }

  /** Sequence numbers may have been lost: none of them may be used again in the epoch they were given for. */
  spoilEpoch(): void {
    if (!this.#isVersion2 && this.coordinatorBumpsEpochs) this.#needsNewEpoch = true
  }

  /** The producer has its first epoch. */
  begin(features: FinalizedFeatures): void {
    this.#adopt(features)
  }

  /** Nothing of a transaction is left. Returns whether a new epoch has to be asked for before the next. */
  transactionEnded(features: FinalizedFeatures): boolean {
    const wasVersion2 = this.#isVersion2
    this.#adopt(features)
    // So that nothing late of the old protocol can be taken for part of a transaction of the new one.
    const isUpgraded = !wasVersion2 && this.#isVersion2
    const needsNewEpoch = this.#needsNewEpoch || isUpgraded
    this.#needsNewEpoch = false
    return needsNewEpoch
  }

  /** What a broker says that has not heard of the newest levels is passed over. */
  #adopt({ epoch, levels }: FinalizedFeatures): void {
    if (epoch <= this.#featuresEpoch) return
    this.#featuresEpoch = epoch
    this.#isVersion2 = (levels.get('transaction.version') ?? 0) >= IMPLICIT_PARTITIONS_SINCE
  }
}
