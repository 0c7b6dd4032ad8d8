import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Assignment, Assignor, GroupToAssign, MemberToAssign } from './assignor.ts'
import { consumerAssignors } from './consumer-assignors.ts'
import { javaAssignments } from './java-assignments.testdata.ts'
import { rangeAssignor } from './range-assignor.ts'
import { uniformAssignor } from './uniform-assignor.ts'

interface JavaCase {
  readonly assignor: string
  readonly homogeneous: boolean
  readonly topics: Readonly<Record<string, number>>
  readonly members: readonly {
    readonly id: string
    readonly instance: string | null
    readonly topics?: readonly string[]
    readonly old: Readonly<Record<string, readonly number[]>>
  }[]
  readonly expected: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>
}

const assignors = consumerAssignors(['uniform', 'range'])

test('assignments are those of Kafka', () => {
  for (const line of javaAssignments.trim().split('\n')) {
    const { assignor, homogeneous, topics, members, expected } = JSON.parse(line) as JavaCase
    const group = groupOf(
      new Map(Object.entries(topics)),
      new Map(
        members.map(({ id, instance, topics: own, old }) => [
          id,
          {
            instanceId: instance,
            subscribedTopicIds: new Set(own ?? Object.keys(topics)),
            assignment: new Map(Object.entries(old).map(([topicId, partitions]) => [topicId, new Set(partitions)])),
          },
        ]),
      ),
      homogeneous,
    )
    assert.deepEqual(plain(assignors.get(assignor)!.assign(group)), expected, line)
  }
})

test('all partitions are assigned to subscribers, each to one, evenly, and the uniform assignor moves none in vain', () => {
  fc.assert(
    fc.property(history, ({ homogeneous, rounds }) => {
      for (const assignor of [uniformAssignor, rangeAssignor]) {
        let target = new Map<string, Assignment>()
        for (const { topics, members } of rounds) {
          const group = groupOf(
            topics,
            membersOf(members, target, homogeneous ? [...topics.keys()] : null),
            homogeneous,
          )
          target = assignor.assign(group)
          checkComplete(group, topics, target)
          if (homogeneous && assignor === uniformAssignor) checkBalanced(group, topics, target)
          checkStable(assignor, group, topics, target)
        }
      }
    }),
  )
})

test('a member that joins takes from the others only its own share', () => {
  const topics = new Map([['t', 100]])
  const subscribed = { instanceId: null, subscribedTopicIds: new Set(['t']) }
  const four = ['a', 'b', 'c', 'd']
  let target = new Map<string, Assignment>()
  const members = (ids: readonly string[]): Map<string, MemberToAssign> =>
    new Map(ids.map((id) => [id, { ...subscribed, assignment: target.get(id) ?? new Map() }]))
  target = uniformAssignor.assign(groupOf(topics, members(four), true))
  const before = target
  target = uniformAssignor.assign(groupOf(topics, members([...four, 'e']), true))
  assert.equal(target.get('e')!.get('t')!.size, 20)
  for (const id of four)
    for (const partition of target.get(id)!.get('t')!) assert.ok(before.get(id)!.get('t')!.has(partition), id)
})

test('the range assignor gives the same numbers of all topics to a member, and puts static members first', () => {
  const topics = new Map([
    ['orders', 5],
    ['payments', 5],
  ])
  const member = (instanceId: string | null): MemberToAssign => ({
    instanceId,
    subscribedTopicIds: new Set(topics.keys()),
    assignment: new Map(),
  })
  const members = new Map([
    ['a', member(null)],
    ['z', member('second')],
    ['y', member('first')],
  ])
  assert.deepEqual(plain(rangeAssignor.assign(groupOf(topics, members, true))), {
    y: { orders: [0, 1], payments: [0, 1] },
    z: { orders: [2, 3], payments: [2, 3] },
    a: { orders: [4], payments: [4] },
  })
})

test('an assignor that is not ours is refused', () => {
  assert.deepEqual(
    [...consumerAssignors(['range', 'org.apache.kafka.coordinator.group.assignor.UniformAssignor']).keys()],
    ['range', 'uniform'],
  )
  assert.throws(() => consumerAssignors(['com.example.Mine']), /expected uniform or range, got com\.example\.Mine/)
})

const topicIds = [
  'AAAAAAAAAAAAAAAAAAAAAQ',
  'gAAAAAAAAAAAAAAAAAAAAg',
  'AAAAAAAAAAD_AAAAAAAAAw',
  '_____________________w',
]
const round = fc.record({
  partitions: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: topicIds.length }),
  members: fc.uniqueArray(
    fc.record({ id: fc.integer({ min: 0, max: 9 }), isStatic: fc.boolean(), topics: fc.subarray([0, 1, 2, 3]) }),
    { selector: ({ id }) => id, minLength: 1 },
  ),
})
/** Partitions only grow, as they do in Kafka. */
const history = fc
  .record({ homogeneous: fc.boolean(), rounds: fc.array(round, { minLength: 1, maxLength: 5 }) })
  .map((raw) => {
    const counts: number[] = []
    return {
      homogeneous: raw.homogeneous,
      rounds: raw.rounds.map(({ partitions, members }) => {
        partitions.forEach((count, index) => (counts[index] = Math.max(count, counts[index] ?? 0)))
        return { topics: new Map(counts.map((count, index) => [topicIds[index]!, count])), members }
      }),
    }
  })

