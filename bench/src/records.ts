/**
 * Record batches of about 1 MB: checksum, walk, validation, unpacking. `node --conditions=source bench/src/records.ts`.
 * mitata shows time per batch; the table after it CPU-seconds per GB, which is what PERFORMANCE compares.
 */
import { compress, crc32c, decompress, RecordBatchBuilder, RecordScan, scanRecords } from '@millrace/protocol'
import { defaultLogConfig, validateRecords, type ValidationRules } from '@millrace/storage'
import { bench, do_not_optimize, run, summary } from 'mitata'

const now = Date.now()
const rules: ValidationRules = { origin: 'client', config: defaultLogConfig, nowMs: now, apiVersion: 9 }

function batchOf(recordBytes: number, compression = 0): { bytes: Uint8Array; count: number } {
  const builder = new RecordBatchBuilder({ compression })
  const words = ['kafka', 'millrace', 'record', 'batch', 'offset', 'segment', 'leader', 'epoch']
  let text = ''
  for (let index = 0; text.length < 2 * recordBytes; index++) text += `${words[(index * 7919) % 8]}${index % 97} `
  const values = Array.from({ length: 64 }, (_, index) => Buffer.from(text.slice(index, index + recordBytes - 10)))
  // The size is the one without compression, up to the limit of a topic by default.
  while (builder.sizeBytes < 1_000_000)
    builder.append({ timestamp: BigInt(now + (builder.recordsCount >> 7)), value: values[builder.recordsCount % 64]! })
  return { bytes: builder.build(), count: builder.recordsCount }
}

interface Measured {
  readonly name: string
  readonly bytes: number
  readonly run: () => unknown
}

const measured: Measured[] = []
for (const recordBytes of [100, 1024]) {
  const { bytes, count } = batchOf(recordBytes)
  const scan = new RecordScan()
  const size = bytes.length
  measured.push(
    { name: `crc32c, ${recordBytes} B records`, bytes: size, run: () => crc32c(bytes, 21) },
    { name: `scan, ${recordBytes} B records`, bytes: size, run: () => scanRecords(bytes, 61, size, count, scan) },
    { name: `validate, ${recordBytes} B records`, bytes: size, run: () => validateRecords(bytes, rules) },
  )
}
const records = batchOf(100).bytes.subarray(61)
for (const [codec, name] of ['', 'gzip', 'snappy', 'lz4', 'zstd'].entries()) {
  if (codec === 0) continue
  const packed = compress(codec, records)
  const batch = batchOf(100, codec).bytes
  measured.push(
    { name: `${name} pack`, bytes: records.length, run: () => compress(codec, records) },
    { name: `${name} unpack`, bytes: records.length, run: () => decompress(codec, packed, records.length) },
    { name: `${name} validate (of unpacked bytes)`, bytes: records.length, run: () => validateRecords(batch, rules) },
  )
}

summary(() => {
  for (const { name, run: body } of measured) bench(name, () => do_not_optimize(body()))
})
await run()

console.log('\nCPU-seconds per GB (best of 5 rounds)')
for (const { name, bytes, run: body } of measured) {
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const rounds = 60
    const before = process.cpuUsage()
    for (let index = 0; index < rounds; index++) do_not_optimize(body())
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) / 1e6 / (rounds * bytes)) * 1e9)
  }
  console.log(`${name.padEnd(40)} ${best.toFixed(3)}`)
}
