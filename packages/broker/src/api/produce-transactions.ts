/** What a Produce request with records of a transaction takes besides: its transaction must be open, and its partitions be part of it. */
import { ErrorCode, errorName, isTransactional, magicOf, BATCH_HEADER_SIZE } from '@millrace/protocol'
import type { ValidatedBatch, ValidatedBatches, Verification } from '@millrace/storage'
import {
  produceAbility,
  type ClientAbility,
  type Verified,
} from '../coordinators/transactions/partition-verification.ts'
import type { Partition } from '../partitions/partition.ts'
import type { RequestContext } from '../server/request-context.ts'

/** Looks at the first batch, as Kafka does: there may be but one. */
export function holdsTransaction(records: Uint8Array | null): boolean {
  return (
    records !== null && records.length >= BATCH_HEADER_SIZE && magicOf(records, 0) === 2 && isTransactional(records, 0)
  )
}

/** One partition's part of the request; `result` and `verification` are filled in. */
export interface CheckedWrite {
  readonly partition: Partition
  readonly batches: ValidatedBatches | null
  readonly result: { errorCode: number; errorMessage?: string | null | undefined }
  /** As in the log's `AppendOptions`. */
  verification: Verification | 'none' | undefined
}

/**
 * NONE, or what the whole request is to be refused with: it names more than one producer. Resolves when the coordinator has answered for each
 * partition.
 */
export async function checkTransaction(
  transactionalId: string,
  writes: readonly CheckedWrite[],
  { version, broker }: RequestContext,
): Promise<number> {
  const transactional: { readonly write: CheckedWrite; readonly batch: ValidatedBatch }[] = []
  for (const write of writes) {
    const batch = write.batches?.batches.find((one) => one.isTransactional && one.producerId >= 0n)
    if (batch !== undefined) transactional.push({ write, batch })
  }
  const first = transactional[0]
  if (first === undefined) return ErrorCode.NONE
  const { producerId, producerEpoch } = first.batch
  if (transactional.some(({ batch }) => batch.producerId !== producerId || batch.producerEpoch !== producerEpoch))
    return ErrorCode.INVALID_PRODUCER_ID_MAPPING

  const ability = produceAbility(version)
  const verified = await broker.coordinators.verification.verify(
    { transactionalId, producerId, producerEpoch, ability },
    transactional.map(({ write, batch }) => ({ partition: write.partition, baseSequence: batch.baseSequence })),
  )
  for (const [at, { write }] of transactional.entries()) take(verified[at]!, write, ability)
  return ErrorCode.NONE
}

function take({ errorCode, verification }: Verified, write: CheckedWrite, ability: ClientAbility): void {
  write.verification = verification
  if (errorCode === ErrorCode.NONE) return
  const { result } = write
  if (errorCode === ErrorCode.INVALID_TXN_STATE) result.errorMessage = 'the partition was not added to the transaction'
  if (isPassing(errorCode, ability)) {
    // Old clients do not expect the coordinator's codes here. With this one they send again, and look for no other leader.
    result.errorCode = ErrorCode.NOT_ENOUGH_REPLICAS
    result.errorMessage = `it cannot be verified now that the partition was added to the transaction: ${errorName(errorCode)}`
  } else result.errorCode = errorCode
}

function isPassing(errorCode: number, ability: ClientAbility): boolean {
  switch (errorCode) {
    case ErrorCode.NETWORK_EXCEPTION:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.NOT_COORDINATOR:
      return true
    case ErrorCode.CONCURRENT_TRANSACTIONS:
      return ability !== 'leaves adding to the broker'
    default:
      return false
  }
}
