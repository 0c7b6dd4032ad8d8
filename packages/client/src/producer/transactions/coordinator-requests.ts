/** Requests to coordinators that are repeated until they are answered for good, and what the answers mean for the transaction. */
import { ErrorCode, errorName, KafkaError, type Api, type Response } from '@millrace/protocol'
import { backoffMs } from '../../cluster/backoff.ts'
import type { Cluster, RequestOf } from '../../cluster/cluster.ts'
import type { CoordinatorKind } from '../../cluster/destination.ts'
import { verdictOn, type TransactionalRequest, type Verdict } from './transaction-verdict.ts'

/** The first partition of a transaction often comes before the end of the last one is through: worth asking soon. */
const CONCURRENT_TRANSACTIONS_PAUSE_MS = 20

export interface Question<A extends Api> {
  readonly request: TransactionalRequest
  readonly api: A
  readonly coordinator: CoordinatorKind
  readonly key: string
  readonly body: RequestOf<A>
  readonly maxVersion?: number
  /** What the answer as a whole says. */
  readonly codeOf: (answer: Response<A>) => number
}

export interface CoordinatorRequestsOptions {
  readonly cluster: Cluster
  /** Aborted when nothing is to be asked any more. */
  readonly signal: AbortSignal
  /** @throws the error that makes asking on pointless. */
  readonly checkNoError: (operation: string) => void
  /** Is told of every answer that ends a question without success; returns what to throw. */
  readonly conclude: (verdict: Verdict, error: Error) => Error
  /** The transaction has nothing yet. */
  readonly isFirstOfTransaction: () => boolean
}

export class CoordinatorRequests {
  readonly #options: CoordinatorRequestsOptions

  constructor(options: CoordinatorRequestsOptions) {
    this.#options = options
  }

  /** Asks until the answer is final. @throws what the answer means, after `conclude`. */
  async ask<A extends Api>(question: Question<A>): Promise<Response<A>> {
    const { cluster, signal, checkNoError, conclude } = this.#options
    const { request, api, coordinator, key, body, maxVersion } = question
    using _awake = cluster.holdProcess()
    for (let failures = 1; ; failures++) {
      signal.throwIfAborted()
      checkNoError(request)
      let code: number
      try {
        const answer = await cluster.send({ coordinatorOf: key, kind: coordinator }, api, body, {
          signal,
          ...(maxVersion === undefined ? {} : { maxVersion }),
        })
        code = question.codeOf(answer)
        if (code === ErrorCode.NONE) return answer
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof KafkaError) || !error.retriable)
          throw conclude(verdictOnFailure(request, error), error as Error)
        code = ErrorCode.NETWORK_EXCEPTION
      }
      const verdict = verdictOn(request, code)
      if (verdict === 'retry elsewhere') cluster.coordinatorLost(coordinator, key)
      else if (verdict !== 'retry') throw conclude(verdict, answerError(question, code, verdict))
      await cluster.world.clock.sleep(this.#pauseMs(code, failures), signal)
    }
  }

  #pauseMs(code: number, failures: number): number {
    const { cluster, isFirstOfTransaction } = this.#options
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = cluster.settings
    const pauseMs = backoffMs(failures, { initialMs, maxMs, random: cluster.world.random })
    const isFirst = code === ErrorCode.CONCURRENT_TRANSACTIONS && isFirstOfTransaction()
    return isFirst ? Math.min(pauseMs, CONCURRENT_TRANSACTIONS_PAUSE_MS) : pauseMs
  }
}

/** There was no answer, and there will be none: no coordinator for us, no common version, no authentication. */
function verdictOnFailure(request: TransactionalRequest, error: unknown): Verdict {
  const code = error instanceof KafkaError ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR
  if (code === ErrorCode.GROUP_AUTHORIZATION_FAILED || code === ErrorCode.TRANSACTION_ABORTABLE) return 'abortable'
  // Nothing has happened yet, and rights can be granted.
  return request === 'InitProducerId' && code !== ErrorCode.UNSUPPORTED_VERSION ? 'not authorized' : 'fatal'
}

function answerError<A extends Api>(
  { request, key, coordinator }: Question<A>,
  code: number,
  verdict: Verdict,
): KafkaError {
  const subject = coordinator === 'group' ? `group ${key}` : `transactional id ${key}`
  switch (verdict) {
    case 'fenced':
      return new KafkaError(
        ErrorCode.PRODUCER_FENCED,
        `${subject}: another producer has taken it, or the transaction took longer than transactionTimeoutMs; this producer cannot be used any more`,
      )
    case 'not authorized':
      return new KafkaError(
        code,
        `${subject}: this client may not use it; it needs the operation Write on the transactional id`,
      )
    default:
      return new KafkaError(code, `${subject}: ${request} was answered with ${errorName(code)}${adviceFor(code)}`)
  }
}

function adviceFor(code: number): string {
  switch (code) {
    case ErrorCode.INVALID_TXN_STATE:
      return '; the coordinator has ended the transaction itself, as when it takes longer than transactionTimeoutMs'
    case ErrorCode.INVALID_TRANSACTION_TIMEOUT:
      return '; transactionTimeoutMs is above transaction.max.timeout.ms of the broker'
    case ErrorCode.UNKNOWN_MEMBER_ID:
    case ErrorCode.ILLEGAL_GENERATION:
    case ErrorCode.FENCED_INSTANCE_ID:
      return '; the consumer is not the member of the group any more that it was, so its records are for others to handle'
  }
  return ''
}
