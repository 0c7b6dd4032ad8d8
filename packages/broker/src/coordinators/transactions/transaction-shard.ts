/** One partition of `__transaction_state`: the transactional ids that hash to it. */
import { ErrorCode, KafkaError, TransactionLogRecord, type RecordKey, type RecordValue } from '@millrace/protocol'
import type { MetadataImage } from '../../metadata/image.ts'
import type { CoordinatorShard, RecordOrigin, ShardContext } from '../runtime/coordinator-shard.ts'
import { answer, type Decision } from '../runtime/decision.ts'
import { Replayers, type LoadedRecord } from '../runtime/replayers.ts'
import { MarkerDeliveries } from './marker-deliveries.ts'
import type { MarkerWriter } from './marker-writer.ts'
import { PartitionSet } from './partition-set.ts'
import { transactionOf, transactionRecord, transactionTombstone } from './transaction-record.ts'
import { completed, type Transaction } from './transaction.ts'
import { isIdle, isPrepared } from './transaction-state.ts'
import { NEEDS_PRODUCER_ID, type RuleContext, type Verdict } from './verdict.ts'

/** Decides from a transactional id's state; null when it is not known. */
export type Rule = (current: Transaction | null, context: RuleContext) => Verdict | typeof NEEDS_PRODUCER_ID

export interface Ruling {
  readonly errorCode: number
  /** As it is after the request; null when the transactional id is not known. */
  readonly transaction: Transaction | null
}

/** How long until it is looked again whether a prepared transaction, whose commit took too long for its client, is committed. */
const commitCheckMs = 500

export class TransactionShard implements CoordinatorShard {
  readonly #context: ShardContext
  readonly #transactions = new Map<string, Transaction>()
  /** `Transaction.lastProducerEpoch`, which is not in the log, for the identity with which it goes; by transactional id. */
  readonly #lastEpochs = new Map<string, Pick<Transaction, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>>()
  readonly #deliveries: MarkerDeliveries
  /** Who waits for a prepared transaction to be complete. */
  readonly #completions = new Map<string, PromiseWithResolvers<void>>()
  readonly #replayers: Replayers

