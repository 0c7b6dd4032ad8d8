// Groups: members come and go, and every record is read, once while they are at rest.
import {
  ErrorCode,
  KafkaError,
  serde,
  type Assignor,
  type ConsumerOptions,
  type TopicPartition,
} from '@millrace/client'
import { eventually, expectEqual, expectSameItems, expectTrue } from '@millrace/interop/checking'
import { ConsumerGroupHeartbeat, JoinGroup } from '@millrace/protocol'
import { join } from 'node:path'
import { run } from '@millrace/interop/brokers'
import type { Bench } from '../bench.ts'
import { section } from '../check.ts'
import { GroupMember } from '../group-member.ts'
import { numbers } from '../reading.ts'

export const { checks, check } = section('groups')

const partitionCount = 6

type Membership = Pick<
  ConsumerOptions<Uint8Array, string>,
  'groupProtocol' | 'groupRemoteAssignor' | 'partitionAssignmentStrategy'
>

/** Deals partitions out one by one, from the last: no assignor that comes with the client does that. */
const backwards: Assignor = {
  name: 'backwards',
  assign(topics, members) {
    const assigned = new Map([...members.keys()].toSorted().map((id) => [id, [] as TopicPartition[]]))
    const ids = [...assigned.keys()]
    const subscribed = new Set([...members.values()].flatMap((member) => member.topics))
    for (const topic of subscribed)
      for (let partition = (topics.partitionCount(topic) ?? 0) - 1; partition >= 0; partition--)
        assigned.get(ids[partition % ids.length]!)!.push({ topic, partition })
    return new Map([...assigned].map(([id, partitions]) => [id, { partitions }]))
  },
}

