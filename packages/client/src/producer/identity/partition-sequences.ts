/**
 * The sequence numbers that an idempotent producer gives the records of one partition (KIP-98): by them the leader knows duplicates and
 * gaps. Source: Kafka's TxnPartitionEntry.
 */
import { addToSequence } from '@millrace/protocol'

export interface ProducerIdAndEpoch {
  /** -1n: none. */
  readonly id: bigint
  readonly epoch: number
}

export const noProducer: ProducerIdAndEpoch = { id: -1n, epoch: -1 }

/** What sequence numbers are given to. */
export interface Sequenced {
  readonly recordsCount: number
  readonly producer: ProducerIdAndEpoch
  /** -1: none yet. */
  readonly baseSequence: number
  /** It was given another sequence after it had been sent. */
  readonly isResequenced: boolean
  assign(producer: ProducerIdAndEpoch, baseSequence: number): void
  reassign(producer: ProducerIdAndEpoch, baseSequence: number): void
}

/** Sequence numbers go round (from 2^31 - 1 to 0), so "before" means less than half the way round. */
export function precedes(sequence: number, other: number): boolean {
  return sequence !== other && ((other - sequence) & 0x7fff_ffff) < 0x4000_0000
}

export function lastSequenceOf(batch: Sequenced): number {
  return addToSequence(batch.baseSequence, batch.recordsCount - 1)
}

/**
 * Invariants: `#inFlight` is in the order of sequence numbers, all of one producer id and epoch but for moments of change; the batches in it
 * are those that have a sequence and are neither acknowledged nor failed, be they on their way or waiting to be sent again.
 */
export class PartitionSequences<B extends Sequenced> {
  #producer = noProducer
  #next = 0
  #lastAcked = -1
  #lastAckedOffset = -1n
  #inFlight: B[] = []

  /** Whom the numbers are counted for. */
  get producer(): ProducerIdAndEpoch {
    return this.#producer
  }

  get next(): number {
    return this.#next
  }

  /** -1n: none. */
  get lastAckedOffset(): bigint {
    return this.#lastAckedOffset
  }

  get hasInFlight(): boolean {
    return this.#inFlight.length > 0
  }

  /** The batch with the lowest number; null when there is none. */
  get first(): B | null {
    return this.#inFlight[0] ?? null
  }

  /** Of this producer id and epoch. */
  get isAnythingAcked(): boolean {
    return this.#lastAcked >= 0
  }

  get isEverythingAcked(): boolean {
    return this.follows(this.#next)
  }

  /** Whether `sequence` is the one after the last acknowledged. */
  follows(sequence: number): boolean {
    return addToSequence(this.#lastAcked, 1) === sequence
  }

  /** Gives `batch` the next numbers. */
  assign(batch: B): void {
    batch.assign(this.#producer, this.#next)
    this.#next = addToSequence(this.#next, batch.recordsCount)
    this.track(batch)
  }

  /** Adds a batch that has numbers: a part of one that was split. */
  track(batch: B): void {
    let at = this.#inFlight.length
    while (at > 0 && precedes(batch.baseSequence, this.#inFlight[at - 1]!.baseSequence)) at--
    this.#inFlight.splice(at, 0, batch)
  }

  /** False when it was not in flight. */
  remove(batch: B): boolean {
    const at = this.#inFlight.indexOf(batch)
    if (at >= 0) this.#inFlight.splice(at, 1)
    return at >= 0
  }

  acked(batch: B, baseOffset: bigint): void {
    const last = lastSequenceOf(batch)
    if (this.#lastAcked < 0 || precedes(this.#lastAcked, last)) this.#lastAcked = last
    const lastOffset = baseOffset + BigInt(batch.recordsCount - 1)
    if (baseOffset >= 0n && lastOffset > this.#lastAckedOffset) this.#lastAckedOffset = lastOffset
    this.remove(batch)
  }

  /** Begins at 0 for another producer id or epoch; what is in flight is numbered anew. */
  restart(producer: ProducerIdAndEpoch): void {
    let sequence = 0
    for (const batch of this.#inFlight) {
      batch.reassign(producer, sequence)
      sequence += batch.recordsCount
    }
    this.#producer = producer
    this.#next = sequence
    this.#lastAcked = -1
  }

  /** As if nothing had ever been sent. */
  forget(): void {
    this.#producer = noProducer
    this.#next = 0
    this.#lastAcked = -1
    this.#lastAckedOffset = -1n
    this.#inFlight = []
  }

  /** The leader has refused the batch for good: those behind it move up, for else they would find a gap. It is no longer in flight. */
  closeGap({ baseSequence, recordsCount }: B): void {
    this.#next = addToSequence(this.#next, 0x8000_0000 - recordsCount)
    for (const batch of this.#inFlight)
      if (precedes(baseSequence, batch.baseSequence))
        batch.reassign(batch.producer, addToSequence(batch.baseSequence, 0x8000_0000 - recordsCount))
  }
}
