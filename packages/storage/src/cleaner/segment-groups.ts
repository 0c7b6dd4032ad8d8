/**
 * Which segments are cleaned into one: neighbours that together stay within the bounds of a segment, so that cleaned segments do not get ever
 * smaller and more. Source: Kafka's Cleaner.groupSegmentsBySize.
 */
import { maxRelativeOffset } from '../formats/offset-index.ts'

export interface GroupedSegment {
  readonly baseOffset: bigint
  readonly sizeBytes: number
  readonly offsetIndexBytes: number
  readonly timeIndexBytes: number
}

export interface GroupBounds {
  readonly segmentBytes: number
  /** Of an index. */
  readonly indexBytes: number
  /** Behind the last of the segments. */
  readonly endOffset: bigint
}

export function groupSegments<Segment extends GroupedSegment>(
  segments: readonly Segment[],
  { segmentBytes, indexBytes, endOffset }: GroupBounds,
): Segment[][] {
  const groups: Segment[][] = []
  let logSize = 0
  let offsetIndexSize = 0
  let timeIndexSize = 0
  for (const [index, segment] of segments.entries()) {
    const group = groups.at(-1)
    const lastOffset = (segments[index + 1]?.baseOffset ?? endOffset) - 1n
    const fits =
      group !== undefined &&
      logSize + segment.sizeBytes <= segmentBytes &&
      offsetIndexSize + segment.offsetIndexBytes <= indexBytes &&
      timeIndexSize + segment.timeIndexBytes <= indexBytes &&
      // A segment of nothing has no offset that could be too far from the base.
      (segment.sizeBytes === 0 || lastOffset - group[0]!.baseOffset <= maxRelativeOffset)
    if (fits) group.push(segment)
    else {
      groups.push([segment])
      logSize = 0
      offsetIndexSize = 0
      timeIndexSize = 0
    }
    logSize += segment.sizeBytes
    offsetIndexSize += segment.offsetIndexBytes
    timeIndexSize += segment.timeIndexBytes
  }
  return groups
}
