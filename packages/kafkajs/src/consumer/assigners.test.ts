import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemberSubscription } from '@millrace/client'
import { createLogger, logLevel, type LogEntry } from '../logger.ts'
import { MemberAssignment, MemberMetadata } from './assigner-protocol.ts'
import { assignorFrom, PartitionAssigners, type PartitionAssigner } from './assigners.ts'
import { GroupJoin } from './group-join.ts'

const logged: LogEntry[] = []
const logger = createLogger(logLevel.WARN, () => (entry) => void logged.push(entry))
const topics = { partitionCount: () => 2, racksOf: () => [] }

function subscribed(...names: string[]): MemberSubscription {
  return { groupInstanceId: null, topics: names, ownedPartitions: [], generationId: -1, rackId: null, userData: null }
}

async function assigned(create: PartitionAssigner, members: ReadonlyMap<string, MemberSubscription>) {
  const join = new GroupJoin()
  const assignor = assignorFrom(create, { groupId: 'g', logger, join })
  const result = await assignor.assign(topics, members)
  assignor.onAssignment?.({ partitions: [] }, { groupId: 'g', memberId: 'm', groupInstanceId: null, generationId: 1 })
  const texts = [...result].map(([memberId, { partitions }]) => [
    memberId,
    partitions.map(({ topic, partition }) => `${topic}-${partition}`).toSorted(),
  ])
  return { told: join.toldBy('m'), assignments: Object.fromEntries(texts) as Record<string, string[]> }
}

test('round robin gives partitions to those who subscribed to their topic', async () => {
  const mixed = new Map([
    ['one', subscribed('a')],
    ['two', subscribed('b')],
    ['three', subscribed('a', 'b')],
  ])
  const { told, assignments } = await assigned(PartitionAssigners.roundRobin, mixed)
  assert.deepEqual(Object.values(assignments).flat().toSorted(), ['a-0', 'a-1', 'b-0', 'b-1'])
  for (const [memberId, { topics: wanted }] of mixed)
    for (const partition of assignments[memberId] ?? []) assert.ok(wanted.includes(partition[0]!), memberId)
  const { duration, ...rest } = told
  assert.ok(duration >= 0)
  assert.deepEqual(rest, { isLeader: true, leaderId: 'm', groupProtocol: 'RoundRobinAssigner' })
})

test("topics that a program's assigner gives to members who did not ask for them are left out, with a warning", async () => {
  const everythingToTheFirst: PartitionAssigner = () => ({
    name: 'First',
    version: 0,
    assign: async ({ members: [first] }) => [
      {
        memberId: first!.memberId,
        memberAssignment: MemberAssignment.encode({ version: 0, assignment: { a: [0, 1], b: [0] } }),
      },
    ],
    protocol: (subscription) => ({ name: 'First', metadata: MemberMetadata.encode({ version: 0, ...subscription }) }),
  })
  const { assignments } = await assigned(everythingToTheFirst, new Map([['one', subscribed('a')]]))
  assert.deepEqual(assignments, { one: ['a-0', 'a-1'] })
  assert.deepEqual(
    logged.map(({ log }) => log['topics']),
    [['b']],
  )
})
