/**
 * The operation of a producer that changes its state, as long as it is not through: initialising, committing, aborting. Callers wait for it up to
 * maxBlockMs; after that it goes on, and calling it again waits on, while other operations are refused. Source: Kafka's TransactionManager.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'

interface Pending {
  readonly operation: string
  readonly promise: Promise<void>
}

export class PendingOperation {
  readonly #cluster: Cluster
  readonly #maxBlockMs: number
  #pending: Pending | null = null

  constructor(cluster: Cluster, maxBlockMs: number) {
    this.#cluster = cluster
    this.#maxBlockMs = maxBlockMs
  }

  /** Begins `operation`, or waits on for it when it was begun before. @throws what `start` throws; KafkaError REQUEST_TIMED_OUT. */
  async run(operation: string, start: () => Promise<void>): Promise<void> {
    let pending = this.#pending
    if (pending === null) {
      const promise = start()
      promise.catch(ignore)
      pending = { operation, promise }
      this.#pending = pending
    } else this.check(operation)
    try {
      await this.within(operation, pending.promise)
    } finally {
      const isThrough = await isSettled(pending.promise)
      if (isThrough && this.#pending === pending) this.#pending = null
    }
  }

  /** @throws KafkaError INVALID_TXN_STATE while another operation is not through. */
  check(operation: string): void {
    const pending = this.#pending
    if (pending === null || pending.operation === operation) return
    throw new KafkaError(
      ErrorCode.INVALID_TXN_STATE,
      `${operation} is not possible now: ${pending.operation} is not through yet; call ${pending.operation} again to wait for it`,
    )
  }

  /** Waits until an operation that somebody gave up waiting for is through, whatever became of it. */
  async settled(): Promise<void> {
    const pending = this.#pending
    if (pending === null) return
    await this.within(pending.operation, pending.promise.catch(ignore))
    if (this.#pending === pending) this.#pending = null
  }

  /** @throws KafkaError REQUEST_TIMED_OUT when `promise` is not settled within maxBlockMs. */
  async within(operation: string, promise: Promise<void>): Promise<void> {
    using _awake = this.#cluster.holdProcess()
    const timeout = Promise.withResolvers<never>()
    const timer = this.#cluster.world.clock.after(this.#maxBlockMs, () =>
      timeout.reject(
        new KafkaError(
          ErrorCode.REQUEST_TIMED_OUT,
          `${operation} was not through within ${this.#maxBlockMs} ms (maxBlockMs), so its outcome is not known; it goes on, and calling it again waits for it`,
        ),
      ),
    )
    try {
      await Promise.race([promise, timeout.promise])
    } finally {
      timer.cancel()
    }
  }
}

function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const not = Symbol()
  return Promise.race([promise, Promise.resolve(not)]).then(
    (value) => value !== not,
    () => true,
  )
}

function ignore(): void {}
