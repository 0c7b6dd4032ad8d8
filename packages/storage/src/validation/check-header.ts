/** What the header of a batch to be appended by the leader must say (LogValidator.validateBatch). */
import { baseSequence, isControl, lastOffsetDelta, magicOf, producerId, recordsCount } from '@millrace/protocol'
import { invalid } from './analyze-batches.ts'
import type { ValidationRules } from './validated-batches.ts'

/**
 * Of a magic 2 batch; older formats have nothing of this. Kafka asks only clients for a right count, which its coordinators write
 * anyway.
 * @throws KafkaError INVALID_RECORD
 */
export function checkHeader(bytes: Uint8Array, at: number, rules: ValidationRules): void {
  if (magicOf(bytes, at) < 2) return
  const offsets = lastOffsetDelta(bytes, at) + 1
  if (offsets <= 0) throw invalid(rules, `a batch has the last offset delta ${offsets - 1}, which is negative`)
  const count = recordsCount(bytes, at)
  if (count <= 0) throw invalid(rules, `a batch says it has ${count} records`)
  if (count !== offsets) throw invalid(rules, `a batch says it has ${count} records, and takes ${offsets} offsets`)
  if (rules.origin !== 'client') return
  if (isControl(bytes, at)) throw invalid(rules, 'clients may not write control records')
  const sequence = baseSequence(bytes, at)
  if (producerId(bytes, at) >= 0n && sequence < 0)
    throw invalid(rules, `a batch of producer ${producerId(bytes, at)} has the base sequence ${sequence}`)
}
