import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PersistentMap } from './persistent-map.ts'

/** Few keys, so that they meet; and some whose hashes meet. */
const keys = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((n) => `topic-${n}`),
  fc.string({ maxLength: 2 }),
)
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('with' as const), key: keys, value: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ kind: fc.constant('without' as const), key: keys }),
  ),
  { maxLength: 200 },
)

test('behaves as a Map of which every version is kept', () => {
  fc.assert(
    fc.property(steps, (run) => {
      let map = PersistentMap.empty<string, number>()
      const versions = [{ map, model: new Map<string, number>() }]
      for (const step of run) {
        const model = new Map(versions.at(-1)?.model)
        if (step.kind === 'with') {
          map = map.with(step.key, step.value)
          model.set(step.key, step.value)
        } else {
          map = map.without(step.key)
          model.delete(step.key)
        }
        versions.push({ map, model })
      }
      for (const { map: version, model } of versions) {
        assert.equal(version.size, model.size)
        assert.deepEqual(new Map(version), model)
        assert.deepEqual(new Set(version.keys()), new Set(model.keys()))
        for (const [key, value] of model) assert.equal(version.get(key), value)
        for (const { key } of run) assert.equal(version.has(key), model.has(key))
      }
    }),
  )
})

test('keys with the same hash live side by side', () => {
  // FNV-1a cannot tell these apart: found by search.
  const [first, second] = collidingKeys()
  let map = PersistentMap.empty<string, string>().with(first, 'a').with(second, 'b').with('other', 'c')
  assert.deepEqual([map.get(first), map.get(second), map.get('other'), map.size], ['a', 'b', 'c', 3])
  map = map.with(second, 'B').without(first)
  assert.deepEqual([map.get(first), map.get(second), map.size], [undefined, 'B', 2])
  assert.equal(map.without(second).without('other').size, 0)
})

test('numbers are keys too, negative ones included', () => {
  let map = PersistentMap.empty<number, number>()
  for (let key = -500; key < 500; key++) map = map.with(key, key * 2)
  assert.equal(map.size, 1000)
  for (let key = -500; key < 500; key++) assert.equal(map.get(key), key * 2)
  for (let key = -500; key < 500; key++) map = map.without(key)
  assert.equal(map.size, 0)
})

test('a change that changes nothing returns the same map', () => {
  const map = PersistentMap.empty<string, number>().with('a', 1)
  assert.equal(map.with('a', 1), map)
  assert.equal(map.without('b'), map)
})

test('a change of one of 10,000 entries touches few of its nodes', () => {
  let map = PersistentMap.empty<string, object>()
  for (let n = 0; n < 10_000; n++) map = map.with(`topic-${n}`, {})
  const started = process.hrtime.bigint()
  for (let n = 0; n < 10_000; n++) map = map.with(`topic-${n}`, {})
  const perChangeNs = Number(process.hrtime.bigint() - started) / 10_000
  // Copying 10,000 entries takes about a millisecond; allow a slow machine much.
  assert.ok(perChangeNs < 200_000, `${perChangeNs} ns per change`)
})

function collidingKeys(): [string, string] {
  const seen = new Map<number, string>()
  for (let n = 0; ; n++) {
    const key = `k${n}`
    let hash = 0x811c9dc5
    for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
    const other = seen.get(hash)
    if (other !== undefined) return [other, key]
    seen.set(hash, key)
  }
}
