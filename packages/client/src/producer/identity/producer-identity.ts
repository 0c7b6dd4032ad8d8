/**
 * Who the producer is to the brokers (id and epoch), and what follows from their answers for the sequence numbers of its partitions:
 * whether a batch may go out, may be tried again, and when a new epoch is needed. No I/O. Source: Kafka's TransactionManager (the part that
 * idempotent producers have too), KIP-98, KIP-360.
 *
 * An idempotent producer that is not transactional takes a new epoch by itself. A transactional one gets it from its coordinator, when the
 * transaction ends.
 */
import { addToSequence, ErrorCode, isRetriable } from '@millrace/protocol'
import {
  lastSequenceOf,
  noProducer,
  precedes,
  type PartitionSequences,
  type ProducerIdAndEpoch,
  type Sequenced,
} from './partition-sequences.ts'

const HIGHEST_EPOCH = 0x7fff

export interface SequencedQueue<B extends Sequenced> {
  readonly sequences: PartitionSequences<B>
}

/** An answer of a partition's leader, as far as it matters here. */
export interface SequenceAnswer {
  readonly errorCode: number
  /** -1n: not told. */
  readonly logStartOffset: bigint
}

export class ProducerIdentity<B extends Sequenced, Q extends SequencedQueue<B>> {
  readonly #isTransactional: boolean
  #producer = noProducer
  #needsNewEpoch = false
  /**
   * Queues of which a numbered batch was given up without the leader's refusal, with the number behind it: whether the leader has it is not
   * known, so nothing new goes out until what is in flight is settled.
   */
  readonly #unresolved = new Map<Q, number>()
  /** Queues to begin at 0 with the new epoch. */
  readonly #toRestart = new Set<Q>()
  readonly #known = new Set<Q>()

  constructor({ isTransactional }: { readonly isTransactional: boolean }) {
    this.#isTransactional = isTransactional
  }

  get producer(): ProducerIdAndEpoch {
    return this.#producer
  }

  get hasId(): boolean {
    return this.#producer.id >= 0n
  }

  get hasUnresolved(): boolean {
    return this.#unresolved.size > 0
  }

  /** What a broker gave: for a transactional producer its coordinator, for others any. */
  become(producer: ProducerIdAndEpoch): void {
    this.#producer = producer
    this.#restartQueues()
  }

