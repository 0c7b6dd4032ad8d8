/** A foreign client that copies one topic into another in transactions, offsets and records together. */

export type GroupProtocol = 'classic' | 'consumer'

export interface CopyJob {
  readonly bootstrap: string
  readonly inputTopic: string
  readonly outputTopic: string
  readonly group: string
  readonly groupProtocol: GroupProtocol
  readonly transactionalId: string
  /** Records of a transaction, at most. */
  readonly transactionSize: number
  readonly transactionTimeoutMs: number
}

export interface Copier {
  readonly name: string
  /** Installs the client. Safe to call again. */
  prepare(): Promise<void>
  /**
   * A program that copies each partition of the input into the same partition of the output, aborts some transactions for no
   * reason, and prints `"totalProcessed":N` after each one committed. It may end at any time, and is started again then.
   */
  command(job: CopyJob): { readonly file: string; readonly args: readonly string[] }
}
