/** What an append means for the producers in it, checked before anything changes. Source: UnifiedLog.analyzeAndValidateProducerState. */
import type { ValidatedBatches } from '../validation/index.ts'
import type { AppendOrigin, CompletedTransaction, ProducerAppend } from './producer-append.ts'
import { type CachedBatch, sequenceAfter } from './producer-entry.ts'
import type { ProducerStates } from './producer-states.ts'
import { readEndMarker } from './replay.ts'

/** To be committed when the append is staged: producers first, then the transactions that end, in order. */
export interface ProducerEffects {
  readonly appends: ProducerAppend[]
  readonly completed: CompletedTransaction[]
}

export interface DuplicateBatch {
  readonly duplicate: CachedBatch
}

export interface CheckOptions {
  readonly origin: AppendOrigin
  readonly transactionVersion?: number
}

/**
 * null when no batch has a producer id.
 * @throws KafkaError as `ProducerAppend`.
 */
export function checkProducers(
  producers: ProducerStates,
  { bytes, batches }: ValidatedBatches,
  firstOffset: bigint,
  { origin, transactionVersion = 0 }: CheckOptions,
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
    effects ??= { appends: [], completed: [] }
    let append = effects.appends.find(({ entry }) => entry.producerId === batch.producerId)
    if (append === undefined) {
      append = producers.prepare(batch.producerId, origin)
      effects.appends.push(append)
    }
    if (batch.isControl) {
      const marker = readEndMarker(bytes, batch.position)
      if (marker === null) continue
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