  /** All partitions begin at 0, as after a new epoch from the coordinator. */
  restartAll(): void {
    for (const queue of this.#known) queue.sequences.forget()
    this.#known.clear()
    this.#unresolved.clear()
  }

  /** Whether the first batch of the queue may be sent now. */
  mayDrain(queue: Q, first: B): boolean {
    if (!this.hasId) return false
    const { sequences } = queue
    if (first.baseSequence < 0) {
      // The first of a new epoch must not overtake those of the old one.
      if (sequences.hasInFlight && this.#isStale(sequences)) return false
      // A leader that knows nothing of this producer takes any sequence for its first. If it refused the true first, as one that has just become
      // leader may, and took the next, the first could never be written.
      if (sequences.hasInFlight && !sequences.isAnythingAcked) return false
      return !this.#unresolved.has(queue)
    }
    // A batch that is sent again goes alone: the next one follows when it is settled.
    const next = sequences.first
    return next === null || next.baseSequence === first.baseSequence
  }

  /** The batch goes out: it gets its numbers, unless it has some from an earlier attempt. */
  drained(queue: Q, batch: B): void {
    if (batch.baseSequence >= 0) return
    const { sequences } = queue
    if (this.#isStale(sequences) && !sequences.hasInFlight) sequences.restart(this.#producer)
    this.#known.add(queue)
    sequences.assign(batch)
  }

  acked(queue: Q, batch: B, baseOffset: bigint): void {
    queue.sequences.acked(batch, baseOffset)
  }

  /**
   * Whether the batch, refused with this answer, is worth another attempt; may ask for a new epoch.
   */
  canRetry(queue: Q, batch: B, { errorCode, logStartOffset }: SequenceAnswer): boolean {
    const { sequences } = queue
    if (errorCode === ErrorCode.UNKNOWN_PRODUCER_ID) {
      // Without the log start it cannot be told whether records were lost or just removed by retention.
      if (logStartOffset === -1n || batch.isResequenced) return true
      if (sequences.lastAckedOffset < logStartOffset) {
        // All that the leader knew of us has been removed with the records.
        if (this.#isTransactional) sequences.restart(this.#producer)
        else this.#restartWithNewEpoch(queue)
        return true
      }
      if (!this.#isTransactional) {
        this.#restartWithNewEpoch(queue)
        return true
      }
    } else if (errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) {
      const unresolvedAt = this.#unresolved.get(queue)
      // One before it failed, and will be sent again before it.
      if (unresolvedAt === undefined && (batch.isResequenced || !sequences.follows(batch.baseSequence))) return true
      if (!this.#isTransactional) {
        // It is the next one, and yet the leader misses something: that is lost.
        if (unresolvedAt === undefined || unresolvedAt === batch.baseSequence) this.#restartWithNewEpoch(queue)
        return true
      }
    }
    return isRetriable(errorCode)
  }

  /**
   * The batch has failed for good. `isRefused`: its leader said so, so its numbers are free; else it may have been written.
   */
  failed(queue: Q, batch: B, errorCode: number, isRefused: boolean): void {
    const { sequences } = queue
    const wasInFlight = sequences.remove(batch)
    if (errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && !this.#isTransactional) this.#restartWithNewEpoch(queue)
    else if (errorCode === ErrorCode.UNKNOWN_PRODUCER_ID) {
      sequences.forget()
      this.#unresolved.delete(queue)
    } else if (isRefused && wasInFlight) {
      if (this.#isTransactional) sequences.closeGap(batch)
      else this.#restartWithNewEpoch(queue)
    }
  }

  /** The batch has numbers no more: it was split. */
  untracked(queue: Q, batch: B): void {
    queue.sequences.remove(batch)
  }

  /** The batch was given up, and the leader has not refused it: it may have it, or miss it. */
  becameUnresolved(queue: Q, batch: B): void {
    const next = addToSequence(lastSequenceOf(batch), 1)
    const known = this.#unresolved.get(queue)
    if (known === undefined || precedes(known, next)) this.#unresolved.set(queue, next)
  }

  /**
   * Looks again at the unresolved queues of which nothing is in flight. Returns true when a transactional producer has lost track, and its
   * transaction has to be aborted; an idempotent one asks for a new epoch.
   */
  resolve(): boolean {
    let lostTrack = false
    for (const queue of this.#unresolved.keys()) {
      const { sequences } = queue
      if (sequences.hasInFlight) continue
      // Else those behind the expired one were acknowledged, so it was written.
      if (!sequences.isEverythingAcked) {
        if (this.#isTransactional) lostTrack = true
        else this.#restartWithNewEpoch(queue)
      }
      this.#unresolved.delete(queue)
    }
    return lostTrack
  }

  /** Takes a new epoch, where one was asked for. When there are none left, `hasId` is false after it, and another id has to be got. */
  bumpIfNeeded(): void {
    if (!this.#needsNewEpoch) return
    this.#needsNewEpoch = false
    const { id, epoch } = this.#producer
    if (epoch >= HIGHEST_EPOCH) this.#producer = noProducer
    else this.become({ id, epoch: epoch + 1 })
  }

  #restartQueues(): void {
    for (const queue of this.#toRestart) {
      queue.sequences.restart(this.#producer)
      this.#unresolved.delete(queue)
    }
    this.#toRestart.clear()
  }

  #restartWithNewEpoch(queue: Q): void {
    this.#needsNewEpoch = true
    this.#toRestart.add(queue)
  }

  #isStale(sequences: PartitionSequences<B>): boolean {
    const { id, epoch } = sequences.producer
    return id !== this.#producer.id || epoch !== this.#producer.epoch
  }
}
