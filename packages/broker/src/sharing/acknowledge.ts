/**
 * What members say of records they have acquired, what they leave behind, and what they kept too long. Each of these begins changes of the
 * window and says what to persist; `SharePartition` persists it and settles the changes.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Delivery } from './delivery.ts'
import type { InFlightBatch } from './in-flight-batch.ts'
import type { InFlightWindow } from './in-flight-window.ts'
import type { PersistedBatch } from './persister.ts'
import { AcknowledgeType, RecordState, stateAskedFor } from './record-state.ts'

export interface AcknowledgementBatch {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** One for all offsets, or one for each. */
  readonly acknowledgeTypes: readonly number[]
}

export interface AcknowledgeLimits {
  readonly maxDeliveryCount: number
  readonly allowsRenew: boolean
  /** For locks that are renewed; on the monotonic clock. */
  readonly lockedUntilMs: number
}

/** A change that is not settled, and what of it is to be persisted. */
export interface Change {
  readonly delivery: Delivery
  readonly persisted: PersistedBatch
}

/**
 * Begins what `batches` of `memberId` ask for, adding to `changes` as it goes: after an error what is there has to be taken back.
 * @throws KafkaError INVALID_RECORD_STATE when a record is not acquired by the member; INVALID_REQUEST for offsets that were never acquired and for
 * unknown types.
 */
export function beginAcknowledgement(
  window: InFlightWindow,
  memberId: string,
  batches: readonly AcknowledgementBatch[],
  limits: AcknowledgeLimits,
  changes: Change[],
): void {
  const acknowledgement = new Acknowledgement(window, memberId, limits, changes)
  for (const batch of batches) {
    if (batch.acknowledgeTypes.some((type) => type < AcknowledgeType.GAP || type > AcknowledgeType.RENEW))
      throw new KafkaError(
        ErrorCode.INVALID_REQUEST,
        `Invalid acknowledge type: [${batch.acknowledgeTypes.join(', ')}]`,
      )
    // The start has moved past them: nothing is left to be said of them.
    if (batch.lastOffset < window.startOffset) continue
    for (const inFlight of batchesAcknowledged(window, batch)) acknowledgement.of(batch, inFlight)
  }
}

function batchesAcknowledged(window: InFlightWindow, batch: AcknowledgementBatch): InFlightBatch[] {
  const isStartWithin = batch.firstOffset < window.startOffset && batch.lastOffset >= window.startOffset
  const floor = window.floor(batch.firstOffset) ?? (isStartWithin ? window.floor(window.startOffset) : undefined)
  if (floor === undefined)
    throw invalidState('Batch record not found. The request batch offsets are not found in the cache.')
  const found = window.startingIn(floor.firstOffset, batch.lastOffset)
  const lastOffset = found.at(-1)!.lastOffset
  if (lastOffset < batch.firstOffset)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      'Batch record not found. The first offset in request is past acquired records.',
    )
  if (lastOffset < batch.lastOffset)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      'Batch record not found. The last offset in request is past acquired records.',
    )
  return found
}

class Acknowledgement {
  readonly #window: InFlightWindow
  readonly #memberId: string
  readonly #limits: AcknowledgeLimits
  readonly #changes: Change[]

  constructor(window: InFlightWindow, memberId: string, limits: AcknowledgeLimits, changes: Change[]) {
    this.#window = window
    this.#memberId = memberId
    this.#limits = limits
    this.#changes = changes
  }

