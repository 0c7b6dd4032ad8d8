/** What an append means for the producers in it, checked before anything changes. Source: UnifiedLog.analyzeAndValidateProducerState. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ValidatedBatch, ValidatedBatches } from '../validation/index.ts'
import type { AppendOrigin, CompletedTransaction, ProducerAppend } from './producer-append.ts'
import { type CachedBatch, sequenceAfter } from './producer-entry.ts'
import type { ProducerStates } from './producer-states.ts'
import { readEndMarker } from './replay.ts'
import type { Verification } from './verifications.ts'

/** To be committed when the append is staged: producers first, then the transactions that end, in order. */
export interface ProducerEffects {
  readonly appends: ProducerAppend[]
  readonly completed: CompletedTransaction[]
  /** Of transactional batches, markers included: what was asked of the coordinator about their producers is answered. */
  readonly transactional: { readonly producerId: bigint; readonly epoch: number; readonly isMarker: boolean }[]
}

export interface DuplicateBatch {
  readonly duplicate: CachedBatch
}

export interface CheckOptions {
  readonly origin: AppendOrigin
  readonly transactionVersion?: number
  readonly verification?: Verification | 'none'
}

/**
 * null when no batch has a producer id.
 * @throws KafkaError as `ProducerAppend`, and INVALID_TXN_STATE for a batch that needs a verification and has none that still holds.
 */
export function checkProducers(
  producers: ProducerStates,
  { bytes, batches }: ValidatedBatches,
  firstOffset: bigint,
  { origin, transactionVersion = 0, verification }: CheckOptions,
): ProducerEffects | DuplicateBatch | null {
  let effects: ProducerEffects | null = null
  let offset = firstOffset
  for (const batch of batches) {
    const baseOffset = origin === 'replica' ? batch.baseOffset : offset
    const lastOffset = baseOffset + BigInt(batch.lastOffsetDelta)
    offset = lastOffset + 1n
    if (batch.producerId < 0n) continue
    if (origin === 'client') {
      const lastSequence = sequenceAfter(batch.baseSequence, batch.lastOffsetDelta)
      const duplicate = producers.findDuplicate(batch.producerId, batch.producerEpoch, batch.baseSequence, lastSequence)
      if (duplicate !== null) return { duplicate }
    }
    if (verification !== undefined && batch.isTransactional && !batch.isControl)
      checkVerified(producers, batch, verification)
    effects ??= { appends: [], completed: [], transactional: [] }
    if (batch.isTransactional)
      effects.transactional.push({
        producerId: batch.producerId,
        epoch: batch.producerEpoch,
        isMarker: batch.isControl,
      })
    let append = effects.appends.find(({ entry }) => entry.producerId === batch.producerId)
    if (append === undefined) {
      append = producers.prepare(batch.producerId, origin)
      effects.appends.push(append)
    }
    if (batch.isControl) {
      const marker = readEndMarker(bytes, batch.position)
      if (marker === null) {
        append.appendEmptiedMarker(batch.producerEpoch, batch.maxTimestamp)
        continue
      }
      const completed = append.appendMarker({
        ...marker,
        epoch: batch.producerEpoch,
        offset: baseOffset,
        timestamp: batch.maxTimestamp,
        transactionVersion,
      })
      if (completed !== null) effects.completed.push(completed)
    } else
      append.appendData({
        epoch: batch.producerEpoch,
        baseSequence: batch.baseSequence,
        baseOffset,
        lastOffset,
        lastOffsetDelta: batch.lastOffsetDelta,
        maxTimestamp: batch.maxTimestamp,
        isTransactional: batch.isTransactional,
      })
  }
  return effects
}

/** Records of a transaction come in only while it is open here, or when its coordinator has just said that the partition belongs to it. */
function checkVerified(producers: ProducerStates, batch: ValidatedBatch, verification: Verification | 'none'): void {
  const { producerId, producerEpoch } = batch
  if (producers.hasOpenTransaction(producerId, producerEpoch)) return
  producers.checkEpoch(producerId, producerEpoch)
  if (producers.verifications.get(producerId) !== verification)
    throw new KafkaError(
      ErrorCode.INVALID_TXN_STATE,
      `producer ${producerId} with epoch ${producerEpoch} has no transaction that is known to be open on this partition`,
    )
}
