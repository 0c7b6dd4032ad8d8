import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { groupSegments } from './segment-groups.ts'

const bounds = { segmentBytes: 100, indexBytes: 20, endOffset: 1000n }

function segment(baseOffset: bigint, sizeBytes: number, offsetIndexBytes = 0, timeIndexBytes = 0) {
  return { baseOffset, sizeBytes, offsetIndexBytes, timeIndexBytes }
}

function basesOf(groups: readonly (readonly { baseOffset: bigint }[])[]): number[][] {
  return groups.map((group) => group.map(({ baseOffset }) => Number(baseOffset)))
}

test('neighbours stay together up to the size of a segment', () => {
  const segments = [segment(0n, 60), segment(1n, 40), segment(2n, 1), segment(3n, 99), segment(4n, 100)]
  assert.deepEqual(basesOf(groupSegments(segments, bounds)), [[0, 1], [2, 3], [4]])
})

test('a segment larger than the bounds is alone', () => {
  assert.deepEqual(basesOf(groupSegments([segment(0n, 500), segment(1n, 1)], bounds)), [[0], [1]])
})

test('both indexes count', () => {
  const byOffset = [segment(0n, 1, 12), segment(1n, 1, 8), segment(2n, 1, 1)]
  assert.deepEqual(basesOf(groupSegments(byOffset, bounds)), [[0, 1], [2]])
  const byTime = [segment(0n, 1, 0, 20), segment(1n, 1, 0, 1)]
  assert.deepEqual(basesOf(groupSegments(byTime, bounds)), [[0], [1]])
})

test('offsets stay in the reach of an index', () => {
  const far = 2n ** 31n
  const segments = [segment(0n, 1), segment(10n, 1), segment(far, 1)]
  assert.deepEqual(basesOf(groupSegments(segments, { ...bounds, endOffset: far + 1n })), [[0, 10], [Number(far)]])
  assert.deepEqual(
    basesOf(groupSegments([segment(0n, 1), segment(10n, 1), segment(far + 1n, 1)], { ...bounds, endOffset: far + 2n })),
    [[0], [10, Number(far + 1n)]],
    'the second may end right before the third begins, too far from the first',
  )
  assert.deepEqual(
    basesOf(groupSegments([segment(0n, 1), segment(10n, 0), segment(far + 1n, 0)], { ...bounds, endOffset: far + 9n })),
    [[0, 10, Number(far + 1n)]],
    'without records there is nothing out of reach',
  )
})
