/** What the rules say to a request. */
import { ErrorCode } from '@millrace/protocol'
import type { Transaction } from './transaction.ts'

export interface Verdict {
  /** For the client, once `next` is committed. Not NONE together with a `next`: the client is to come back when that is done. */
  readonly errorCode: number
  /** What the transaction becomes; null when it stays as it is. */
  readonly next: Transaction | null
}

/** The step takes a producer id that nobody had before, and none was given: the question is to be asked again with one. */
export const NEEDS_PRODUCER_ID = 'needs-producer-id'

export interface RuleContext {
  readonly nowMs: number
  /** The cluster's level of `transaction.version`. */
  readonly transactionVersion: number
  /** Nobody had it before; null when none was asked for. */
  readonly freshProducerId: bigint | null
}

export function refuse(errorCode: number): Verdict {
  return { errorCode, next: null }
}

export function become(next: Transaction, errorCode: number = ErrorCode.NONE): Verdict {
  return { errorCode, next }
}
