import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '../errors.ts'
import { writeInt32 } from './big-endian.ts'
import { compress, Compression, compressionName, declaredSize, decompress } from './compression.ts'
import { asLiteral, unpackRawInJavaScript } from './snappy.ts'
import { xxhash32 } from './xxhash32.ts'

interface NativeLz4 {
  compressFrameSync(bytes: Uint8Array, options?: { contentChecksum?: boolean; blockChecksums?: boolean }): Uint8Array
  compressSync(bytes: Uint8Array, dictionary?: Uint8Array): Uint8Array
}
const require = createRequire(import.meta.url)
const lz4 = require('lz4-napi') as NativeLz4
const snappy = require('snappy') as { compressSync(bytes: Uint8Array): Uint8Array }

const codecs = [Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.ZSTD]
const mebibyte = 1024 * 1024

const code = (expected: number) => (error: unknown) => error instanceof KafkaError && error.code === expected
const isCorrupt = code(ErrorCode.CORRUPT_MESSAGE)
const isTooLarge = code(ErrorCode.MESSAGE_TOO_LARGE)

/** From nothing but noise to nothing but repetition, and longer than the blocks of the formats. */
const data = fc
  .record({
    seed: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    length: fc.nat({ max: 200_000 }),
    noise: fc.nat({ max: 100 }),
  })
  .map(({ seed, length, noise }) => {
    const bytes = new Uint8Array(length)
    let state = seed[0]! + 1
    for (let at = 0; at < length; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
      bytes[at] = state % 100 < noise ? state >> 8 : seed[at % seed.length]!
    }
    return bytes
  })

function isWholeXerial(bytes: Uint8Array): boolean {
  let at = 16
  while (at + 4 <= bytes.length) at += 4 + Buffer.from(bytes).readInt32BE(at)
  return at === bytes.length
}

const text = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(5000))

for (const codec of codecs) {
  const name = compressionName(codec)

  test(`${name}: what was compressed comes back, with exactly its size as bound`, () => {
    fc.assert(
      fc.property(data, (bytes) => {
        const packed = compress(codec, bytes)
        assert.ok(Buffer.from(bytes).equals(decompress(codec, packed, bytes.length)))
        if (bytes.length > 0) assert.throws(() => decompress(codec, packed, bytes.length - 1), isTooLarge)
      }),
      { numRuns: 25 },
    )
  })

  test(`${name}: truncated data is CORRUPT_MESSAGE wherever it is cut`, () => {
    const packed = compress(codec, text)
    for (let length = 0; length < packed.length; length += 1 + Math.floor(packed.length / 97)) {
      // An xerial stream is whole after its header, and after any block.
      if (codec === Compression.SNAPPY && isWholeXerial(packed.subarray(0, length))) continue
      assert.throws(() => decompress(codec, packed.subarray(0, length), mebibyte), isCorrupt, `cut at ${length}`)
    }
  })

  test(`${name}: changed bytes give a known error or some data within the bound`, () => {
    const packed = compress(codec, text.subarray(0, 3000))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: packed.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 }),
        (changes) => {
          const changed = new Uint8Array(packed)
          for (const [at, value] of changes) changed[at] = value
          try {
            assert.ok(decompress(codec, changed, 10_000).length <= 10_000)
          } catch (error) {
            assert.ok(isCorrupt(error) || isTooLarge(error), String(error))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test(`${name}: noise is refused`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          assert.ok(decompress(codec, bytes, 10_000).length <= 10_000)
          assert.equal(codec, Compression.SNAPPY, 'only raw snappy has no magic number')
        } catch (error) {
          assert.ok(isCorrupt(error) || isTooLarge(error), String(error))
        }
      }),
      { numRuns: 200 },
    )
  })
}