  constructor(context: ShardContext, writer: MarkerWriter) {
    this.#context = context
    this.#deliveries = new MarkerDeliveries({
      writer,
      clock: context.clock,
      logger: context.logger,
      image: () => context.image,
      coordinatorEpoch: () => context.epoch,
      complete: (transaction) => context.write(() => this.#complete(transaction)),
    })
    this.#replayers = new Replayers().on(TransactionLogRecord, (key, value) => this.#apply(key, value))
  }

  get transactions(): Iterable<Transaction> {
    return this.#transactions.values()
  }

  get(transactionalId: string): Transaction | null {
    return this.#transactions.get(transactionalId) ?? null
  }

  /** Without the partitions that have their marker. */
  asDescribed(transaction: Transaction): Transaction {
    const missing = isPrepared(transaction.state) ? this.#deliveries.missing(transaction.transactionalId) : null
    return missing === null ? transaction : { ...transaction, partitions: PartitionSet.of(missing) }
  }

  /** Resolves when the transaction, which is prepared, is complete, or its coordinator has moved; null when it is not prepared. */
  completion(transactionalId: string): Promise<void> | null {
    const transaction = this.get(transactionalId)
    if (transaction === null || !isPrepared(transaction.state)) return null
    let waiting = this.#completions.get(transactionalId)
    if (waiting === undefined) this.#completions.set(transactionalId, (waiting = Promise.withResolvers<void>()))
    return waiting.promise
  }

  /** What `rule` says; it is to be called again with a producer id when it needs one. */
  decide(
    transactionalId: string,
    rule: Rule,
    freshProducerId: bigint | null,
  ): Decision<Ruling | typeof NEEDS_PRODUCER_ID> {
    const current = this.get(transactionalId)
    const verdict = rule(current, {
      nowMs: this.#context.clock.now(),
      transactionVersion: this.#transactionVersion,
      freshProducerId,
    })
    if (verdict === NEEDS_PRODUCER_ID) return answer(verdict)
    const { errorCode, next } = verdict
    if (next === null) return answer({ errorCode, transaction: current })
    this.#rememberLastEpoch(next)
    const records = [transactionRecord(next, this.#transactionVersion)]
    const response = { errorCode, transaction: next }
    if (!isPrepared(next.state)) return { records, response }
    return { records, response, settled: (error) => this.#settled(transactionalId, error) }
  }

  /** Forgets the transactional ids that have had no transaction for so long. */
  expire(expirationMs: number): Decision<void> {
    const before = this.#context.clock.now() - expirationMs
    const records = []
    for (const { transactionalId, state, lastUpdateMs } of this.#transactions.values())
      if (isIdle(state) && lastUpdateMs <= before) records.push(transactionTombstone(transactionalId))
    return { records, response: undefined, isAtomic: false }
  }

  replay(record: LoadedRecord, origin: RecordOrigin): void {
    this.#replayers.apply(record, origin)
  }

  loaded(): void {
    for (const transaction of this.#transactions.values())
      if (isPrepared(transaction.state)) this.#deliverWhenCommitted(transaction)
  }

  unloaded(): void {
    this.#deliveries.stop()
    for (const { resolve } of this.#completions.values()) resolve()
    this.#completions.clear()
  }

  metadataChanged(_image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    if (changedTopics === null || changedTopics.size > 0) this.#deliveries.hurry()
  }

  get #transactionVersion(): number {
    return this.#context.image.features.level('transaction.version')
  }

  #apply(key: RecordKey<typeof TransactionLogRecord>, value: RecordValue<typeof TransactionLogRecord> | null): void {
    const { transactionalId } = key
    if (value === null) {
      this.#transactions.delete(transactionalId)
      this.#lastEpochs.delete(transactionalId)
      return
    }
    const transaction = transactionOf(key, value)
    const last = this.#lastEpochs.get(transactionalId)
    const isSame = last?.producerId === transaction.producerId && last.producerEpoch === transaction.producerEpoch
    this.#transactions.set(
      transactionalId,
      isSame ? { ...transaction, lastProducerEpoch: last.lastProducerEpoch } : transaction,
    )
    if (isPrepared(transaction.state)) return
    this.#completions.get(transactionalId)?.resolve()
    this.#completions.delete(transactionalId)
  }

  #rememberLastEpoch({ transactionalId, producerId, producerEpoch, lastProducerEpoch }: Transaction): void {
    if (lastProducerEpoch === -1) this.#lastEpochs.delete(transactionalId)
    else this.#lastEpochs.set(transactionalId, { producerId, producerEpoch, lastProducerEpoch })
  }

  /** Nothing but the completion changes a prepared transaction, so what is there now is what was decided. If it is: the append may have failed. */
  #settled(transactionalId: string, error: KafkaError | null): void {
    const prepared = this.get(transactionalId)
    if (prepared === null || !isPrepared(prepared.state)) return
    if (error === null) this.#deliveries.begin(prepared)
    else this.#deliverWhenCommitted(prepared)
  }

  /** It is in the log; whether it stays there is decided when it is on all in-sync replicas. */
  #deliverWhenCommitted(prepared: Transaction): void {
    this.#context
      .write(() => answer(undefined))
      .then(
        () => this.#deliveries.begin(prepared),
        (error: unknown) => {
          if (!(error instanceof KafkaError)) throw error
          if (error.code === ErrorCode.COORDINATOR_NOT_AVAILABLE)
            this.#context.clock.after(commitCheckMs, () => this.#deliverWhenCommitted(prepared))
        },
      )
  }

  #complete(prepared: Transaction): Decision<void> {
    // The very one, not one like it: this may be the second attempt, and the first have succeeded long ago.
    if (this.get(prepared.transactionalId) !== prepared) return answer(undefined)
    const next = completed(prepared, this.#context.clock.now())
    this.#rememberLastEpoch(next)
    return { records: [transactionRecord(next, this.#transactionVersion)], response: undefined }
  }
}
