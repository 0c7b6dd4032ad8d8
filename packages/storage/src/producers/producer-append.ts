/**
 * The rules for what one producer may append next, applied to a copy of its entry, so that a refused append changes nothing.
 * Source: Kafka's ProducerAppendInfo; KIP-98, KIP-360, KIP-890, KIP-1228.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { ProducerEntry, sequenceAfter } from './producer-entry.ts'
import type { Verification } from './verifications.ts'

/** Who wrote the records: replicas only repeat what a leader has checked. */
export type AppendOrigin = 'client' | 'coordinator' | 'replica'

export interface CompletedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
  /** Of the marker. */
  readonly lastOffset: bigint
  readonly isAborted: boolean
}

export interface DataBatch {
  readonly epoch: number
  /** -1 for none, as coordinators write. */
  readonly baseSequence: number
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly lastOffsetDelta: number
  readonly maxTimestamp: bigint
  readonly isTransactional: boolean
}

export interface EndMarker {
  readonly epoch: number
  readonly coordinatorEpoch: number
  readonly isAbort: boolean
  readonly offset: bigint
  readonly timestamp: bigint
  /** `transaction.version` the marker was written for. */
  readonly transactionVersion: number
}

export interface ProducerAppendOptions {
  readonly producerId: bigint
  /** undefined when the producer is not known. */
  readonly before: ProducerEntry | undefined
  readonly origin: AppendOrigin
  /** Of the partition, for messages. */
  readonly partition: string
  /** Of the first records of a transaction, when there is one. */
  readonly verification: Verification | undefined
}

const maxEpoch = 0x7fff
const maxSequence = 0x7fffffff

export class ProducerAppend {
  /** The entry as it will be when the append is done. */
  readonly entry: ProducerEntry
  /** First offsets of the transactions that begin with this append. */
  readonly startedTransactions: bigint[] = []
  readonly #origin: AppendOrigin
  readonly #partition: string
  readonly #verification: Verification | undefined
  /** The epoch before the append; -1 when the producer is not known. */
  readonly #epochBefore: number
  readonly #hadBatches: boolean

  constructor({ producerId, before, origin, partition, verification }: ProducerAppendOptions) {
    this.entry = before?.copy() ?? new ProducerEntry(producerId)
    this.#epochBefore = this.entry.epoch
    this.#hadBatches = this.entry.batches.length > 0
    this.#origin = origin
    this.#partition = partition
    this.#verification = verification
  }

  /** @throws KafkaError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE. */
  appendData(batch: DataBatch): void {
    const { entry } = this
    this.#checkEpoch(batch.epoch, batch.baseOffset, -1)
    if (this.#origin === 'client') this.#checkSequence(batch)
    entry.addBatch(batch.epoch, {
      lastSequence: batch.baseSequence < 0 ? -1 : sequenceAfter(batch.baseSequence, batch.lastOffsetDelta),
      lastOffset: batch.lastOffset,
      offsetDelta: Number(batch.lastOffset - batch.baseOffset),
      timestamp: batch.maxTimestamp,
    })
    if (entry.currentTxnFirstOffset >= 0n && !batch.isTransactional)
      throw new KafkaError(
        ErrorCode.INVALID_TXN_STATE,
        `${this.#partition}: producer ${entry.producerId} has an open transaction since offset ${entry.currentTxnFirstOffset} and wrote without one at ${batch.baseOffset}`,
      )
    if (entry.currentTxnFirstOffset < 0n && batch.isTransactional) {
      entry.currentTxnFirstOffset = batch.baseOffset
      this.startedTransactions.push(batch.baseOffset)
    }
  }

  /**
   * Ends the producer's transaction; null when none was open (nothing to tell readers).
   * @throws KafkaError INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
   */
  appendMarker(marker: EndMarker): CompletedTransaction | null {
    const { entry } = this
    this.#checkEpoch(marker.epoch, marker.offset, marker.transactionVersion)
    if (entry.coordinatorEpoch > marker.coordinatorEpoch && this.#origin !== 'replica')
      throw new KafkaError(
        ErrorCode.TRANSACTION_COORDINATOR_FENCED,
        `${this.#partition}: marker of producer ${entry.producerId} at ${marker.offset} is from coordinator epoch ${marker.coordinatorEpoch}, ${entry.coordinatorEpoch} was seen before`,
      )
    const firstOffset = entry.currentTxnFirstOffset
    entry.useEpoch(marker.epoch)
    entry.coordinatorEpoch = marker.coordinatorEpoch
    entry.lastTimestamp = marker.timestamp
    entry.currentTxnFirstOffset = -1n
    if (firstOffset < 0n) return null
    return { producerId: entry.producerId, firstOffset, lastOffset: marker.offset, isAborted: marker.isAbort }
  }

  /** A marker of which compaction has left the header alone still tells the producer's epoch. Kafka makes nothing of it. */
  appendEmptiedMarker(epoch: number, timestamp: bigint): void {
    this.entry.useEpoch(epoch)
    this.entry.lastTimestamp = timestamp
  }

  /**
   * A marker of transaction version 2 carries a bumped epoch; an equal one is the repetition of a marker that was written already,
   * which only ever happens without an open transaction (KAFKA-19999).
   */
  #checkEpoch(epoch: number, offset: bigint, transactionVersion: number): void {
    const current = this.entry.epoch
    const isStale = transactionVersion >= 2 ? epoch <= current : epoch < current
    if (!isStale || this.#origin === 'replica') return
    const isRepeatedMarker =
      transactionVersion >= 2 && epoch === current && (this.entry.currentTxnFirstOffset < 0n || epoch === maxEpoch)
    if (isRepeatedMarker) return
    throw new KafkaError(
      ErrorCode.INVALID_PRODUCER_EPOCH,
      `${this.#partition}: producer ${this.entry.producerId} wrote with epoch ${epoch} at ${offset}, its last one is ${current}`,
    )
  }

  #checkSequence(batch: DataBatch): void {
    const { entry } = this
    const first = batch.baseSequence
    if (this.#verification !== undefined) {
      const { supportsEpochBump, lowestSequence } = this.#verification
      if (supportsEpochBump && first !== 0 && !this.#hadBatches)
        throw this.#outOfOrder(batch, 'a producer of transaction version 2 begins with 0')
      if (first > lowestSequence)
        throw this.#outOfOrder(batch, `${lowestSequence} was seen before and is not written yet`)
    }
    if (batch.epoch !== entry.epoch) {
      if (first === 0 || entry.epoch === -1) return
      throw this.#outOfOrder(batch, `a new epoch begins with 0`)
    }
    const last = entry.lastSequence
    const isNext = first === last + 1 || (first === 0 && last === maxSequence)
    // Without an epoch all records of the producer are gone (retention, DeleteRecords): any sequence goes.
    if (this.#epochBefore === -1 || isNext) return
    throw this.#outOfOrder(batch, `the last one was ${last}`)
  }

  #outOfOrder(batch: DataBatch, expected: string): KafkaError {
    return new KafkaError(
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      `${this.#partition}: producer ${this.entry.producerId} sent sequence ${batch.baseSequence} of epoch ${batch.epoch} for offset ${batch.baseOffset}; ${expected}`,
    )
  }
}
