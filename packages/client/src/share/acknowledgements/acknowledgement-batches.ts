/** Acknowledgements of one partition as the brokers want them: ranges of offsets, with one type for all or one for each. */
import type { AcknowledgeType } from './acknowledgement-set.ts'

export interface AcknowledgementBatch {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly acknowledgeTypes: readonly number[]
}

/** The shortest list of ranges: successive offsets are one range, and a range of one type names it once. */
export function acknowledgementBatches(types: ReadonlyMap<bigint, AcknowledgeType>): AcknowledgementBatch[] {
  const batches: AcknowledgementBatch[] = []
  const offsets = [...types.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  for (let at = 0; at < offsets.length;) {
    const firstOffset = offsets[at]!
    const acknowledgeTypes = [types.get(firstOffset)!]
    let lastOffset = firstOffset
    let isUniform = true
    for (at++; offsets[at] === lastOffset + 1n; at++) {
      lastOffset = offsets[at]!
      const type = types.get(lastOffset)!
      isUniform &&= type === acknowledgeTypes[0]
      acknowledgeTypes.push(type)
    }
    batches.push({ firstOffset, lastOffset, acknowledgeTypes: isUniform ? [acknowledgeTypes[0]!] : acknowledgeTypes })
  }
  return batches
}
