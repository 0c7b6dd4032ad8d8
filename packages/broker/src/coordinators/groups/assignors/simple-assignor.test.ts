import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Assignment } from './assignor.ts'
import { shareOut } from './share-out.ts'
import { simpleAssignor } from './simple-assignor.ts'

const nothing: Assignment = new Map()

/** `member:topic0,1;topic2`, as in the tests of Kafka. */
function assigned(result: ReadonlyMap<string, Assignment>): Record<string, Record<string, number[]>> {
  return Object.fromEntries(
    [...result].map(([id, topics]) => [
      id,
      Object.fromEntries([...topics].map(([topic, partitions]) => [topic, [...partitions].toSorted((a, b) => a - b)])),
    ]),
  )
}

interface Wanted {
  members: Record<string, { topics: string[]; assignment?: Record<string, number[]> }>
  counts: Record<string, number>
  assignable?: (topic: string, partition: number) => boolean
}

function assign({ members, counts, assignable = () => true }: Wanted): Record<string, Record<string, number[]>> {
  const subscriptions = Object.values(members).map(({ topics }) => topics.toSorted().join())
  return assigned(
    simpleAssignor.assign({
      members: new Map(
        Object.entries(members).map(([id, { topics, assignment = {} }]) => [
          id,
          {
            instanceId: null,
            subscribedTopicIds: new Set(topics),
            assignment: new Map(
              Object.entries(assignment).map(([topic, partitions]) => [topic, new Set(partitions)] as const),
            ),
          },
        ]),
      ),
      subscriptionType: new Set(subscriptions).size <= 1 ? 'homogeneous' : 'heterogeneous',
      partitionCount: (topic) => counts[topic]!,
      isAssignable: assignable,
    }),
  )
}

test('one member gets everything that may be assigned', () => {
  assert.deepEqual(
    assign({ members: { a: { topics: ['t', 'u'] } }, counts: { t: 3, u: 2 }, assignable: (topic) => topic === 't' }),
    { a: { t: [0, 1, 2] } },
  )
})

test('more members than partitions share them', () => {
  const result = assign({
    members: { a: { topics: ['t'] }, b: { topics: ['t'] }, c: { topics: ['t'] }, d: { topics: ['t'] } },
    counts: { t: 2 },
  })
  assert.deepEqual(
    Object.values(result)
      .map(({ t }) => t!.join())
      .toSorted(),
    ['0', '0', '1', '1'],
  )
})

test('different subscriptions are balanced topic by topic', () => {
  const result = assign({
    members: { a: { topics: ['t'] }, b: { topics: ['u'] }, c: { topics: ['t', 'u'] } },
    counts: { t: 2, u: 4 },
  })
  assert.deepEqual([result['a']!['t']!.length, result['c']!['t']!.length], [1, 1])
  assert.deepEqual([result['b']!['u']!.length, result['c']!['u']!.length], [2, 2])
  assert.equal(result['a']!['u'], undefined)
})

test('what a member does not subscribe to any more is taken from it', () => {
  assert.deepEqual(
    assign({ members: { a: { topics: ['u'], assignment: { t: [0], u: [1] } } }, counts: { t: 1, u: 2 } }),
    { a: { u: [0, 1] } },
  )
  assert.deepEqual(assign({ members: { a: { topics: [], assignment: { t: [0] } } }, counts: { t: 1 } }), { a: {} })
  assert.deepEqual(
    assigned(
      simpleAssignor.assign({
        members: new Map([['a', { instanceId: null, subscribedTopicIds: new Set<string>(), assignment: nothing }]]),
        subscriptionType: 'homogeneous',
        partitionCount: () => 0,
        isAssignable: () => true,
      }),
    ),
    { a: {} },
  )
})

test('shares are even, every thing has its members, and nothing moves without need', () => {
  const before = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 12 })).chain(([members, count]) =>
    fc.record({
      count: fc.constant(count),
      before: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: Math.max(0, count - 1) }), { maxLength: count }), {
        minLength: members,
        maxLength: members,
      }),
    }),
  )
  fc.assert(
    fc.property(before, ({ count, before: had }) => {
      const owned = had.map((things) => new Set(things))
      const shared = shareOut(owned, count)
      const sharing = count === 0 ? 0 : Math.ceil(owned.length / count)
      const holders = Array.from({ length: count }, (_, thing) => shared.filter((own) => own.has(thing)).length)
      for (const holding of holders) assert.ok(holding <= sharing)
      const sizes = shared.map(({ size }) => size)
      const most = Math.ceil((sharing * count) / owned.length)
      for (const size of sizes) assert.ok(size <= most)
      // A thing stays short only when everybody who has room has it.
      holders.forEach((holding, thing) => {
        if (holding >= sharing) return
        for (const own of shared) assert.ok(own.has(thing) || own.size >= most - 1)
      })
      // To share out again what was shared out evenly changes nothing.
      if (holders.every((holding) => holding === sharing)) assert.deepEqual(shareOut(shared, count), shared)
    }),
    { numRuns: 500 },
  )
})
