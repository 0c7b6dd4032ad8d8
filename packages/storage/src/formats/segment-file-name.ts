/**
 * Names of the files of a segment: the base offset in 20 digits, then what the file holds, then its state.
 *
 *     00000000000000000042.log        the batches
 *     00000000000000000042.index      OffsetIndex
 *     00000000000000000042.timeindex  TimeIndex
 *     00000000000000000042.txnindex   TransactionIndex, only when a transaction was aborted
 *     00000000000000000042.snapshot   producer state before that offset (not only at the base offset of a segment)
 *     ….deleted                       to be removed after `file.delete.delay.ms`, or at the next start
 *     ….cleaned                       being written by the cleaner: worthless after a crash
 *     ….swap                          written in full by the cleaner: takes the place of what it covers, after a crash too
 */

export type SegmentFileKind = 'log' | 'index' | 'timeindex' | 'txnindex' | 'snapshot'
export type SegmentFileState = 'live' | 'deleted' | 'cleaned' | 'swap'

export interface SegmentFileName {
  readonly baseOffset: bigint
  readonly kind: SegmentFileKind
  readonly state: SegmentFileState
}

const pattern = /^(\d{20})\.(log|index|timeindex|txnindex|snapshot)(?:\.(deleted|cleaned|swap))?$/

export function segmentFileName(baseOffset: bigint, kind: SegmentFileKind, state: SegmentFileState = 'live'): string {
  const name = `${baseOffset.toString().padStart(20, '0')}.${kind}`
  return state === 'live' ? name : `${name}.${state}`
}

/** null for every other file. */
export function parseSegmentFileName(name: string): SegmentFileName | null {
  const match = pattern.exec(name)
  if (match === null) return null
  return {
    baseOffset: BigInt(match[1]!),
    kind: match[2] as SegmentFileKind,
    state: (match[3] ?? 'live') as SegmentFileState,
  }
}
