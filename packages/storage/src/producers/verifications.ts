/**
 * Producers that are about to write the first records of a transaction here, and of which the transaction coordinator is being asked whether
 * the partition belongs to their transaction (KIP-890). Without the answer a late batch could open a transaction that nobody will ever end.
 *
 * What it guards against: the coordinator says yes, the transaction is ended before the batch is appended, and the batch begins another one.
 * So the append has to show the verification it was begun with, and a marker forgets that. Source: Kafka's VerificationStateEntry.
 */

export interface VerificationRequest {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Of the batch that waits; -1 for none. */
  readonly baseSequence: number
  /** The client is of transaction version 2: each transaction has an epoch of its own, and sequences that begin with 0. */
  readonly supportsEpochBump: boolean
}

export class Verification {
  readonly startedMs: number
  readonly supportsEpochBump: boolean
  /**
   * A later batch may not be written before an earlier one that was sent back with an error that passes, or the earlier one would be out of
   * order for ever.
   */
  #lowestSequence: number
  #epoch: number

  constructor({ baseSequence, producerEpoch, supportsEpochBump }: VerificationRequest, nowMs: number) {
    this.startedMs = nowMs
    this.supportsEpochBump = supportsEpochBump
    this.#lowestSequence = baseSequence
    this.#epoch = producerEpoch
  }

  get lowestSequence(): number {
    return this.#lowestSequence
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Another batch waits for the same answer. */
  join({ baseSequence, producerEpoch }: VerificationRequest): void {
    if (producerEpoch > this.#epoch) {
      this.#epoch = producerEpoch
      this.#lowestSequence = baseSequence
    } else if (producerEpoch === this.#epoch && baseSequence < this.#lowestSequence) this.#lowestSequence = baseSequence
  }
}

export class Verifications {
  /** null: most partitions never have one. */
  #byProducer: Map<bigint, Verification> | null = null

  get(producerId: bigint): Verification | undefined {
    return this.#byProducer?.get(producerId)
  }

  begin(request: VerificationRequest, nowMs: number): Verification {
    this.#byProducer ??= new Map()
    let verification = this.#byProducer.get(request.producerId)
    if (verification === undefined) {
      verification = new Verification(request, nowMs)
      this.#byProducer.set(request.producerId, verification)
    } else verification.join(request)
    return verification
  }

  /**
   * The producer's transaction has records here now, or a marker: what is asked is answered, or out of date. Only a marker of version 2 with
   * the epoch that is being asked for ends the transaction before: it carries the epoch of the next one.
   */
  wrote(producerId: bigint, { isMarker, epoch }: { isMarker: boolean; epoch: number }): void {
    const verification = this.#byProducer?.get(producerId)
    if (verification === undefined) return
    if (isMarker && verification.supportsEpochBump && verification.epoch === epoch) return
    this.#byProducer!.delete(producerId)
  }

  /** The coordinator will not have it: whoever makes up producers must not be remembered for each. */
  refused(producerId: bigint, verification: Verification): void {
    if (this.#byProducer?.get(producerId) === verification) this.#byProducer.delete(producerId)
  }

  /** Forgets those that were never answered. */
  removeExpired(nowMs: number, expirationMs: number): void {
    if (this.#byProducer === null) return
    for (const [producerId, { startedMs }] of this.#byProducer)
      if (nowMs - startedMs >= expirationMs) this.#byProducer.delete(producerId)
  }
}