function membersOf(
  members: readonly { id: number; isStatic: boolean; topics: number[] }[],
  target: ReadonlyMap<string, Assignment>,
  common: readonly string[] | null,
): Map<string, MemberToAssign> {
  return new Map(
    members.map(({ id, isStatic, topics }) => [
      `member-${id}`,
      {
        instanceId: isStatic ? `instance-${9 - id}` : null,
        subscribedTopicIds: new Set(common ?? topics.map((index) => topicIds[index]!)),
        assignment: target.get(`member-${id}`) ?? new Map(),
      },
    ]),
  )
}

function groupOf(
  topics: ReadonlyMap<string, number>,
  members: Map<string, MemberToAssign>,
  homogeneous: boolean,
): GroupToAssign {
  for (const [id, member] of members)
    members.set(id, {
      ...member,
      subscribedTopicIds: new Set([...member.subscribedTopicIds].filter((topicId) => topics.has(topicId))),
    })
  const assigned = new Set<string>()
  for (const { assignment } of members.values())
    for (const [topicId, partitions] of assignment) for (const one of partitions) assigned.add(`${topicId}-${one}`)
  return {
    members,
    subscriptionType: homogeneous ? 'homogeneous' : 'heterogeneous',
    isAssigned: (topicId, partition) => assigned.has(`${topicId}-${partition}`),
    partitionCount: (topicId) => topics.get(topicId)!,
  }
}

function checkComplete(
  group: GroupToAssign,
  topics: ReadonlyMap<string, number>,
  target: ReadonlyMap<string, Assignment>,
): void {
  const owners = new Map<string, string>()
  for (const [memberId, assignment] of target)
    for (const [topicId, partitions] of assignment)
      for (const partition of partitions) {
        assert.ok(partitions.size > 0)
        assert.ok(
          group.members.get(memberId)!.subscribedTopicIds.has(topicId),
          `${memberId} does not subscribe to ${topicId}`,
        )
        assert.ok(partition < topics.get(topicId)!)
        assert.ok(!owners.has(`${topicId}-${partition}`), `${topicId}-${partition} has two owners`)
        owners.set(`${topicId}-${partition}`, memberId)
      }
  for (const [topicId, count] of topics) {
    const hasSubscriber = [...group.members.values()].some(({ subscribedTopicIds }) => subscribedTopicIds.has(topicId))
    for (let partition = 0; partition < count; partition++)
      assert.equal(owners.has(`${topicId}-${partition}`), hasSubscriber, `${topicId}-${partition}`)
  }
}

function checkBalanced(
  group: GroupToAssign,
  topics: ReadonlyMap<string, number>,
  target: ReadonlyMap<string, Assignment>,
): void {
  const loads = [...group.members.keys()].map((id) => load(target.get(id)))
  assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `loads ${loads.join()}`)
  const quota = Math.ceil([...topics.values()].reduce((sum, count) => sum + count, 0) / group.members.size)
  for (const [id, { assignment }] of group.members) {
    let kept = 0
    for (const [topicId, had] of assignment) for (const one of had) if (target.get(id)?.get(topicId)?.has(one)) kept++
    assert.ok(kept >= Math.min(load(assignment), quota - 1), `${id} has lost partitions below its quota`)
  }
}

function checkStable(
  assignor: Assignor,
  group: GroupToAssign,
  topics: ReadonlyMap<string, number>,
  target: ReadonlyMap<string, Assignment>,
): void {
  const members = new Map(
    [...group.members].map(([id, member]) => [id, { ...member, assignment: target.get(id) ?? new Map() }]),
  )
  const again = assignor.assign(groupOf(topics, members, group.subscriptionType === 'homogeneous'))
  if (assignor === rangeAssignor || group.subscriptionType === 'homogeneous')
    assert.deepEqual(plain(again), plain(target))
}

function load(assignment: Assignment | undefined): number {
  return [...(assignment?.values() ?? [])].reduce((sum, { size }) => sum + size, 0)
}

function plain(target: ReadonlyMap<string, Assignment>): Record<string, Record<string, number[]>> {
  const result: Record<string, Record<string, number[]>> = {}
  for (const [id, assignment] of target) {
    if (assignment.size === 0) continue
    result[id] = Object.fromEntries(
      [...assignment].map(([topicId, partitions]) => [topicId, [...partitions].toSorted((one, other) => one - other)]),
    )
  }
  return result
}
