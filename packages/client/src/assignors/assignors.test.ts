import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AssignableTopics, SynchronousAssignor, MemberSubscription } from './assignor.ts'
import { builtInAssignors } from './built-in-assignors.ts'
import { encodePreviousAssignment } from './sticky-user-data.ts'
import type { TopicPartition } from '../record.ts'

const racks = ['a', 'b', 'c']
const topicNames = ['orders', 'payments', 'refunds', 'visits']

interface RandomMember {
  readonly id: number
  readonly isStatic: boolean
  readonly rack: string | null
  readonly topics: readonly string[]
}

const member = fc.record({
  id: fc.integer({ min: 0, max: 9 }),
  isStatic: fc.boolean(),
  rack: fc.option(fc.constantFrom(...racks)),
  topics: fc.subarray(topicNames),
})
const round = fc.record({
  counts: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: topicNames.length }),
  members: fc.uniqueArray(member, { selector: ({ id }) => id, minLength: 1 }),
})
const history = fc.record({
  isHomogeneous: fc.boolean(),
  hasRacks: fc.boolean(),
  rounds: fc.array(round, { minLength: 1, maxLength: 5 }),
})

test('every partition with a subscriber is given to one subscriber, by every assignor', () => {
  fc.assert(
    fc.property(history, (groups) => {
      for (const name of ['range', 'roundrobin', 'sticky'] as const)
        replay(builtInAssignors[name](), groups, ({ topics, members, assigned }) =>
          checkComplete(topics, members, assigned),
        )
    }),
  )
})

test('sticky gives like members the same number, give or take one, and no other a partition that balances them', () => {
  fc.assert(
    fc.property(history, (groups) => {
      replay(builtInAssignors.sticky(), groups, ({ members, assigned }) => checkBalanced(members, assigned))
    }),
  )
})

test('sticky moves nothing when nothing has changed', () => {
  fc.assert(
    fc.property(history, (groups) => {
      const last = groups.rounds.at(-1)!
      let before: Assigned | null = null
      replay(
        builtInAssignors.sticky(),
        { ...groups, rounds: [...groups.rounds, last, last] },
        ({ assigned, index }) => {
          if (index >= groups.rounds.length) assert.deepEqual(sorted(assigned), sorted(before!))
          before = assigned
        },
      )
    }),
    { numRuns: 500 },
  )
})

test('a member that joins takes from the others only its own share, and one that leaves leaves theirs alone', () => {
  const topics = topicsOf([100], false)
  const sticky = builtInAssignors.sticky()
  const assignTo = (ids: readonly string[], before: Assigned | null): Assigned =>
    assign(
      sticky,
      topics,
      new Map(
        ids.map((id) => [id, subscription({ topics: ['orders'], owned: before?.get(id) ?? [], generationId: 1 })]),
      ),
    )
  const four = assignTo(['a', 'b', 'c', 'd'], null)
  const five = assignTo(['a', 'b', 'c', 'd', 'e'], four)
  assert.equal(five.get('e')!.length, 20)
  for (const id of ['a', 'b', 'c', 'd']) assert.equal(common(five.get(id)!, four.get(id)!), 20)
  const back = assignTo(['a', 'b', 'c', 'd'], five)
  for (const id of ['a', 'b', 'c', 'd']) assert.equal(common(back.get(id)!, five.get(id)!), 20)
})

test('the newest of two claims to a partition counts, whoever tells first', () => {
  const topics = topicsOf([2], false)
  const claim = (generationId: number): MemberSubscription =>
    subscription({ topics: ['orders'], owned: [{ topic: 'orders', partition: 0 }], generationId })
  for (const newest of ['a', 'b']) {
    const members = new Map(['a', 'b'].map((id) => [id, claim(id === newest ? 7 : 6)]))
    for (const name of ['sticky', 'cooperative-sticky'] as const) {
      const assigned = assign(builtInAssignors[name](), topics, members)
      assert.deepEqual(assigned.get(newest), [{ topic: 'orders', partition: 0 }], name)
    }
  }
})

