/**
 * When a transaction may be committed or aborted. Source: TransactionCoordinator.endTransaction; KIP-98, KIP-890.
 *
 * Clients of transaction version 2 get a new epoch with each transaction, so a request that comes late cannot hit the next one. For them
 * "retry" means: the epoch is the one before, and the outcome is the one that was decided.
 */
import { ErrorCode } from '@millrace/protocol'
import type { TransactionResult } from '../runtime/coordinator-shard.ts'
import type { ProducerIdentity } from '../runtime/decision.ts'
import { epochAfter, isEpochExhausted, prepared, type Transaction } from './transaction.ts'
import { isPrepared, type TransactionState } from './transaction-state.ts'
import { become, NEEDS_PRODUCER_ID, refuse, type RuleContext, type Verdict } from './verdict.ts'

export interface EndRequest extends ProducerIdentity {
  readonly result: TransactionResult
  /** `transaction.version` of the client's protocol: 2, or 0 for everything before. */
  readonly clientVersion: number
}

export function endTransaction(
  current: Transaction | null,
  request: EndRequest,
  context: RuleContext,
): Verdict | typeof NEEDS_PRODUCER_ID {
  if (current === null) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  return request.clientVersion >= 2
    ? endWithNewEpoch(current, request, context)
    : endWithSameEpoch(current, request, context)
}

/**
 * Aborts the open transaction on somebody else's behalf, a newer producer's or because time is up. The epoch rises, so that its producer can do
 * no more.
 */
export function fence(current: Transaction, context: RuleContext): Transaction | typeof NEEDS_PRODUCER_ID {
  const { nowMs, transactionVersion, freshProducerId } = context
  const { producerEpoch, startMs } = current
  if (transactionVersion >= 2) return withNewEpoch(current, 'PrepareAbort', startMs, { nowMs, freshProducerId })
  return prepared(current, {
    state: 'PrepareAbort',
    producerEpoch: epochAfter(producerEpoch),
    lastProducerEpoch: -1,
    nextProducerId: -1n,
    clientVersion: 0,
    startMs,
    lastUpdateMs: nowMs,
  })
}

const stateToPrepare = { COMMIT: 'PrepareCommit', ABORT: 'PrepareAbort' } as const
const stateOfCompletion = { COMMIT: 'CompleteCommit', ABORT: 'CompleteAbort' } as const

function endWithSameEpoch(current: Transaction, request: EndRequest, { nowMs }: RuleContext): Verdict {
  const { producerId, producerEpoch, result } = request
  if (producerId !== current.producerId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (producerEpoch !== current.producerEpoch) return refuse(ErrorCode.PRODUCER_FENCED)
  switch (current.state) {
    case 'Ongoing':
      return become(
        prepared(current, {
          state: stateToPrepare[result],
          producerEpoch,
          lastProducerEpoch: current.lastProducerEpoch,
          nextProducerId: -1n,
          clientVersion: 0,
          startMs: current.startMs,
          lastUpdateMs: nowMs,
        }),
      )
    case stateOfCompletion[result]:
      return refuse(ErrorCode.NONE)
    case 'PrepareCommit':
    case 'PrepareAbort':
      return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
    default:
      return refuse(ErrorCode.INVALID_TXN_STATE)
  }
}

function endWithNewEpoch(
  current: Transaction,
  request: EndRequest,
  context: RuleContext,
): Verdict | typeof NEEDS_PRODUCER_ID {
  const { result } = request
  // Before anything else: the client may have the identity already that comes with the completion.
  if (isPrepared(current.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  const retry = retryOf(current, request)
  if (request.producerId !== current.producerId && retry !== 'with the id before')
    return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (!isEpochValid(current, request, retry)) return refuse(ErrorCode.PRODUCER_FENCED)
  const prepare = (state: 'PrepareCommit' | 'PrepareAbort', startMs: number) => {
    const next = withNewEpoch(current, state, startMs, context)
    return next === NEEDS_PRODUCER_ID ? next : become(next)
  }
  switch (current.state) {
    case 'Ongoing':
      return prepare(stateToPrepare[result], current.startMs)
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (retry !== null)
        return refuse(current.state === stateOfCompletion[result] ? ErrorCode.NONE : ErrorCode.INVALID_TXN_STATE)
      break
    default:
  }
  // A client that does not know how far it came aborts to be sure, though nothing was added: that begins and ends a transaction.
  return result === 'ABORT' ? prepare('PrepareAbort', context.nowMs) : refuse(ErrorCode.INVALID_TXN_STATE)
}

type Retry = 'with the id before' | 'with the epoch before' | null

function retryOf(current: Transaction, { producerId, producerEpoch }: ProducerIdentity): Retry {
  // Its own end would have made this a transaction of version 2. An older client that came after it may have one with the next epoch, too, and a
  // fenced producer must not take the end of that for its own, as it can with Kafka.
  if (current.clientVersion < 2) return null
  if (
    producerId === current.previousProducerId &&
    producerId !== current.producerId &&
    isEpochExhausted(producerEpoch) &&
    current.producerEpoch === 0
  )
    return 'with the id before'
  return current.producerEpoch === producerEpoch + 1 ? 'with the epoch before' : null
}

function isEpochValid(current: Transaction, { producerEpoch }: ProducerIdentity, retry: Retry): boolean {
  const isCurrent = producerEpoch === current.producerEpoch
  return isCompleted(current.state) ? isCurrent || retry !== null : isCurrent
}

function isCompleted(state: TransactionState): boolean {
  return state === 'CompleteCommit' || state === 'CompleteAbort'
}

/** Markers carry the new epoch; when it is the last one, a new id takes over with the completion. */
function withNewEpoch(
  current: Transaction,
  state: 'PrepareCommit' | 'PrepareAbort',
  startMs: number,
  { nowMs, freshProducerId }: Pick<RuleContext, 'nowMs' | 'freshProducerId'>,
): Transaction | typeof NEEDS_PRODUCER_ID {
  const { producerEpoch } = current
  const isLast = isEpochExhausted(producerEpoch)
  if (isLast && freshProducerId === null) return NEEDS_PRODUCER_ID
  return prepared(current, {
    state,
    producerEpoch: epochAfter(producerEpoch),
    lastProducerEpoch: producerEpoch,
    nextProducerId: isLast ? freshProducerId! : -1n,
    clientVersion: 2,
    startMs,
    lastUpdateMs: nowMs,
  })
}
