import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AssignableTopics, SynchronousAssignor, MemberSubscription } from './assignor.ts'
import { builtInAssignors, type BuiltInAssignorName } from './built-in-assignors.ts'
import { javaAssignments } from './java-assignments.testdata.ts'
import { decodePreviousAssignment } from './sticky-user-data.ts'
import type { TopicPartition } from '../record.ts'

type ByTopic = Readonly<Record<string, readonly number[]>>

interface JavaCase {
  readonly assignor: BuiltInAssignorName
  readonly topics: Readonly<Record<string, number | readonly (readonly string[])[]>>
  readonly members: readonly {
    readonly id: string
    readonly instance?: string
    readonly rack?: string
    readonly topics?: readonly string[]
    readonly generation?: number
    readonly owned?: ByTopic
    readonly userData?: string
  }[]
  readonly expected: Readonly<Record<string, ByTopic>>
}

interface Group {
  readonly line: string
  readonly assignor: BuiltInAssignorName
  readonly topics: AssignableTopics
  readonly isHomogeneous: boolean
  readonly members: ReadonlyMap<string, MemberSubscription>
  readonly owned: ReadonlyMap<string, ReadonlySet<string>>
  readonly expected: ReadonlyMap<string, ReadonlySet<string>>
}

const javaGroups = javaAssignments.trim().split('\n').map(readCase)

test('range and roundrobin assign what those of Kafka assign', () => {
  for (const group of javaGroups.filter(({ assignor }) => assignor === 'range' || assignor === 'roundrobin')) {
    assert.deepEqual(assigned(builtInAssignors[group.assignor](), group), group.expected, group.line)
  }
})

test('sticky is as balanced as that of Kafka, and keeps as much with its owners', () => {
  const groups = javaGroups.filter(
    ({ assignor, isHomogeneous, members }) =>
      assignor === 'sticky' && isHomogeneous && [...members.values()].every(({ rackId }) => rackId === null),
  )
  assert.ok(groups.length > 5)
  for (const group of groups) {
    const own = assigned(builtInAssignors.sticky(), group)
    assert.equal(imbalance(own), imbalance(group.expected), `balance: ${group.line}`)
    assert.ok(kept(own, group) >= kept(group.expected, group), `kept: ${group.line} ${show(own)}`)
  }
})

test('sticky leaves no more partitions far from their members than that of Kafka, and is as balanced', () => {
  const groups = javaGroups.filter(
    ({ assignor, isHomogeneous, members }) =>
      assignor === 'sticky' && isHomogeneous && [...members.values()].some(({ rackId }) => rackId !== null),
  )
  assert.ok(groups.length > 5)
  let ownFar = 0
  let javaFar = 0
  for (const group of groups) {
    const own = assigned(builtInAssignors.sticky(), group)
    assert.equal(imbalance(own), imbalance(group.expected), group.line)
    ownFar += far(own, group)
    javaFar += far(group.expected, group)
  }
  assert.ok(ownFar <= javaFar, `${ownFar} and ${javaFar}`)
})

test('a new group of like members is assigned by sticky as by that of Kafka', () => {
  const isNew = ({ assignor, members, isHomogeneous }: Group): boolean =>
    assignor === 'sticky' &&
    isHomogeneous &&
    [...members.values()].every(
      ({ userData, groupInstanceId, rackId }) => userData === null && groupInstanceId === null && rackId === null,
    )
  const groups = javaGroups.filter(isNew)
  assert.ok(groups.length > 0)
  for (const group of groups) assert.deepEqual(assigned(builtInAssignors.sticky(), group), group.expected, group.line)
})

test('user data of the sticky assignors are those of Kafka', () => {
  for (const line of javaAssignments.trim().split('\n')) {
    const { assignor: name, members } = JSON.parse(line) as JavaCase
    if (!name.includes('sticky')) continue
    for (const { id, owned, generation, userData } of members) {
      const assignor = builtInAssignors[name]()
      if (generation! >= 0) {
        const member = { groupId: 'g', memberId: id, groupInstanceId: null, generationId: generation! }
        assignor.onAssignment!({ partitions: listed(owned!) }, member)
      }
      const own = assignor.userData!(new Set())
      if (userData === undefined) assert.equal(own, null)
      else if (name === 'cooperative-sticky') assert.equal(Buffer.from(own!).toString('base64'), userData)
      // Java lists the topics in the order of its hashes.
      else assert.deepEqual(ownedOf(own), ownedOf(Buffer.from(userData, 'base64')))
    }
  }
})

