/** What the error codes of the transactional APIs mean for the producer. Source: the handlers in Kafka's TransactionManager. */
import { ErrorCode, isRetriable } from '@millrace/protocol'

export type Verdict =
  | 'done'
  /** The same request again. */
  | 'retry'
  /** The same request to another broker. */
  | 'retry elsewhere'
  /** The transaction is lost. */
  | 'abortable'
  /** The same, if the coordinator can give a new epoch; else the producer is lost. */
  | 'abortable with new epoch'
  /** The producer is lost to another one. */
  | 'fenced'
  | 'fatal'
  /** The client may not do that: as if it had not been asked. */
  | 'not authorized'

export type TransactionalRequest =
  | 'InitProducerId'
  | 'AddPartitionsToTxn'
  | 'AddOffsetsToTxn'
  | 'TxnOffsetCommit'
  | 'EndTxn (commit)'
  | 'EndTxn (abort)'

const everywhere: Readonly<Record<number, Verdict>> = {
  [ErrorCode.NONE]: 'done',
  [ErrorCode.NOT_COORDINATOR]: 'retry elsewhere',
  [ErrorCode.COORDINATOR_NOT_AVAILABLE]: 'retry elsewhere',
  [ErrorCode.INVALID_PRODUCER_EPOCH]: 'fenced',
  [ErrorCode.PRODUCER_FENCED]: 'fenced',
  [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]: 'fatal',
  [ErrorCode.TRANSACTION_ABORTABLE]: 'abortable',
}

const byRequest: Readonly<Record<TransactionalRequest, Readonly<Record<number, Verdict>>>> = {
  InitProducerId: {
    [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]: 'not authorized',
    [ErrorCode.CLUSTER_AUTHORIZATION_FAILED]: 'not authorized',
  },
  AddPartitionsToTxn: {
    [ErrorCode.UNKNOWN_PRODUCER_ID]: 'abortable with new epoch',
    [ErrorCode.TOPIC_AUTHORIZATION_FAILED]: 'abortable',
    [ErrorCode.OPERATION_NOT_ATTEMPTED]: 'abortable',
  },
  AddOffsetsToTxn: {
    [ErrorCode.UNKNOWN_PRODUCER_ID]: 'abortable with new epoch',
    [ErrorCode.GROUP_AUTHORIZATION_FAILED]: 'abortable',
  },
  TxnOffsetCommit: {
    [ErrorCode.REQUEST_TIMED_OUT]: 'retry elsewhere',
    [ErrorCode.GROUP_AUTHORIZATION_FAILED]: 'abortable',
    [ErrorCode.FENCED_INSTANCE_ID]: 'abortable',
    [ErrorCode.UNKNOWN_MEMBER_ID]: 'abortable',
    [ErrorCode.ILLEGAL_GENERATION]: 'abortable',
  },
  'EndTxn (commit)': { [ErrorCode.UNKNOWN_PRODUCER_ID]: 'abortable with new epoch' },
  'EndTxn (abort)': {
    [ErrorCode.UNKNOWN_PRODUCER_ID]: 'abortable with new epoch',
    // What is being aborted cannot be aborted otherwise.
    [ErrorCode.TRANSACTION_ABORTABLE]: 'fatal',
  },
}

/** Errors of AddPartitionsToTxn not named above spoil the transaction only; those named here end the producer. */
const fatalForPartitions = new Set<number>([ErrorCode.INVALID_TXN_STATE, ErrorCode.INVALID_PRODUCER_ID_MAPPING])

export function verdictOn(request: TransactionalRequest, errorCode: number): Verdict {
  const named = byRequest[request][errorCode] ?? everywhere[errorCode]
  if (named !== undefined) return named
  if (isRetriable(errorCode)) return 'retry'
  return request === 'AddPartitionsToTxn' && !fatalForPartitions.has(errorCode) ? 'abortable' : 'fatal'
}

/** The one of the codes that says most: what ends it before what may be repeated, that before what spoils the transaction only. */
export function gravest(request: TransactionalRequest, codes: readonly number[]): number {
  const rank: Readonly<Record<Verdict, number>> = {
    fenced: 0,
    fatal: 1,
    'not authorized': 1,
    'abortable with new epoch': 2,
    'retry elsewhere': 3,
    retry: 4,
    abortable: 5,
    done: 6,
  }
  let worst: number = ErrorCode.NONE
  for (const code of codes) {
    const difference = rank[verdictOn(request, code)] - rank[verdictOn(request, worst)]
    // That others were not attempted says less than why.
    if (difference < 0 || (difference === 0 && worst === ErrorCode.OPERATION_NOT_ATTEMPTED)) worst = code
  }
  return worst
}