const memberships: readonly (readonly [string, Membership])[] = [
  ...(['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const).map(
    (name) =>
      [`classic, ${name}`, { groupProtocol: 'classic', partitionAssignmentStrategy: [name] } as Membership] as const,
  ),
  ['classic, an assignor of our own', { groupProtocol: 'classic', partitionAssignmentStrategy: [backwards] }],
  ['KIP-848, uniform', { groupProtocol: 'consumer', groupRemoteAssignor: 'uniform' }],
  ['KIP-848, range', { groupProtocol: 'consumer', groupRemoteAssignor: 'range' }],
  ['whatever the broker has best', {}],
]

const needsOf = ({ groupProtocol }: Membership) =>
  groupProtocol === 'consumer' ? [{ api: ConsumerGroupHeartbeat }] : []

/** Every partition is somebody's and nobody else's, and everyone has some. */
async function shared(members: readonly GroupMember[]): Promise<void> {
  await eventually(async () => {
    for (const { failure } of members) if (failure !== null) throw failure
    const all = members.flatMap(({ partitions }) => partitions)
    expectEqual(
      all.toSorted((a, b) => a - b),
      numbers(partitionCount).map(Number),
      'partitions assigned',
    )
    for (const { partitions } of members) expectTrue(partitions.length > 0, 'a member has nothing')
  }, 60_000)
}

async function fill(bench: Bench, topic: string, from: number): Promise<string[]> {
  await using producer = bench.kafka().producer({ topic, value: serde.string })
  const records = numbers(partitionCount * 10, from).map((value, at) => ({ value, partition: at % partitionCount }))
  await producer.sendAll(records)
  return records.map(({ value, partition }) => `${partition}/${value}`)
}

async function readBy(members: readonly GroupMember[], expected: readonly string[]): Promise<void> {
  await eventually(
    async () =>
      expectSameItems(
        members.flatMap(({ read }) => read),
        expected,
        'records read by all members',
      ),
    60_000,
  )
}

/** The group was in the middle of a rebalance when a member committed on its own, and that was made up for: nothing was read twice. */
const isPassing = (error: Error) => error instanceof KafkaError && error.code === ErrorCode.REBALANCE_IN_PROGRESS

for (const [name, membership] of memberships)
  check(
    `${name}: one, two, three members, and back`,
    async (bench) => {
      const topic = await bench.topic({ partitions: partitionCount })
      const groupId = bench.name()
      const join_ = () => new GroupMember(bench, { groupId, topics: [topic], ...membership })
      const written = await fill(bench, topic, 0)
      const all = [join_()]
      await shared(all)
      await readBy(all, written)
      for (const from of [100, 200]) {
        all.push(join_())
        await shared(all)
        written.push(...(await fill(bench, topic, from)))
        await readBy(all, written)
      }
      await all[0]!.close()
      await shared(all.slice(1))
      written.push(...(await fill(bench, topic, 300)))
      await readBy(all, written)
      await all[1]!.close()
      await shared(all.slice(2))
      written.push(...(await fill(bench, topic, 400)))
      await readBy(all, written)
      await all[2]!.close()
      for (const error of all.flatMap(({ errors }) => errors)) if (!isPassing(error)) throw error
      const late = join_()
      written.push(...(await fill(bench, topic, 500)))
      await readBy([...all, late], written)
    },
    { needs: needsOf(membership) },
  )

for (const [name, membership] of memberships.filter(([key]) => /cooperative|uniform/.test(key)))
  check(
    `${name}: what a member keeps is not revoked when another joins`,
    async (bench) => {
      const topic = await bench.topic({ partitions: partitionCount })
      const groupId = bench.name()
      const first = new GroupMember(bench, { groupId, topics: [topic], ...membership })
      await shared([first])
      const second = new GroupMember(bench, { groupId, topics: [topic], ...membership })
      await shared([first, second])
      const revoked = first.events.filter(({ kind }) => kind !== 'assigned').flatMap(({ partitions }) => partitions)
      expectSameItems(revoked, second.partitions, 'partitions revoked from the first')
    },
    { needs: needsOf(membership) },
  )

for (const [name, membership, needs] of [
  ['classic', { groupProtocol: 'classic' } as Membership, [{ api: JoinGroup, version: 5 }]],
  ['KIP-848', { groupProtocol: 'consumer' } as Membership, [{ api: ConsumerGroupHeartbeat }]],
] as const)
  check(
    `${name}: a static member that restarts keeps its partitions, and others notice nothing`,
    async (bench) => {
      const topic = await bench.topic({ partitions: partitionCount })
      const groupId = bench.name()
      const join_ = (groupInstanceId: string) =>
        new GroupMember(bench, { groupId, groupInstanceId, topics: [topic], ...membership })
      const [one, other] = [join_('one'), join_('other')]
      await shared([one, other])
      const had = other.partitions
      const eventsBefore = one.events.length
      await other.close()
      const again = join_('other')
      await shared([one, again])
      expectEqual(again.partitions, had, 'partitions after the restart')
      expectEqual(one.events.slice(eventsBefore), [], 'events of the other member')
    },
    { needs },
  )

check('a pattern: topics that come later are read too', async (bench) => {
  const prefix = bench.name('pattern')
  const groupId = bench.name()
  await bench.testbed.fixture.createTopic(`${prefix}-a`)
  const member = new GroupMember(bench, {
    groupId,
    topics: new RegExp(`^${prefix}-.$`),
    metadataMaxAgeMs: 500,
  })
  await using producer = bench.kafka().producer({ value: serde.string })
  await producer.send({ topic: `${prefix}-a`, value: 'a' })
  await eventually(async () => expectEqual(member.read, ['0/a'], 'records'), 60_000)
  await bench.testbed.fixture.createTopic(`${prefix}-b`)
  await producer.send({ topic: `${prefix}-b`, value: 'b' })
  await eventually(async () => expectEqual(member.read, ['0/a', '0/b'], 'records'), 60_000)
})

check('offsets are committed before partitions are given up', async (bench) => {
  const topic = await bench.topic({ partitions: partitionCount })
  const groupId = bench.name()
  const options = { groupId, topics: [topic], autoCommitIntervalMs: 3_600_000 }
  const first = new GroupMember(bench, options)
  const written = await fill(bench, topic, 0)
  await readBy([first], written)
  const second = new GroupMember(bench, options)
  await shared([first, second])
  written.push(...(await fill(bench, topic, 100)))
  await readBy([first, second], written)
})

check('maxPollIntervalMs exceeded: told, the partitions go to others, and reading can go on', async (bench) => {
  const topic = await bench.topic({ partitions: partitionCount })
  const groupId = bench.name()
  await fill(bench, topic, 0)
  const errors: Error[] = []
  const slow = bench.use(
    bench.kafka().consumer({
      groupId,
      topics: [topic],
      value: serde.string,
      offsetReset: 'earliest',
      maxPollIntervalMs: 1000,
      heartbeatIntervalMs: 200,
      onError: (error) => void errors.push(error),
    }),
  )
  const seen = new Set<string>()
  let first = true
  for await (const { partition, value } of slow.records({ signal: bench.signal })) {
    seen.add(`${partition}/${value}`)
    if (first) await eventually(async () => expectTrue(errors.length > 0, 'nothing was told'), 60_000)
    first = false
    if (seen.size === 60) break
  }
  return errors[0]!.message
})

const programs = join(import.meta.dirname, '..', 'programs')

for (const [name, membership, needs] of [
  ['classic', 'classic', []],
  ['KIP-848', 'consumer', [{ api: ConsumerGroupHeartbeat }]],
] as const)
  check(
    `${name}: a handler that keeps the thread busy for 31 s causes no rebalance`,
    async (bench) => {
      const topic = await bench.topic({ partitions: partitionCount })
      const groupId = bench.name()
      await fill(bench, topic, 0)
      const other = new GroupMember(bench, { groupId, topics: [topic], groupProtocol: membership })
      await shared([other])
      const args = ['--conditions=source', join(programs, 'blocking-member.ts')]
      const order = { bootstrap: bench.bootstrap, groupId, topic, groupProtocol: membership, blockMs: 31_000 }
      const finished = run(process.execPath, [...args, JSON.stringify(order)], { timeoutMs: 100_000 })
      finished.catch(() => {})
      await eventually(async () => expectEqual(other.partitions.length, partitionCount / 2, 'partitions left'), 60_000)
      const eventsBefore = other.events.length
      await fill(bench, topic, 100)
      const { stdout, stderr, code } = await finished
      if (code !== 0) throw new Error(`the busy member ended with ${code}: ${stderr.toString()}`)
      const report = JSON.parse(stdout.toString()) as { events: string[]; errors: string[]; blockedMs: number }
      expectEqual(report.events, ['assigned'], 'events of the busy member')
      expectEqual(report.errors, [], 'errors of the busy member')
      // It left when it had done.
      const during = other.events.slice(eventsBefore).filter(({ kind }) => kind !== 'assigned')
      expectEqual(during, [], 'partitions taken from the other')
      return `busy for ${Math.round(report.blockedMs)} ms`
    },
    { needs, timeoutMs: 240_000 },
  )