test('cooperative-sticky gives nothing away that another owns, and all of it once the others have let go', () => {
  fc.assert(
    fc.property(history, ({ isHomogeneous, hasRacks, rounds }) => {
      const assignor = builtInAssignors['cooperative-sticky']()
      const owned = new Map<string, TopicPartition[]>()
      let generationId = 0
      for (const { counts, members: random } of growing(rounds)) {
        const topics = topicsOf(counts, hasRacks)
        const ids = new Set(random.map(({ id }) => `m${id}`))
        for (const id of owned.keys()) if (!ids.has(id)) owned.delete(id)
        let isStable = false
        for (let attempt = 0; !isStable; attempt++) {
          // With racks partitions come nearer step by step, and each step is a rebalance: six at most were ever seen.
          assert.ok(attempt < 12, 'the group does not come to rest')
          const members = new Map(
            random.map((one) => [
              `m${one.id}`,
              subscription({
                ...one,
                ...(isHomogeneous ? { topics: topicNames } : {}),
                owned: owned.get(`m${one.id}`) ?? [],
                generationId,
              }),
            ]),
          )
          generationId++
          const assigned = assign(assignor, topics, members)
          isStable = true
          for (const [id, partitions] of assigned) {
            for (const partition of partitions)
              for (const [other, theirs] of owned)
                assert.ok(
                  other === id || common([partition], theirs) === 0,
                  `${partition.topic} is given to ${id} before ${other} lets go`,
                )
            if (common(owned.get(id) ?? [], partitions) !== (owned.get(id) ?? []).length) isStable = false
          }
          for (const [id, partitions] of assigned) owned.set(id, partitions)
          if (isStable) checkComplete(topics, members, owned)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('both claim a partition in the same generation: neither keeps it in a cooperative rebalance', () => {
  const topics = topicsOf([2], false)
  const owned = [{ topic: 'orders', partition: 0 }]
  const both = new Map(['a', 'b'].map((id) => [id, subscription({ topics: ['orders'], owned, generationId: 3 })]))
  const assigned = assign(builtInAssignors['cooperative-sticky'](), topics, both)
  assert.equal([...assigned.values()].flat().filter(({ partition }) => partition === 0).length, 0)
})

test('a group of a thousand members and twenty thousand partitions is assigned in a second or so', () => {
  const topics = topicsOf([20_000], false)
  const sticky = builtInAssignors.sticky()
  const ids = Array.from({ length: 1000 }, (_, index) => `m${index}`)
  const few = assign(
    sticky,
    topics,
    new Map(ids.slice(0, 500).map((id) => [id, subscription({ topics: ['orders'], owned: [], generationId: -1 })])),
  )
  const all = assign(
    sticky,
    topics,
    new Map(ids.map((id) => [id, subscription({ topics: ['orders'], owned: few.get(id) ?? [], generationId: 1 })])),
  )
  for (const id of ids) assert.equal(all.get(id)!.length, 20)
  for (const id of ids.slice(0, 500)) assert.equal(common(all.get(id)!, few.get(id)!), 20)
})

type Assigned = ReadonlyMap<string, TopicPartition[]>

interface Step {
  readonly index: number
  readonly topics: AssignableTopics
  readonly members: ReadonlyMap<string, MemberSubscription>
  readonly assigned: Assigned
}

/** One rebalance after the other, in which the members claim what they were given in the one before. */
function replay(
  assignor: SynchronousAssignor,
  {
    isHomogeneous,
    hasRacks,
    rounds,
  }: {
    isHomogeneous: boolean
    hasRacks: boolean
    rounds: readonly { counts: readonly number[]; members: readonly RandomMember[] }[]
  },
  check: (step: Step) => void,
): void {
  let before: Assigned = new Map()
  growing(rounds).forEach(({ counts, members: random }, index) => {
    const topics = topicsOf(counts, hasRacks)
    const members = new Map(
      random.map((one) => [
        `m${one.id}`,
        subscription({
          ...one,
          ...(isHomogeneous ? { topics: topicNames } : {}),
          owned: before.get(`m${one.id}`) ?? [],
          generationId: index,
        }),
      ]),
    )
    const assigned = assign(assignor, topics, members)
    check({ index, topics, members, assigned })
    before = assigned
  })
}

/** Topics only grow, as they do in Kafka. */
function growing(
  rounds: readonly { counts: readonly number[]; members: readonly RandomMember[] }[],
): { counts: readonly number[]; members: readonly RandomMember[] }[] {
  const counts: number[] = []
  return rounds.map((one) => {
    one.counts.forEach((count, index) => (counts[index] = Math.max(count, counts[index] ?? 0)))
    return { counts: [...counts], members: one.members }
  })
}

function topicsOf(counts: readonly number[], hasRacks: boolean): AssignableTopics {
  return {
    partitionCount: (topic) => counts[topicNames.indexOf(topic)] ?? null,
    racksOf: (_topic, partition) => (hasRacks ? [racks[partition % 3]!, racks[(partition >> 1) % 3]!] : []),
  }
}

function subscription(one: {
  readonly id?: number
  readonly isStatic?: boolean
  readonly rack?: string | null
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  readonly generationId: number
}): MemberSubscription {
  return {
    groupInstanceId: one.isStatic === true ? `i${9 - one.id!}` : null,
    topics: one.topics,
    ownedPartitions: one.owned,
    generationId: one.generationId,
    rackId: one.rack ?? null,
    userData: encodePreviousAssignment(one.owned, one.generationId),
  }
}

function assign(
  assignor: SynchronousAssignor,
  topics: AssignableTopics,
  members: ReadonlyMap<string, MemberSubscription>,
): Assigned {
  return new Map([...assignor.assign(topics, members)].map(([id, { partitions }]) => [id, [...partitions]]))
}

function checkComplete(
  topics: AssignableTopics,
  members: ReadonlyMap<string, MemberSubscription>,
  assigned: Assigned,
): void {
  const owners = new Map<string, string>()
  for (const [id, partitions] of assigned) {
    for (const { topic, partition } of partitions) {
      assert.ok(members.get(id)!.topics.includes(topic), `${id} does not subscribe to ${topic}`)
      assert.ok(partition < topics.partitionCount(topic)!)
      assert.ok(!owners.has(`${topic}:${partition}`), `${topic}:${partition} has two owners`)
      owners.set(`${topic}:${partition}`, id)
    }
  }
  for (const topic of topicNames) {
    const hasSubscriber = [...members.values()].some((one) => one.topics.includes(topic))
    for (let partition = 0; partition < (topics.partitionCount(topic) ?? 0); partition++)
      assert.equal(owners.has(`${topic}:${partition}`), hasSubscriber, `${topic}:${partition}`)
  }
}

function checkBalanced(members: ReadonlyMap<string, MemberSubscription>, assigned: Assigned): void {
  for (const partitions of assigned.values()) {
    for (const [other, theirs] of assigned) {
      if (partitions.length <= theirs.length + 1) continue
      for (const { topic } of partitions)
        assert.ok(!members.get(other)!.topics.includes(topic), `${other} could have one of ${topic}`)
    }
  }
}

function common(some: readonly TopicPartition[], others: readonly TopicPartition[]): number {
  const names = new Set(others.map(({ topic, partition }) => `${topic}:${partition}`))
  return some.filter(({ topic, partition }) => names.has(`${topic}:${partition}`)).length
}

function sorted(assigned: Assigned): Record<string, string[]> {
  return Object.fromEntries(
    [...assigned].map(([id, partitions]) => [
      id,
      partitions.map(({ topic, partition }) => `${topic}:${partition}`).toSorted(),
    ]),
  )
}
