/** When a producer gets which id and epoch. Source: TransactionCoordinator.prepareInitProducerIdTransit; KIP-98, KIP-360, KIP-588. */
import { ErrorCode } from '@millrace/protocol'
import type { ProducerIdentity } from '../runtime/decision.ts'
import { fence } from './end-transaction.ts'
import { epochAfter, firstTransaction, initialised, isEpochExhausted, type Transaction } from './transaction.ts'
import { isPrepared } from './transaction-state.ts'
import { become, NEEDS_PRODUCER_ID, refuse, type RuleContext, type Verdict } from './verdict.ts'

export interface InitRequest {
  readonly transactionalId: string
  readonly timeoutMs: number
  /** What the producer has already, when it goes on after an error; null for one that begins. */
  readonly expected: ProducerIdentity | null
}

/** A transaction that is open is aborted, with an epoch that nobody gets; the client comes back (CONCURRENT_TRANSACTIONS) for the next one. */
export function initProducerId(
  current: Transaction | null,
  request: InitRequest,
  context: RuleContext,
): Verdict | typeof NEEDS_PRODUCER_ID {
  const { transactionalId, timeoutMs, expected } = request
  const { nowMs, freshProducerId } = context
  if (current === null) {
    if (freshProducerId === null) return NEEDS_PRODUCER_ID
    return become(firstTransaction({ transactionalId, producerId: freshProducerId, timeoutMs, nowMs }))
  }
  if (isPrepared(current.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  if (expected !== null && !mayBeIts(current, expected)) return refuse(ErrorCode.PRODUCER_FENCED)
  if (current.state === 'Ongoing') {
    const fenced = fence(current, context)
    return fenced === NEEDS_PRODUCER_ID ? fenced : become(fenced, ErrorCode.CONCURRENT_TRANSACTIONS)
  }

  const { producerId, producerEpoch, lastProducerEpoch } = current
  if (expected !== null && expected.producerEpoch !== producerEpoch) {
    // It asks a second time, as it missed the answer. Nobody was given an epoch since: that would have made the last epoch -1.
    if (expected.producerEpoch !== lastProducerEpoch) return refuse(ErrorCode.PRODUCER_FENCED)
    return become(initialised(current, { producerId, producerEpoch, lastProducerEpoch }, { timeoutMs, nowMs }))
  }
  const last = expected === null ? -1 : producerEpoch
  if (!isEpochExhausted(producerEpoch))
    return become(
      initialised(
        current,
        { producerId, producerEpoch: epochAfter(producerEpoch), lastProducerEpoch: last },
        { timeoutMs, nowMs },
      ),
    )
  if (freshProducerId === null) return NEEDS_PRODUCER_ID
  return become(
    initialised(
      current,
      { producerId: freshProducerId, producerEpoch: 0, lastProducerEpoch: last },
      { timeoutMs, nowMs },
    ),
  )
}

/** The id is the present one, or the one before when its epochs are used up and the producer has not heard of the new one. */
function mayBeIts(current: Transaction, { producerId, producerEpoch }: ProducerIdentity): boolean {
  if (producerId === current.producerId) return true
  return producerId === current.previousProducerId && isEpochExhausted(producerEpoch)
}
