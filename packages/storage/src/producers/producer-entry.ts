/** What a partition remembers of one idempotent producer. Source: Kafka's ProducerStateEntry, BatchMetadata. */

/** As many batches as a producer may have in flight. */
const batchesKept = 5
const maxSequence = 0x7fffffff

export interface CachedBatch {
  readonly lastSequence: number
  readonly lastOffset: bigint
  readonly offsetDelta: number
  readonly timestamp: bigint
}

/** The sequence `delta` after `sequence`; INT32_MAX is followed by 0. */
export function sequenceAfter(sequence: number, delta: number): number {
  return sequence > maxSequence - delta ? delta - (maxSequence - sequence) - 1 : sequence + delta
}

function sequenceBefore(sequence: number, delta: number): number {
  return sequence < delta ? maxSequence - (delta - sequence) + 1 : sequence - delta
}

/** Invariant: all cached batches (at most 5, oldest first) are of `epoch`. */
export class ProducerEntry {
  readonly producerId: bigint
  /** -1 when not known. */
  epoch = -1
  coordinatorEpoch = -1
  lastTimestamp = -1n
  /** -1n: no open transaction. */
  currentTxnFirstOffset = -1n
  readonly batches: CachedBatch[] = []

  constructor(producerId: bigint) {
    this.producerId = producerId
  }

  /** -1 when there is none. */
  get lastSequence(): number {
    return this.batches.at(-1)?.lastSequence ?? -1
  }

  get lastOffset(): bigint {
    return this.batches.at(-1)?.lastOffset ?? -1n
  }

  /** The cached batch with exactly these sequences in this epoch. */
  findDuplicate(epoch: number, firstSequence: number, lastSequence: number): CachedBatch | null {
    if (epoch !== this.epoch) return null
    for (const batch of this.batches)
      if (
        batch.lastSequence === lastSequence &&
        sequenceBefore(batch.lastSequence, batch.offsetDelta) === firstSequence
      )
        return batch
    return null
  }

  addBatch(epoch: number, batch: CachedBatch): void {
    this.useEpoch(epoch)
    if (this.batches.length === batchesKept) this.batches.shift()
    this.batches.push(batch)
    this.lastTimestamp = batch.timestamp
  }

  /** Another epoch forgets the batches of the last one. */
  useEpoch(epoch: number): void {
    if (this.epoch === epoch) return
    this.batches.length = 0
    this.epoch = epoch
  }

  copy(): ProducerEntry {
    const copy = new ProducerEntry(this.producerId)
    copy.epoch = this.epoch
    copy.coordinatorEpoch = this.coordinatorEpoch
    copy.lastTimestamp = this.lastTimestamp
    copy.currentTxnFirstOffset = this.currentTxnFirstOffset
    copy.batches.push(...this.batches)
    return copy
  }
}
