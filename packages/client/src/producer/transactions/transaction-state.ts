/**
 * Where a transactional producer stands. No I/O: what it is told moves it, and what is not allowed now throws. Source: Kafka's
 * TransactionManager (State, KIP-98, KIP-360, KIP-890).
 *
 *   uninitialized → initializing → ready → in transaction → committing or aborting → ready (or initializing, for a new epoch)
 *
 * An error is either abortable (this transaction is lost, the producer can go on after aborting it) or fatal (nothing but closing is left).
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'

export type TransactionPhase =
  | 'uninitialized'
  | 'initializing'
  | 'ready'
  | 'in transaction'
  | 'committing'
  | 'aborting'
  | 'abortable error'
  | 'fatal error'

const sources: Readonly<Record<TransactionPhase, readonly TransactionPhase[]>> = {
  uninitialized: ['initializing', 'ready', 'abortable error'],
  initializing: ['uninitialized', 'committing', 'aborting'],
  ready: ['initializing', 'committing', 'aborting'],
  'in transaction': ['ready'],
  committing: ['in transaction'],
  aborting: ['in transaction', 'abortable error'],
  'abortable error': ['in transaction', 'committing', 'abortable error', 'initializing'],
  'fatal error': [],
}

/** Codes after which the transactional id is somebody else's, or not ours to use. */
const fatalCodes = new Set<number>([
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
])

/**
 * Invariant: `error` is set in the two phases of errors, and in no other.
 */
export class TransactionState {
  readonly #transactionalId: string
  #phase: TransactionPhase = 'uninitialized'
  #error: Error | null = null

  constructor(transactionalId: string) {
    this.#transactionalId = transactionalId
  }

  get phase(): TransactionPhase {
    return this.#phase
  }

  get error(): Error | null {
    return this.#error
  }

  get hasFatalError(): boolean {
    return this.#phase === 'fatal error'
  }

  get isCompleting(): boolean {
    return this.#phase === 'committing' || this.#phase === 'aborting'
  }

  /** Something was begun and is not ended. */
  get isOpen(): boolean {
    return this.#phase === 'in transaction' || this.#phase === 'abortable error' || this.isCompleting
  }

  /** @throws KafkaError INVALID_TXN_STATE when that does not come after where it stands. */
  to(phase: Exclude<TransactionPhase, 'abortable error' | 'fatal error'>, operation: string): void {
    if (!sources[phase].includes(this.#phase)) throw this.#wrongMoment(operation)
    this.#phase = phase
    this.#error = null
  }

  /** Something went wrong that spoils the transaction under way, if one is: aborting it comes next. */
  abortable(error: Error): void {
    if (this.#phase === 'aborting' || this.#phase === 'fatal error') return
    if (!sources['abortable error'].includes(this.#phase)) return
    this.#phase = 'abortable error'
    this.#error = error
  }

  /** Nothing can be done any more with this producer. The first reason stays. */
  fatal(error: Error): void {
    if (this.#phase === 'fatal error') return
    this.#phase = 'fatal error'
    this.#error = error
  }

  /**
   * A send has failed: with a code that ends the producer, or one that spoils the transaction, which must not be committed without the record.
   * What could have succeeded later says so in its `retriable`, but later is over: it is wrapped as TRANSACTION_ABORTABLE.
   */
  sendFailed(error: Error): void {
    if (error instanceof KafkaError && fatalCodes.has(error.code)) this.fatal(error)
    else if (error instanceof KafkaError && (error.retriable || error.code === ErrorCode.INVALID_TXN_STATE))
      this.abortable(
        new KafkaError(
          ErrorCode.TRANSACTION_ABORTABLE,
          `a record of the transaction could not be written, so it has to be aborted: ${error.message}`,
          { cause: error },
        ),
      )
    else this.abortable(error)
  }

  /** @throws KafkaError when an earlier error is in the way. */
  checkNoError(operation: string): void {
    const error = this.#error
    if (error === null) return
    const code = error instanceof KafkaError ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR
    const advice =
      code === ErrorCode.PRODUCER_FENCED || code === ErrorCode.INVALID_PRODUCER_EPOCH
        ? 'another producer has taken the transactional id, or the transaction took longer than transactionTimeoutMs'
        : error.message
    throw new KafkaError(
      code,
      this.#phase === 'fatal error'
        ? `${operation}: the producer with transactional id ${this.#transactionalId} cannot be used any more: ${advice}`
        : `${operation}: the transaction has failed and has to be aborted first: ${error.message}`,
      { cause: error },
    )
  }

  /** @throws KafkaError INVALID_TXN_STATE outside of a transaction, or an earlier error. */
  checkInTransaction(operation: string): void {
    if (this.#phase === 'in transaction') return
    this.checkNoError(operation)
    throw this.#wrongMoment(operation)
  }

  #wrongMoment(operation: string): KafkaError {
    const advice: Readonly<Record<TransactionPhase, string>> = {
      uninitialized: 'initTransactions comes first (transaction() does all of it)',
      initializing: 'initTransactions is not done',
      ready: 'no transaction was begun (beginTransaction, or transaction())',
      'in transaction': 'a transaction is under way already',
      committing: 'the transaction is being committed',
      aborting: 'the transaction is being aborted',
      'abortable error': 'the transaction has failed and has to be aborted',
      'fatal error': 'the producer cannot be used any more',
    }
    return new KafkaError(
      ErrorCode.INVALID_TXN_STATE,
      `${operation} is not possible now, with transactional id ${this.#transactionalId}: ${advice[this.#phase]}`,
    )
  }
}
