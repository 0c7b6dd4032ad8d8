/**
 * What is known of one transactional id, and the steps it can take: each makes the next value from this one. When a step may be taken is decided
 * in init-producer-id.ts, add-partitions.ts and end-transaction.ts. Source: Kafka's TransactionMetadata; PROTOCOL §3.5.
 */
import { PartitionSet, type TopicPartition } from './partition-set.ts'
import { isIdle, type TransactionState } from './transaction-state.ts'

export interface Transaction {
  readonly transactionalId: string
  readonly producerId: bigint
  /** Before the last step; differs only when that gave a new id, as the epochs of the old one were used up. -1n: not known. */
  readonly previousProducerId: bigint
  /** Takes over when the transaction is complete; -1n for none. */
  readonly nextProducerId: bigint
  readonly producerEpoch: number
  /**
   * The epoch from which its own producer was moved to the present one: it may ask again with that, as the answer may have been lost. -1 when
   * another producer was given the epoch. Not in the log: lost when the coordinator moves, as in Kafka.
   */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly state: TransactionState
  readonly partitions: PartitionSet
  /** -1 when there was no transaction yet. */
  readonly startMs: number
  readonly lastUpdateMs: number
  /** `transaction.version` of the protocol its client speaks: 2, or 0 for everything before. */
  readonly clientVersion: number
}

/** The largest epoch is kept for fencing, so that it is always possible. */
const lastEpochForProducers = 0x7ffe
const maxEpoch = 0x7fff

export function isEpochExhausted(epoch: number): boolean {
  return epoch >= lastEpochForProducers
}

/** The next epoch; the largest one stays, as there is none behind it. */
export function epochAfter(epoch: number): number {
  return Math.min(epoch + 1, maxEpoch)
}

export function firstTransaction(options: {
  transactionalId: string
  producerId: bigint
  timeoutMs: number
  nowMs: number
}): Transaction {
  const { transactionalId, producerId, timeoutMs, nowMs } = options
  return {
    transactionalId,
    producerId,
    previousProducerId: producerId,
    nextProducerId: -1n,
    producerEpoch: 0,
    lastProducerEpoch: -1,
    timeoutMs,
    state: 'Empty',
    partitions: PartitionSet.empty,
    startMs: -1,
    lastUpdateMs: nowMs,
    clientVersion: 0,
  }
}

/** A producer begins, or goes on after an error, with the identity given. */
export function initialised(
  current: Transaction,
  identity: Pick<Transaction, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>,
  { timeoutMs, nowMs }: { timeoutMs: number; nowMs: number },
): Transaction {
  return {
    ...current,
    ...identity,
    previousProducerId: current.producerId,
    timeoutMs,
    state: 'Empty',
    partitions: PartitionSet.empty,
    startMs: -1,
    lastUpdateMs: nowMs,
  }
}

export function extended(
  current: Transaction,
  partitions: Iterable<TopicPartition>,
  { clientVersion, nowMs }: { clientVersion: number; nowMs: number },
): Transaction {
  return {
    ...current,
    previousProducerId: current.producerId,
    state: 'Ongoing',
    partitions: current.partitions.with(partitions),
    startMs: isIdle(current.state) ? nowMs : current.startMs,
    lastUpdateMs: nowMs,
    clientVersion,
  }
}

/** The outcome is decided. */
export function prepared(
  current: Transaction,
  change: Pick<
    Transaction,
    'producerEpoch' | 'lastProducerEpoch' | 'nextProducerId' | 'clientVersion' | 'startMs' | 'lastUpdateMs'
  > & { readonly state: 'PrepareCommit' | 'PrepareAbort' },
): Transaction {
  return { ...current, ...change, previousProducerId: current.producerId }
}

/** All markers are written. */
export function completed(current: Transaction, nowMs: number): Transaction {
  const takesNextId = current.clientVersion >= 2 && current.nextProducerId !== -1n
  return {
    ...current,
    producerId: takesNextId ? current.nextProducerId : current.producerId,
    producerEpoch: takesNextId ? 0 : current.producerEpoch,
    previousProducerId: current.producerId,
    nextProducerId: -1n,
    state: current.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    partitions: PartitionSet.empty,
    lastUpdateMs: nowMs,
  }
}
