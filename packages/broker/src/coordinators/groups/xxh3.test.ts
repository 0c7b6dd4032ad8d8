import assert from 'node:assert/strict'
import { test } from 'node:test'
import { xxh3 } from './xxh3.ts'

/** From hash4j 0.22.0, the implementation that Apache Kafka 4.3.1 uses, over bytes of `pattern`. */
const known: readonly (readonly [length: number, hash: string])[] = [
  [0, '2d06800538d394c2'],
  [1, '8a21d78b1538b1c0'],
  [2, 'a020a917c68e5888'],
  [3, '5f1fa6d2a3aa5a3b'],
  [4, 'a8a9b82c81542a43'],
  [5, '2f1e508dc78686c2'],
  [8, '67b8f67a80d308a6'],
  [9, '7df166798fe37670'],
  [15, '1bc6c65a03a87951'],
  [16, 'c0967fee676a5837'],
  [17, 'bc307578d06e9d93'],
  [24, '2ca64240aaa3e38f'],
  [31, '2d2ee27366193cf5'],
  [32, 'ffdae7523dd0daec'],
  [33, '27b514591ef37d2d'],
  [64, '2c6e0b294abfc3f0'],
  [65, '31d8db1918167d5c'],
  [96, '1ebab520f4c1e5af'],
  [97, '4a2cfee5178bde3c'],
  [127, '1373662ceb8090a9'],
  [128, 'a45617bfe9bb88d6'],
  [129, '4ca31f6b2cfd9a3e'],
  [130, '7858bf7d4569bf51'],
  [144, 'b5c37a9269e05742'],
  [160, '2fb4144dd1b5a99e'],
  [239, '445e8238d8be5de5'],
  [240, '2817ed3cdf9547e7'],
  [241, '2f838dd48200ee8'],
  [255, 'd084c9edabd7749c'],
  [256, 'c67d143ec3572269'],
  [257, 'e7914bf752e4984f'],
  [320, 'dd4df93e9936fc48'],
  [511, 'ffa74a04e165d758'],
  [512, '44ca5602680e7df3'],
  [1023, '1f53c4c184ef029a'],
  [1024, 'bac810ae0f683fb2'],
  [1025, '8a5524b16b7b0065'],
  [1088, '29e8be691146c0b0'],
  [2048, 'b616f82ca07a7c8'],
  [2049, 'ff382300c0a733de'],
  [3000, 'a112a1722a612704'],
  [9000, 'cb32323bc210ba48'],
]

test('hashes are those of the reference for every kind of length', () => {
  for (const [length, expected] of known)
    assert.equal(BigInt.asUintN(64, xxh3(pattern(length))).toString(16), expected, `${length} bytes`)
})

test('the hash is of the bytes of a view, not of what lies around it', () => {
  const bytes = pattern(2049)
  for (const length of [5, 12, 40, 200, 1500]) assert.equal(xxh3(bytes.subarray(0, length)), xxh3(pattern(length)))
})

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 167 + 13) ^ (index >> 8))
}