test('cooperative-sticky gives at once what nobody claims, as that of Kafka', () => {
  for (const group of javaGroups.filter(({ assignor }) => assignor === 'cooperative-sticky')) {
    const own = assigned(builtInAssignors['cooperative-sticky'](), group)
    const claimed = new Set([...group.owned.values()].flatMap((partitions) => [...partitions]))
    const fresh = (assignment: Assigned): string[] =>
      [...assignment.values()].flatMap((partitions) => [...partitions].filter((one) => !claimed.has(one))).toSorted()
    assert.deepEqual(fresh(own), fresh(group.expected), group.line)
  }
})

type Assigned = ReadonlyMap<string, ReadonlySet<string>>

function readCase(line: string): Group {
  const { assignor, topics, members, expected } = JSON.parse(line) as JavaCase
  const partitionCount = (topic: string): number | null => {
    const known = topics[topic]
    return known === undefined ? null : typeof known === 'number' ? known : known.length
  }
  return {
    line,
    assignor,
    isHomogeneous: members.every((member) => member.topics === undefined),
    topics: {
      partitionCount,
      racksOf: (topic, partition) => (typeof topics[topic] === 'number' ? [] : topics[topic]![partition]!),
    },
    members: new Map(
      members.map((member) => [
        member.id,
        {
          groupInstanceId: member.instance ?? null,
          topics: member.topics ?? Object.keys(topics),
          ownedPartitions: assignor === 'cooperative-sticky' ? listed(member.owned!) : [],
          generationId: member.generation ?? -1,
          rackId: member.rack ?? null,
          userData: member.userData === undefined ? null : Buffer.from(member.userData, 'base64'),
        },
      ]),
    ),
    owned: new Map(members.map(({ id, owned }) => [id, new Set(listed(owned ?? {}).map(nameOf))])),
    expected: new Map(members.map(({ id }) => [id, new Set(listed(expected[id]!).map(nameOf))])),
  }
}

function assigned(assignor: SynchronousAssignor, { topics, members }: Group): Assigned {
  const assignment = assignor.assign(topics, members)
  return new Map([...members.keys()].map((id) => [id, new Set(assignment.get(id)!.partitions.map(nameOf).toSorted())]))
}

/** The sum of the differences in size of all pairs. */
function imbalance(assignment: Assigned): number {
  const sizes = [...assignment.values()].map(({ size }) => size)
  return sizes.reduce(
    (sum, one, index) => sum + sizes.slice(index + 1).reduce((all, two) => all + Math.abs(one - two), 0),
    0,
  )
}

function kept(assignment: Assigned, { owned }: Group): number {
  return [...assignment].reduce(
    (sum, [id, partitions]) => sum + [...partitions].filter((one) => owned.get(id)!.has(one)).length,
    0,
  )
}

/** Partitions at members that tell a rack in which there is no replica. */
function far(assignment: Assigned, { topics, members }: Group): number {
  return [...assignment].reduce((sum, [id, partitions]) => {
    const { rackId } = members.get(id)!
    if (rackId === null) return sum
    return sum + [...partitions].filter((name) => !topics.racksOf(...split(name)).includes(rackId)).length
  }, 0)
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

function split(name: string): [topic: string, partition: number] {
  const [topic, partition] = name.split(':')
  return [topic!, Number(partition)]
}

function listed(byTopic: ByTopic): TopicPartition[] {
  return Object.entries(byTopic).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))
}

function ownedOf(userData: Uint8Array | null): { generationId: number; names: string[] } {
  const { partitions, generationId } = decodePreviousAssignment(userData)
  return { generationId, names: partitions.map(nameOf).toSorted() }
}

function show(assignment: Assigned): string {
  return JSON.stringify(Object.fromEntries([...assignment].map(([id, partitions]) => [id, [...partitions]])))
}
