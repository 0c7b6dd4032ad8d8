import assert from 'node:assert/strict'
import { test } from 'node:test'
import { computeCrc, magicOf, storedCrc } from './batch.ts'
import { forEachBatch } from './batches.ts'
import { Compression } from './compression.ts'
import { downConvert } from './down-conversion.ts'
import { javaBatch, javaBatches } from './java-batches.testdata.ts'
import { isMessageIntact, writeMessageSet } from './message-set.ts'
import { readRecords } from './read-records.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import type { RecordView } from './record.ts'

const bytes = (value: string) => Buffer.from(value)

const expected = (magic: number): RecordView[] => {
  const timestamps = [1_700_000_000_000n, 1_700_000_000_002n, 1_700_000_000_006n]
  const headers = [
    { key: 'hé', value: bytes('x') },
    { key: 'n', value: null },
  ]
  return [0, 1, 2].map((index) => ({
    offset: BigInt(100 + index),
    timestamp: magic === 0 ? -1n : timestamps[index]!,
    key: index === 0 ? null : bytes(`key-${index}`),
    value: index === 2 ? null : bytes(`value value value ${index}`),
    headers: magic === 2 && index === 1 ? headers : [],
  }))
}

/** Comparable whatever kind of byte array the bytes are. */
const plain = (record: RecordView) => ({
  offset: record.offset,
  timestamp: record.timestamp,
  key: record.key && Buffer.from(record.key).toString(),
  value: record.value && Buffer.from(record.value).toString(),
  headers: record.headers.map(({ key, value }) => [key, value && Buffer.from(value).toString()]),
})

function readAll(batches: Uint8Array): RecordView[] {
  const records: RecordView[] = []
  const end = forEachBatch(batches, (at) => {
    assert.ok(
      magicOf(batches, at) === 2 ? computeCrc(batches, at) === storedCrc(batches, at) : isMessageIntact(batches, at),
    )
    records.push(...readRecords(batches, at))
  })
  assert.equal(end, batches.length)
  return records
}

for (const name of Object.keys(javaBatches)) {
  const magic = Number(name[1])
  const codec = Compression[name.slice(3).toUpperCase() as keyof typeof Compression]

  test(`${name}: Java's bytes are read`, () => {
    assert.deepEqual(readAll(javaBatch(name)).map(plain), expected(magic).map(plain))
  })

  test(`${name}: what we write reads the same, and is the same where no compressor has a say`, () => {
    let written: Uint8Array
    if (magic === 2) {
      const builder = new RecordBatchBuilder({
        compression: codec,
        baseOffset: 100n,
        partitionLeaderEpoch: 5,
        producerId: 4242n,
        producerEpoch: 3,
        baseSequence: 17,
      })
      for (const record of expected(2)) builder.append(record)
      written = builder.build()
    } else written = writeMessageSet(expected(magic), { magic: magic === 0 ? 0 : 1, compression: codec })
    assert.deepEqual(readAll(written).map(plain), expected(magic).map(plain))
    if (codec === Compression.NONE || codec === Compression.SNAPPY)
      assert.equal(Buffer.from(written).toString('hex'), javaBatch(name).toString('hex'))
  })

  for (const toMagic of [0, 1] as const) {
    if (codec === Compression.ZSTD) continue
    test(`${name}: sent to a consumer of magic ${toMagic}`, () => {
      const sent = downConvert(javaBatch(name), toMagic)
      const reached = Math.min(magic, toMagic)
      assert.deepEqual(
        readAll(sent).map(plain),
        expected(reached).map((record) => plain({ ...record, headers: [] })),
      )
      assert.ok(magicOf(sent, 0) === reached)
    })
  }
}
