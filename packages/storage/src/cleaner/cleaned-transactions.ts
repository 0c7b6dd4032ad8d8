/**
 * Which transactions are under way while a log is walked from its start: decides that data is aborted, and when a marker has outlived the
 * last batch of its transaction. Source: Kafka's CleanedTransactionMetadata.
 */
import { ControlType, lastOffset, isTransactional, producerId, readControlRecord } from '@millrace/protocol'
import type { AbortedTransaction } from '../formats/transaction-index.ts'

interface AbortUnderWay {
  readonly transaction: AbortedTransaction
  hasBatches: boolean
}

export class CleanedTransactions {
  /** Aborted transactions that begin behind what was walked; by first offset. */
  #ahead: AbortedTransaction[] = []
  readonly #aborts = new Map<bigint, AbortUnderWay>()
  readonly #commits = new Set<bigint>()

  /** To be called before the batches they concern are walked; one that was told before does no harm. */
  add(aborted: readonly AbortedTransaction[]): void {
    if (aborted.length === 0) return
    this.#ahead = [...this.#ahead, ...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  }

  /** Whether the data batch at `at` belongs to an aborted transaction. */
  onBatch(bytes: Uint8Array, at: number): boolean {
    this.#advanceTo(lastOffset(bytes, at))
    if (!isTransactional(bytes, at)) return false
    const producer = producerId(bytes, at)
    const abort = this.#aborts.get(producer)
    if (abort === undefined) this.#commits.add(producer)
    else abort.hasBatches = true
    return abort !== undefined
  }

  /**
   * Whether the control batch at `at` is needed no more: no batch of its transaction was met. `onAbort` gets the transaction of an ABORT
   * marker that stays.
   */
  onControlBatch(bytes: Uint8Array, at: number, onAbort: (transaction: AbortedTransaction) => void): boolean {
    this.#advanceTo(lastOffset(bytes, at))
    const control = readControlRecord(bytes, at)
    // Emptied before.
    if (control === null) return true
    const producer = producerId(bytes, at)
    switch (control.type) {
      case ControlType.ABORT: {
        const abort = this.#aborts.get(producer)
        this.#aborts.delete(producer)
        if (abort?.hasBatches !== true) return true
        onAbort(abort.transaction)
        return false
      }
      case ControlType.COMMIT:
        return !this.#commits.delete(producer)
      default:
        return false
    }
  }

  #advanceTo(offset: bigint): void {
    while (this.#ahead.length > 0 && this.#ahead[0]!.firstOffset <= offset) {
      const transaction = this.#ahead.shift()!
      if (!this.#aborts.has(transaction.producerId))
        this.#aborts.set(transaction.producerId, { transaction, hasBatches: false })
    }
  }
}
