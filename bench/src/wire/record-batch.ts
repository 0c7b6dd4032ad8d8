import { crc32c } from './crc32c.ts'
import { FieldWriter } from './fields.ts'

/** A record batch (magic 2, uncompressed) of one record without a key, stamped now. */
export function singleRecordBatch(value: Uint8Array): Buffer {
  const varint = (number: number): number[] => {
    const bytes: number[] = []
    let rest = number << 1
    while (rest > 127) {
      bytes.push((rest & 127) | 128)
      rest >>>= 7
    }
    return [...bytes, rest]
  }
  // attributes, timestamp delta 0, offset delta 0, key length -1, value, no headers
  const body = Buffer.concat([Buffer.from([0, 0, 0, 1, ...varint(value.length)]), value, Buffer.from([0])])
  const record = Buffer.concat([Buffer.from(varint(body.length)), body])
  const now = BigInt(Date.now())
  const afterCrc = new FieldWriter().int16(0).int32(0).int64(now).int64(now).int64(-1n).int16(-1).int32(-1).int32(1)
  const checked = Buffer.concat([afterCrc.finish(), record])
  const crc = new FieldWriter().int32(crc32c(checked) | 0).finish()
  const afterLength = Buffer.concat([new FieldWriter().int32(-1).int8(2).finish(), crc, checked])
  return Buffer.concat([new FieldWriter().int64(0n).int32(afterLength.length).finish(), afterLength])
}