test('bombs are MESSAGE_TOO_LARGE and take little memory', () => {
  const zeros = new Uint8Array(mebibyte)
  const times = (bytes: Uint8Array, count: number) => Buffer.concat(Array.from({ length: count }, () => bytes))
  const xerialBlock = (packed: Uint8Array) => {
    const block = new Uint8Array(4 + packed.length)
    writeInt32(block, 0, packed.length)
    block.set(packed, 4)
    return block
  }
  const lz4Frame = compress(Compression.LZ4, zeros)
  const lz4Blocks = times(lz4Frame.subarray(7, -4), 400)
  const bombs: [number, Uint8Array][] = [
    [Compression.GZIP, times(gzipSync(zeros), 400)],
    [Compression.ZSTD, times(zstdCompressSync(zeros), 400)],
    [Compression.SNAPPY, snappy.compressSync(new Uint8Array(8 * mebibyte))],
    [Compression.SNAPPY, times(xerialBlock(snappy.compressSync(zeros)), 400)],
    [Compression.LZ4, Buffer.concat([lz4Frame.subarray(0, 7), lz4Blocks, new Uint8Array(4)])],
    [Compression.LZ4, times(lz4Frame, 400)],
  ]
  bombs[3]![1] = Buffer.concat([compress(Compression.SNAPPY, new Uint8Array(0)), bombs[3]![1]])
  // Declared sizes that nothing is behind.
  bombs.push([Compression.SNAPPY, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00)])
  bombs.push([Compression.ZSTD, Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00)])
  const before = process.resourceUsage().maxRSS
  for (const [codec, bomb] of bombs)
    assert.throws(
      () => decompress(codec, bomb, mebibyte),
      (error) => isTooLarge(error) || (bomb.length < 20 && isCorrupt(error)),
      `${compressionName(codec)} of ${bomb.length} bytes`,
    )
  const grownKibibytes = process.resourceUsage().maxRSS - before
  assert.ok(grownKibibytes < 48 * 1024, `memory grew by ${grownKibibytes} KiB`)
})

test('a bound of 0 lets nothing pass', () => {
  for (const codec of codecs) {
    assert.equal(decompress(codec, compress(codec, new Uint8Array(0)), 0).length, 0)
    assert.throws(() => decompress(codec, compress(codec, Uint8Array.of(7)), 0), isTooLarge, compressionName(codec))
  }
})

test('bytes after the end of the data are refused', () => {
  for (const codec of codecs) {
    const packed = Buffer.concat([compress(codec, text), Buffer.from('junk')])
    assert.throws(() => decompress(codec, packed, mebibyte), isCorrupt, compressionName(codec))
  }
})

test('gzip members and zstd frames may follow each other', () => {
  for (const codec of [Compression.GZIP, Compression.ZSTD]) {
    const packed = compress(codec, text)
    assert.ok(Buffer.concat([text, text]).equals(decompress(codec, Buffer.concat([packed, packed]), 2 * text.length)))
    assert.throws(() => decompress(codec, Buffer.concat([packed, packed]), 2 * text.length - 1), isTooLarge)
  }
})

test('zstd of thousands of tiny frames is refused', () => {
  const frame = compress(Compression.ZSTD, Uint8Array.of(1))
  const stream = (count: number) => Buffer.concat(Array.from({ length: count }, () => frame))
  assert.equal(decompress(Compression.ZSTD, stream(900), mebibyte).length, 900)
  assert.throws(() => decompress(Compression.ZSTD, stream(5000), mebibyte), isCorrupt)
})

test('a gzip trailer that lies about the size does no harm', () => {
  const packed = gzipSync(text)
  packed.writeUInt32LE(0xffff_ffff, packed.length - 4)
  assert.throws(() => decompress(Compression.GZIP, packed, mebibyte), isCorrupt)
})

test('snappy is written as xerial: header, versions 1 and 1, blocks of 32 KiB', () => {
  const packed = Buffer.from(compress(Compression.SNAPPY, text))
  assert.equal(packed.subarray(0, 16).toString('hex'), '82534e415050590000000001' + '00000001')
  const first = packed.readInt32BE(16)
  assert.deepEqual(
    Buffer.from(decompress(Compression.SNAPPY, packed.subarray(20, 20 + first), 32 * 1024)),
    text.subarray(0, 32 * 1024),
  )
})

test('snappy is read raw, with odd xerial versions, and as several streams', () => {
  assert.ok(text.equals(decompress(Compression.SNAPPY, snappy.compressSync(text), text.length)))
  const packed = Buffer.from(compress(Compression.SNAPPY, text))
  for (const versions of ['0000000000000000', '0100000001000000', 'ffffffff7fffffff']) {
    packed.write(versions, 8, 'hex')
    assert.ok(text.equals(decompress(Compression.SNAPPY, packed, text.length)), versions)
  }
  const twice = Buffer.concat([packed, packed])
  assert.ok(Buffer.concat([text, text]).equals(decompress(Compression.SNAPPY, twice, 2 * text.length)))
})

test('snappy without the native package: unpacking, and literals instead of packing', () => {
  fc.assert(
    fc.property(data, (bytes) => {
      const block = bytes.subarray(0, 32 * 1024)
      for (const packed of [snappy.compressSync(block), asLiteral(block)]) {
        const out = new Uint8Array(block.length)
        assert.equal(unpackRawInJavaScript(packed, 0, packed.length, out, 0), block.length)
        assert.ok(Buffer.from(out).equals(block))
      }
    }),
    { numRuns: 25 },
  )
})

