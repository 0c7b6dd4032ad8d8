import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import fc from 'fast-check'
import { OffsetMap, slotBytes } from './offset-map.ts'

const roomy = { memoryBytes: 1 << 20, loadFactor: 0.9, origin: 100n }
const bytesOf = (key: string) => new TextEncoder().encode(key)

function put(map: OffsetMap, key: string, offset: number): boolean {
  const bytes = bytesOf(key)
  return map.put(bytes, 0, bytes.length, offset)
}

function get(map: OffsetMap, key: string): number {
  const bytes = bytesOf(key)
  return map.get(bytes, 0, bytes.length)
}

test('holds the last offset of each key, as a Map does', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 3 }), { maxLength: 300 }), (keys) => {
      const map = new OffsetMap(roomy)
      const expected = new Map<string, number>()
      for (const [offset, key] of keys.entries()) {
        assert.ok(put(map, key, offset))
        expected.set(key, offset)
      }
      assert.equal(map.size, expected.size)
      for (const [key, offset] of expected) assert.equal(get(map, key), offset)
      assert.equal(get(map, 'longer than any'), -Infinity)
    }),
  )
})

test('a full map takes nothing more, and the last offset it knows is that of its last key', () => {
  const map = new OffsetMap({ ...roomy, memoryBytes: 20 * slotBytes, loadFactor: 0.5 })
  assert.equal(map.capacity, 10)
  for (let offset = 0; offset < 10; offset++) assert.ok(put(map, `${offset}`, offset))
  assert.equal(map.utilization, 1)
  assert.equal(put(map, 'one more', 10), false)
  assert.equal(put(map, '3', 11), false, 'not even of a key it has, as in Kafka')
  assert.equal(get(map, '3'), 3)
  assert.equal(map.latest, 9)
})

test('finds keys in a map as full as it can be', () => {
  const map = new OffsetMap({ ...roomy, memoryBytes: 1000 * slotBytes, loadFactor: 1 })
  for (let offset = 0; offset < map.capacity; offset++) assert.ok(put(map, `${offset}`, offset))
  assert.ok(map.capacity > 990)
  for (let offset = 0; offset < map.capacity; offset++) assert.equal(get(map, `${offset}`), offset)
  assert.equal(get(map, 'absent'), -Infinity)
})

test('takes at least one key, however little memory there is', () => {
  const map = new OffsetMap({ ...roomy, memoryBytes: 0 })
  assert.ok(put(map, 'a', 0))
  assert.equal(put(map, 'b', 1), false)
})

test('keeps what it has when it grows', () => {
  const map = new OffsetMap({ ...roomy, memoryBytes: 1 << 22 })
  for (let offset = 0; offset < 100_000; offset++) assert.ok(put(map, `key-${offset % 70_000}`, offset))
  assert.equal(map.size, 70_000)
  for (let key = 0; key < 70_000; key++) assert.equal(get(map, `key-${key}`), key < 30_000 ? key + 70_000 : key)
})