  of(batch: AcknowledgementBatch, inFlight: InFlightBatch): void {
    const { startOffset } = this.#window
    if (inFlight.lastOffset < startOffset || inFlight.lastOffset < batch.firstOffset) return
    const { whole } = inFlight
    if (whole !== null) {
      if (whole.state !== RecordState.ACQUIRED)
        throw invalidState('The batch cannot be acknowledged. The batch is not in the acquired state.')
      if (whole.memberId !== this.#memberId) throw invalidState('Member is not the owner of batch record')
      const isForAll = batch.acknowledgeTypes.length === 1 && inFlight.isWithin(batch.firstOffset, batch.lastOffset)
      if (isForAll && inFlight.firstOffset >= startOffset)
        return this.#change(whole, batch.acknowledgeTypes[0]!, inFlight.firstOffset, inFlight.lastOffset)
      inFlight.split()
    }
    const from = batch.firstOffset > startOffset ? batch.firstOffset : startOffset
    inFlight.forEachOffset(from, batch.lastOffset, (offset, delivery) => this.#ofOffset(batch, offset, delivery))
  }

  #ofOffset(batch: AcknowledgementBatch, offset: bigint, delivery: Delivery): void {
    if (delivery.state !== RecordState.ACQUIRED)
      throw invalidState('The offset cannot be acknowledged. The offset is not acquired.')
    if (delivery.memberId !== this.#memberId) throw invalidState('Member is not the owner of offset')
    const { acknowledgeTypes, firstOffset } = batch
    const type = acknowledgeTypes.length > 1 ? acknowledgeTypes[Number(offset - firstOffset)] : acknowledgeTypes[0]
    this.#change(delivery, type ?? AcknowledgeType.GAP, offset, offset)
  }

  #change(delivery: Delivery, type: number, firstOffset: bigint, lastOffset: bigint): void {
    if (type === AcknowledgeType.RENEW) {
      if (!this.#limits.allowsRenew) throw invalidState('Renewing acquisition locks is not enabled for the group.')
      delivery.renew(this.#limits.lockedUntilMs)
      return
    }
    begin(this.#changes, delivery, stateAskedFor(type)!, this.#limits.maxDeliveryCount, firstOffset, lastOffset)
  }
}

/** Begins to give back all that a member has acquired, for others to acquire. */
export function beginRelease(window: InFlightWindow, memberId: string, maxDeliveryCount: number): Change[] {
  const changes: Change[] = []
  forEachAcquired(
    window,
    (delivery) => delivery.memberId === memberId,
    (delivery, first, last) => begin(changes, delivery, stateAfterRelease(window, last), maxDeliveryCount, first, last),
  )
  return changes
}

/**
 * Takes back what is locked no longer than until `nowMs`. That is not undone when it cannot be persisted: the member was promised no more.
 * Returns what to persist.
 */
export function releaseExpired(window: InFlightWindow, nowMs: number, maxDeliveryCount: number): PersistedBatch[] {
  const released: PersistedBatch[] = []
  forEachAcquired(
    window,
    (delivery) => delivery.lockedUntilMs <= nowMs,
    (delivery, first, last) => {
      delivery.release(stateAfterRelease(window, last), maxDeliveryCount)
      released.push(persistedBatch(delivery, first, last))
    },
  )
  return released
}

/** When the first lock in the window ends; null when nothing is acquired. */
export function nextLockEndMs(window: InFlightWindow): number | null {
  let next: number | null = null
  for (const batch of window.batches)
    batch.forEachDelivery(({ state, lockedUntilMs }) => {
      if (state === RecordState.ACQUIRED && (next === null || lockedUntilMs < next)) next = lockedUntilMs
    })
  return next
}

/** A batch that the start has moved into is split first: what is below can only be given up. */
function forEachAcquired(
  window: InFlightWindow,
  isMeant: (delivery: Delivery) => boolean,
  visit: (delivery: Delivery, first: bigint, last: bigint) => void,
): void {
  const { startOffset } = window
  for (const batch of window.batches) {
    const { whole } = batch
    if (whole !== null && batch.firstOffset < startOffset && batch.lastOffset >= startOffset)
      if (whole.state === RecordState.ACQUIRED && isMeant(whole)) batch.split()
    batch.forEachDelivery((delivery, first, last) => {
      if (delivery.state === RecordState.ACQUIRED && isMeant(delivery)) visit(delivery, first, last)
    })
  }
}

function stateAfterRelease(window: InFlightWindow, lastOffset: bigint): RecordState {
  return lastOffset < window.startOffset ? RecordState.ARCHIVED : RecordState.AVAILABLE
}

function begin(
  changes: Change[],
  delivery: Delivery,
  target: RecordState,
  maxDeliveryCount: number,
  firstOffset: bigint,
  lastOffset: bigint,
): void {
  delivery.begin(target, maxDeliveryCount)
  changes.push({ delivery, persisted: persistedBatch(delivery, firstOffset, lastOffset) })
}

function persistedBatch(delivery: Delivery, firstOffset: bigint, lastOffset: bigint): PersistedBatch {
  return { firstOffset, lastOffset, deliveryState: delivery.state, deliveryCount: delivery.count }
}

/** The same with neighbours that stand alike made one. In the order of offsets before and after. */
export function merged(batches: readonly PersistedBatch[]): PersistedBatch[] {
  const result: PersistedBatch[] = []
  for (const batch of batches) {
    const last = result.at(-1)
    const isSame =
      last !== undefined &&
      last.lastOffset + 1n === batch.firstOffset &&
      last.deliveryState === batch.deliveryState &&
      last.deliveryCount === batch.deliveryCount
    if (isSame) result[result.length - 1] = { ...last, lastOffset: batch.lastOffset }
    else result.push(batch)
  }
  return result
}

function invalidState(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_RECORD_STATE, message)
}
