/**
 * `producer.transaction(work)`: all that belongs to a transaction, in its order, around what the application does in it. One at a time; what an
 * earlier one left unfinished is finished first.
 */
import type { Clock, Logger } from '@millrace/runtime'
import type { Producer, Transaction } from '../producer.ts'
import type { AnyRecord } from '../intake/waiting-send.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { TransactionManager } from './transaction-manager.ts'
import { Turns } from './turns.ts'

export interface TransactionRunnerOptions {
  readonly manager: TransactionManager
  readonly maxBlockMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** @throws when the producer is closing. */
  readonly checkOpen: () => void
}

export class TransactionRunner {
  readonly #options: TransactionRunnerOptions
  readonly #turns: Turns

  constructor(options: TransactionRunnerOptions) {
    this.#options = options
    this.#turns = new Turns(options.clock)
  }

  /** Commits when `work` resolves; aborts when it throws, and throws that again. `producer` is what it sends with. */
  async run<T>(producer: Producer<AnyRecord>, work: (transaction: Transaction<AnyRecord>) => Promise<T>): Promise<T> {
    const { manager, maxBlockMs, checkOpen } = this.#options
    const end = await this.#turns.take(
      maxBlockMs,
      `transactional id ${manager.transactionalId}: another transaction of this producer was under way for ${maxBlockMs} ms (maxBlockMs); one can be at a time, and none inside another`,
    )
    try {
      checkOpen()
      await manager.settlePending()
      if (manager.phase === 'uninitialized') await manager.initialize()
      if (manager.phase === 'abortable error') await manager.abort()
      manager.begin()
      const transaction = new OpenTransaction(producer)
      let result: T
      try {
        result = await work(transaction)
      } catch (error) {
        await this.#abortAfter(transaction)
        throw error
      }
      if (!transaction.isAborted) await this.#commit(transaction)
      return result
    } finally {
      end()
    }
  }

  /** Refuses all who wait for their turn. */
  close(reason: Error): void {
    this.#turns.close(reason)
  }

  /** `work` has thrown, which is what its caller is told; the next transaction finds out if there is more. */
  async #abortAfter(transaction: OpenTransaction): Promise<void> {
    if (transaction.isAborted) return
    try {
      await transaction.abort()
    } catch (error) {
      const { manager, logger } = this.#options
      logger.warn('a transaction could not be aborted', { transactionalId: manager.transactionalId, error })
    }
  }

  async #commit(transaction: OpenTransaction): Promise<void> {
    const { manager } = this.#options
    transaction.isEnded = true
    try {
      await manager.commit()
    } catch (error) {
      if (manager.phase === 'abortable error') {
        transaction.isEnded = false
        await this.#abortAfter(transaction)
      }
      throw error
    }
  }
}