test('lz4 is written as Java does: version 1, independent blocks of 64 KiB, no checksums', () => {
  assert.equal(Buffer.from(compress(Compression.LZ4, text).subarray(0, 7)).toString('hex'), '04224d18604082')
  assert.equal(
    Buffer.from(compress(Compression.LZ4, text, undefined, 0).subarray(0, 7)).toString('hex'),
    '04224d1860401a',
  )
})

test('lz4 with the wrong header checksum is read in magic 0 and refused elsewhere', () => {
  const packed = compress(Compression.LZ4, text, undefined, 0)
  assert.ok(text.equals(decompress(Compression.LZ4, packed, text.length, 0)))
  assert.throws(() => decompress(Compression.LZ4, packed, text.length), isCorrupt)
})

test('lz4 is read with checksums, content size, larger blocks and skippable frames', () => {
  for (const contentChecksum of [false, true]) {
    for (const blockChecksums of [false, true]) {
      const packed = lz4.compressFrameSync(text, { contentChecksum, blockChecksums })
      assert.ok(text.equals(decompress(Compression.LZ4, packed, text.length)))
      if (!contentChecksum && !blockChecksums) continue
      const changed = Buffer.from(packed)
      changed[changed.length - (contentChecksum ? 1 : 5)]! ^= 1
      assert.throws(() => decompress(Compression.LZ4, changed, text.length), isCorrupt)
    }
  }
  const plain = Buffer.from(compress(Compression.LZ4, text))
  const size = Buffer.alloc(8)
  size.writeUInt32LE(text.length)
  const descriptor = Buffer.concat([Buffer.from('6840', 'hex'), size])
  const checksum = Buffer.of((xxhash32(descriptor, 0, descriptor.length) >>> 8) & 0xff)
  const withSize = Buffer.concat([plain.subarray(0, 4), descriptor, checksum, plain.subarray(7)])
  const skippable = Buffer.from('552a4d1803000000aabbcc', 'hex')
  const stream = Buffer.concat([skippable, withSize, skippable])
  assert.ok(text.equals(decompress(Compression.LZ4, stream, text.length)))
})

test('lz4 is read with linked blocks', () => {
  const parts: Uint8Array[] = [Buffer.from('04224d184040', 'hex'), new Uint8Array(1)]
  parts[1]![0] = (xxhash32(parts[0]!, 4, 6) >>> 8) & 0xff
  for (let at = 0; at < text.length; at += 65_536) {
    const dictionary = text.subarray(Math.max(0, at - 65_536), at)
    const block = lz4.compressSync(text.subarray(at, at + 65_536), dictionary).subarray(4)
    const word = Buffer.alloc(4)
    word.writeUInt32LE(block.length)
    parts.push(word, block)
  }
  const linked = Buffer.concat([...parts, new Uint8Array(4)])
  assert.ok(text.equals(decompress(Compression.LZ4, linked, text.length)))
  // The same blocks said to be independent reach back too far.
  linked[4] = 0x60
  linked[6] = 0x82
  assert.throws(() => decompress(Compression.LZ4, linked, text.length), isCorrupt)
})

test('sizes are declared without unpacking, and 0 when they are not', () => {
  assert.equal(declaredSize(Compression.GZIP, compress(Compression.GZIP, text)), text.length)
  assert.equal(declaredSize(Compression.SNAPPY, compress(Compression.SNAPPY, text)), text.length)
  assert.equal(declaredSize(Compression.ZSTD, compress(Compression.ZSTD, text)), text.length)
  assert.ok(declaredSize(Compression.LZ4, compress(Compression.LZ4, text)) >= text.length)
  for (const codec of codecs) assert.equal(declaredSize(codec, Uint8Array.of(0xff, 0xff)), 0)
})

test('levels change the size', () => {
  assert.ok(compress(Compression.GZIP, text, 9).length < compress(Compression.GZIP, text, 1).length)
  const noisy = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * index) % 251))
  assert.notEqual(compress(Compression.ZSTD, noisy, -50).length, compress(Compression.ZSTD, noisy, 19).length)
})

test('codec numbers above 4 are INVALID_RECORD', () => {
  for (const codec of [5, 6, 7]) {
    assert.equal(compressionName(codec), undefined)
    assert.throws(() => decompress(codec, text, mebibyte), code(ErrorCode.INVALID_RECORD))
    assert.throws(() => compress(codec, text), code(ErrorCode.INVALID_RECORD))
  }
})
