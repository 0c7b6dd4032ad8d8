import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Compression, ErrorCode, RecordBatchBuilder } from '@millrace/protocol'
import { settingsFrom } from '../../config/settings.ts'
import { shareConsumerOptions } from '../options.ts'
import type { AcquiredRange, Acquisition } from './acquisition.ts'
import { AcquisitionReader } from './acquisition-reader.ts'

const acquisition: Acquisition = {
  nodeId: 1,
  sessionLife: Symbol('session'),
  topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
  topic: 't',
  partition: 0,
}
const reader = new AcquisitionReader<Buffer, Buffer>(settingsFrom(shareConsumerOptions, { groupId: 'g' }, 'test'))
after(() => reader[Symbol.asyncDispose]())

const batch = fc.record({
  /** Offsets before it that compaction has left nothing of. */
  hole: fc.integer({ min: 0, max: 3 }),
  /** Which of its offsets still hold a record. */
  kept: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
  kind: fc.constantFrom('plain', 'gzip', 'control', 'corrupt'),
})

/** What is at each offset. */
type Log = ('record' | 'unreadable' | 'nothing')[]

function logOf(batches: readonly { hole: number; kept: boolean[]; kind: string }[]): { bytes: Uint8Array; log: Log } {
  const log: Log = []
  const parts: Uint8Array[] = []
  for (const { hole, kept, kind } of batches) {
    for (let missing = 0; missing < hole; missing++) log.push('nothing')
    const baseOffset = BigInt(log.length)
    const builder = new RecordBatchBuilder({
      baseOffset,
      compression: kind === 'gzip' ? Compression.GZIP : Compression.NONE,
      isControl: kind === 'control',
    })
    for (const isKept of kept) {
      const offset = BigInt(log.length)
      if (isKept) builder.appendWithOffset(offset, { timestamp: 0n, value: Buffer.from(String(offset)) })
      const isRecord = isKept && kind !== 'control'
      log.push(kind === 'corrupt' ? 'unreadable' : isRecord ? 'record' : 'nothing')
    }
    builder.lastOffset = BigInt(log.length - 1)
    if (builder.recordsCount === 0) {
      log.fill('nothing', Number(baseOffset))
      continue
    }
    const bytes = Buffer.from(builder.build())
    if (kind === 'corrupt') bytes[bytes.length - 1]! ^= 0xff
    parts.push(bytes)
  }
  return { bytes: Buffer.concat(parts), log }
}

/** Of counts by offset, 0 for what was not acquired. */
function rangesOf(counts: readonly number[]): AcquiredRange[] {
  const ranges: AcquiredRange[] = []
  for (const [at, deliveryCount] of counts.entries()) {
    if (deliveryCount === 0) continue
    const last = ranges.at(-1)
    if (last?.lastOffset === BigInt(at - 1) && last.deliveryCount === deliveryCount)
      ranges[ranges.length - 1] = { ...last, lastOffset: BigInt(at) }
    else ranges.push({ firstOffset: BigInt(at), lastOffset: BigInt(at), deliveryCount })
  }
  return ranges
}

test('of what was acquired every offset is a record with its delivery count, a gap, or rejected with its batch', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 50 }),
      async (batches, counts) => {
        const { bytes, log } = logOf(batches)
        const ranges = rangesOf(counts)
        const { records, others, errors } = await reader.read({ acquisition, bytes, ranges, lockedUntilMs: 7 })
        const said = new Map<number, string>([...others].map(([offset, type]) => [Number(offset), `says ${type}`]))
        for (const { offset, value, deliveryCount, lockedUntilMs } of records) {
          assert.equal(value!.toString(), String(offset))
          assert.equal(lockedUntilMs, 7)
          assert.ok(!said.has(Number(offset)))
          said.set(Number(offset), `record ${deliveryCount}`)
        }
        const expected = new Map<number, string>()
        for (const [at, count] of counts.entries()) {
          if (count === 0) continue
          const is = log[at] ?? 'nothing'
          expected.set(at, is === 'record' ? `record ${count}` : is === 'unreadable' ? 'says 3' : 'says 0')
        }
        assert.deepEqual(new Map([...said].sort(([a], [b]) => a - b)), expected)
        assert.ok(errors.every(({ code }) => code === ErrorCode.CORRUPT_MESSAGE))
      },
    ),
  )
})

test('bytes that are no batches leave nothing to hand out, and everything is rejected', async () => {
  const bytes = Buffer.alloc(100, 0xff)
  bytes.writeInt32BE(40, 8)
  const ranges = [{ firstOffset: 3n, lastOffset: 4n, deliveryCount: 1 }]
  const { records, others, errors } = await reader.read({ acquisition, bytes, ranges, lockedUntilMs: 0 })
  assert.deepEqual([records, errors.length], [[], 1])
  assert.deepEqual(
    [...others],
    [
      [3n, 3],
      [4n, 3],
    ],
  )
})

test('ranges that contradict themselves, or are beyond all measure, are an error', async () => {
  const read = (...ranges: AcquiredRange[]) =>
    reader.read({ acquisition, bytes: new Uint8Array(0), ranges, lockedUntilMs: 0 })
  const range = (firstOffset: bigint, lastOffset: bigint): AcquiredRange => ({
    firstOffset,
    lastOffset,
    deliveryCount: 1,
  })
  await assert.rejects(read(range(5n, 4n)), /impossible offsets of t-0/)
  await assert.rejects(read(range(0n, 4n), range(4n, 6n)), /impossible offsets of t-0/)
  await assert.rejects(read(range(0n, 1n << 40n)), /impossible offsets of t-0/)
})
