/** When partitions may be added to a transaction, and whether they are in it. Source: TransactionCoordinator.handleAddPartitionsToTransaction. */
import { ErrorCode } from '@millrace/protocol'
import type { ProducerIdentity } from '../runtime/decision.ts'
import type { TopicPartition } from './partition-set.ts'
import { extended, type Transaction } from './transaction.ts'
import { isPrepared } from './transaction-state.ts'
import { become, refuse, type Verdict } from './verdict.ts'

export interface AddRequest extends ProducerIdentity {
  readonly partitions: readonly TopicPartition[]
  /** `transaction.version` of the client's protocol: 2, or 0 for everything before. */
  readonly clientVersion: number
}

export function addPartitions(current: Transaction | null, request: AddRequest, nowMs: number): Verdict {
  // Before anything else: the client may have the identity already that comes with the completion.
  if (current !== null && isPrepared(current.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  const errorCode = problemOf(current, request)
  if (current === null || errorCode !== ErrorCode.NONE) return refuse(errorCode)
  if (current.state === 'Ongoing' && current.partitions.hasAll(request.partitions)) return refuse(ErrorCode.NONE)
  return become(extended(current, request.partitions, { clientVersion: request.clientVersion, nowMs }))
}

export interface VerifyRequest extends ProducerIdentity {
  readonly partitions: readonly TopicPartition[]
}

/** One error code for each partition: NONE when it is in the transaction. */
export function verifyPartitions(current: Transaction | null, request: VerifyRequest): readonly number[] {
  const problem = problemOf(current, request)
  return request.partitions.map((one) =>
    problem === ErrorCode.NONE && current?.partitions.has(one) !== true ? ErrorCode.TRANSACTION_ABORTABLE : problem,
  )
}

function problemOf(current: Transaction | null, { producerId, producerEpoch }: ProducerIdentity): number {
  if (current === null || producerId !== current.producerId) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  if (producerEpoch !== current.producerEpoch) return ErrorCode.PRODUCER_FENCED
  return isPrepared(current.state) ? ErrorCode.CONCURRENT_TRANSACTIONS : ErrorCode.NONE
}
