/** The batches of one partition that wait to be sent, the oldest first, and the sequence numbers given to its records. */
import { PartitionSequences, precedes } from '../identity/partition-sequences.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { TopicQueues } from './topic-queues.ts'

/** Invariant: batches that have a sequence number come first, in its order; of the others only the last takes records. */
export class PartitionQueue {
  readonly topic: TopicQueues
  readonly partition: number
  readonly sequences = new PartitionSequences<ProducerBatch>()
  /** Sent and not answered, in the order of sending. */
  readonly inFlight: ProducerBatch[] = []
  readonly #waiting: ProducerBatch[] = []
  /** Of all records here that are not settled. */
  queuedBytes = 0
  /** What the last batch took, uncompressed: the next one will probably need as much. */
  typicalBatchBytes = 0
  #nextSerial = 0

  constructor(topic: TopicQueues, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** Numbers batches in the order in which they were begun. */
  newSerial(): number {
    return this.#nextSerial++
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  get first(): ProducerBatch | null {
    return this.#waiting[0] ?? null
  }

  get last(): ProducerBatch | null {
    return this.#waiting[this.#waiting.length - 1] ?? null
  }

  push(batch: ProducerBatch): void {
    this.#waiting.push(batch)
  }

  shift(): ProducerBatch | undefined {
    return this.#waiting.shift()
  }

  remove(batch: ProducerBatch): void {
    const at = this.#waiting.indexOf(batch)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  /** Puts back a batch that was taken out, or a part of one, where it belongs. Parts come the last first. */
  putBack(batch: ProducerBatch): void {
    const at = this.#waiting.findIndex((other) => !isBefore(other, batch))
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, batch)
  }

  /** Takes out those that were never sent, so have no number. */
  takeUnsent(): ProducerBatch[] {
    const unsent = this.#waiting.filter(({ attempts, baseSequence }) => attempts === 0 && baseSequence < 0)
    const rest = this.#waiting.filter(({ attempts, baseSequence }) => attempts > 0 || baseSequence >= 0)
    this.#waiting.splice(0, Infinity, ...rest)
    return unsent
  }
}

function isBefore(one: ProducerBatch, other: ProducerBatch): boolean {
  if (one.baseSequence < 0 || other.baseSequence < 0) return one.serial < other.serial
  return precedes(one.baseSequence, other.baseSequence)
}
