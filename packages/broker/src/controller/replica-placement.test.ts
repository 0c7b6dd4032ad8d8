import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import type { Random } from '@millrace/runtime'
import fc from 'fast-check'
import { placeReplicas } from './replica-placement.ts'
import type { PlacementBroker } from './replica-placement.ts'

/** Draws from fast-check, so that a failure can be replayed. */
function randomFrom(next: () => number): Random {
  return { next, integer: (bound) => Math.floor(next() * bound), bytes: (length) => new Uint8Array(length) }
}

function seeded(seed: number): Random {
  let state = seed >>> 0
  return randomFrom(() => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  })
}

const brokers = fc
  .uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc.record({ id: fc.constant(id), rack: fc.constantFrom(null, 'a', 'b', 'c'), fenced: fc.boolean() }),
      ),
    ),
  )

test('replicas are distinct registered brokers, and the first is usable', () => {
  fc.assert(
    fc.property(
      brokers,
      fc.integer(),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 40 }),
      (all, seed, wanted, partitionCount) => {
        const replicationFactor = Math.min(wanted, all.length)
        if (all.every(({ fenced }) => fenced)) {
          assert.throws(() => placeReplicas(all, { partitionCount, replicationFactor }, seeded(seed)), {
            code: ErrorCode.INVALID_REPLICATION_FACTOR,
          })
          return
        }
        const byId = new Map(all.map((broker) => [broker.id, broker]))
        const placed = placeReplicas(all, { partitionCount, replicationFactor }, seeded(seed))
        assert.equal(placed.length, partitionCount)
        for (const replicas of placed) {
          assert.equal(new Set(replicas).size, replicationFactor)
          assert.ok(replicas.every((id) => byId.has(id)))
          assert.equal(byId.get(replicas[0] ?? -1)?.fenced, false)
        }
      },
    ),
  )
})

test('replicas are spread over as many racks as there are', () => {
  const all = [1, 2, 3, 4, 5, 6].map((id): PlacementBroker => ({ id, rack: `rack-${id % 3}`, fenced: false }))
  for (let seed = 0; seed < 50; seed++)
    for (const replicas of placeReplicas(all, { partitionCount: 18, replicationFactor: 3 }, seeded(seed)))
      assert.equal(new Set(replicas.map((id) => id % 3)).size, 3)
})

test('leaders are spread evenly over usable brokers, round by round', () => {
  const all = [1, 2, 3, 4].map((id): PlacementBroker => ({ id, rack: null, fenced: false }))
  for (let seed = 0; seed < 50; seed++) {
    const placed = placeReplicas(all, { partitionCount: 40, replicationFactor: 2 }, seeded(seed))
    for (let round = 0; round < 40; round += 4)
      assert.deepEqual(
        placed
          .slice(round, round + 4)
          .map(([leader]) => leader)
          .toSorted((a, b) => (a ?? 0) - (b ?? 0)),
        [1, 2, 3, 4],
      )
  }
})

test('a fenced broker is only taken when there is no other in its rack', () => {
  const all = [1, 2, 3].map((id): PlacementBroker => ({ id, rack: null, fenced: id === 2 }))
  for (let seed = 0; seed < 20; seed++) {
    for (const replicas of placeReplicas(all, { partitionCount: 9, replicationFactor: 2 }, seeded(seed)))
      assert.deepEqual(
        replicas.toSorted((a, b) => a - b),
        [1, 3],
      )
    for (const replicas of placeReplicas(all, { partitionCount: 9, replicationFactor: 3 }, seeded(seed)))
      assert.equal(replicas.at(-1), 2)
  }
})

test('too few brokers, none, and no replicas are refused in words', () => {
  const one: PlacementBroker[] = [{ id: 1, rack: null, fenced: false }]
  const place = (all: PlacementBroker[], replicationFactor: number) => (): unknown =>
    placeReplicas(all, { partitionCount: 1, replicationFactor }, seeded(1))
  assert.throws(place(one, 2), /replication factor of 2 cannot be reached because only 1 broker\(s\) are registered/)
  assert.throws(place(one, 0), /must be positive/)
  assert.throws(place([], 1), /All brokers are currently fenced/)
})
