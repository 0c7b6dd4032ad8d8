/**
 * Share groups against what must hold, whatever members, topics, the log and the share coordinator do: epochs only rise, members are only told
 * partitions that have state and that they subscribe to, what the log holds gives the same state again at every entry of it, and when all is quiet
 * every partition is with as many members as it should be.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { GroupShard } from '../group-shard.ts'
import { canonicalText, sorted } from '../testing/canonical-text.ts'
import { ChangingTopics } from '../testing/changing-topics.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { LoggedStates } from '../testing/logged-states.ts'
import { ShareGroup } from './share-group.ts'
import type { HeartbeatOutcome, Initialization } from './share-heartbeats.ts'
import type { StatePartitions, TopicStates } from './state-partitions.ts'

const configs = { 'group.share.assignment.interval.ms': 1000, 'group.share.max.size': 4 }
const slots = 5
const topicNames = ['a', 'b', 'c']

const slot = fc.integer({ min: 0, max: slots - 1 })
const topics = fc.subarray(topicNames, { minLength: 1 })
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constant('heartbeat' as const), slot, isFull: fc.boolean(), waits: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('start' as const, 'subscribe' as const), slot, topics }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'crash' as const), slot }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('initialized' as const), isFine: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(10, 1000, 31_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('grow' as const, 'delete' as const, 'recreate' as const),
      topic: fc.constantFrom(...topicNames),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Member {
  readonly id: string
  epoch: number
  topics: string[]
  told: string[]
}

class Model {
  readonly under = new GroupShardUnderTest({ configs })
  readonly members: (Member | null)[] = Array.from({ length: slots }, () => null)
  readonly topics = new ChangingTopics(this.under, topicNames.slice(0, 2))
  /** What the share coordinator was asked and has not done. */
  readonly pending: Initialization[] = []
  /** `topicId-partition` that have state at the share coordinator. */
  readonly states = new Set<string>()
  readonly logged = new LoggedStates(this.under, dump)
  #started = 0
  #epochs = { group: 0, target: 0 }

  async run(one: Step): Promise<void> {
    switch (one.kind) {
      case 'heartbeat':
        await this.#heartbeat(this.members[one.slot] ?? null, one)
        break
      case 'start':
        this.members[one.slot] = { id: `member-${this.#started++}`, epoch: 0, topics: one.topics, told: [] }
        break
      case 'subscribe': {
        const member = this.members[one.slot]
        if (member) member.topics = one.topics
        break
      }
      case 'leave': {
        const member = this.members[one.slot]
        this.members[one.slot] = null
        if (member) await this.#ask(member, { epoch: -1, topics: null, initializesFirst: false }).catch(ignoreRefusal)
        break
      }
      case 'crash':
        this.members[one.slot] = null
        break
      case 'initialized':
        await this.#finish(one.isFine > 0)
        break
      case 'wait':
        await this.under.time.advance(one.ms)
        break
      case 'grow':
      case 'delete':
      case 'recreate':
        this.topics[one.kind](one.topic)
        break
      case 'refuse':
        this.under.refusal = one.on ? new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE) : null
        break
      case 'move':
        this.under.moveAway(configs)
        this.logged.forgetLost()
        this.#epochs = { group: 0, target: 0 }
        break
    }
    await this.under.time.advance(0)
    this.check()
  }

  async #heartbeat(member: Member | null, { isFull, waits }: { isFull: boolean; waits: boolean }): Promise<void> {
    if (member === null) return
    const said = isFull || member.epoch === 0 ? member.topics : null
    try {
      let outcome = await this.#ask(member, { epoch: member.epoch, topics: said, initializesFirst: true })
      if (outcome.answer === null) {
        assert.notEqual(outcome.initialization, null)
        if (waits) while (this.pending.length > 0) await this.#finish(true)
        outcome = await this.#ask(member, { epoch: member.epoch, topics: said, initializesFirst: false })
      }
      const { memberEpoch, assignment } = outcome.answer!
      member.epoch = memberEpoch
      if (assignment)
        member.told = assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
          partitions.map((partition) => `${topicId}-${partition}`),
        )
      for (const one of member.told) assert.ok(this.states.has(one), `${one} is assigned, and has no state`)
    } catch (error) {
      ignoreRefusal(error)
      const { code } = error as KafkaError
      if (
        code === ErrorCode.UNKNOWN_MEMBER_ID ||
        code === ErrorCode.FENCED_MEMBER_EPOCH ||
        code === ErrorCode.GROUP_ID_NOT_FOUND
      ) {
        member.epoch = 0
        member.told = []
      }
    }
  }

  async #ask(
    member: Member,
    { epoch, topics: said, initializesFirst }: { epoch: number; topics: string[] | null; initializesFirst: boolean },
  ): Promise<HeartbeatOutcome> {
    const request = {
      groupId: 'group',
      memberId: member.id,
      memberEpoch: epoch,
      rackId: null,
      subscribedTopicNames: said,
    }
    const outcome = await this.under.write((shard) =>
      shard.share.heartbeat(request, this.under.client(1), initializesFirst),
    )
    if (outcome.initialization !== null) this.pending.push(outcome.initialization)
    return outcome
  }

  /** The share coordinator has an answer to the oldest question. */
  async #finish(isFine: boolean): Promise<void> {
    const initialization = this.pending.shift()
    if (initialization === undefined) return
    const { groupId, partitions } = initialization
    if (isFine)
      for (const [topicId, ofTopic] of partitions)
        for (const partition of ofTopic) this.states.add(`${topicId}-${partition}`)
    await this.under
      .write(({ share }) =>
        isFine ? share.states.initialized({ groupId, partitions }) : share.states.notInitialized(initialization),
      )
      .catch(ignoreRefusal)
  }

  check(): void {
    this.logged.check()
    const group = this.under.shard.groups.get('group')
    if (!(group instanceof ShareGroup)) return
    assert.ok(group.epoch >= this.#epochs.group && group.targetEpoch >= this.#epochs.target, 'epochs only rise')
    this.#epochs = { group: group.epoch, target: group.targetEpoch }
    assert.ok(group.targetEpoch <= group.epoch)
    assert.ok(group.memberCount <= configs['group.share.max.size'])
    for (const { epoch } of group.members.values()) assert.ok(epoch <= group.targetEpoch)
    const counted = new Map<string, number>()
    for (const { subscribedTopics } of group.members.values())
      for (const topic of subscribedTopics) counted.set(topic, (counted.get(topic) ?? 0) + 1)
    assert.deepEqual(sorted(group.subscribers), sorted(counted))
  }

  /** Everything works again, and time passes. */
  async quiet(): Promise<void> {
    this.under.refusal = null
    for (let round = 0; round < 40; round++) {
      await this.under.time.advance(2000)
      for (const member of this.members) await this.#heartbeat(member, { isFull: true, waits: false })
      while (this.pending.length > 0) await this.#finish(true)
      this.check()
    }
    const group = this.under.shard.groups.get('group')
    if (!(group instanceof ShareGroup) || group.isEmpty) return
    const members = this.members.filter((member) => member !== null && group.members.has(member.id)) as Member[]
    assert.equal(members.length, group.memberCount)
    for (const member of members) {
      assert.equal(member.epoch, group.epoch)
      const partitions: string[] = []
      for (const [topicId, ofTopic] of group.member(member.id).assigned)
        for (const partition of ofTopic) partitions.push(`${topicId}-${partition}`)
      assert.deepEqual(member.told.toSorted(), partitions.toSorted())
    }
    const isHomogeneous = new Set(members.map((member) => member.topics.toSorted().join())).size === 1
    const existing = this.topics.existing.filter(({ name }) => group.isSubscribedTo(name))
    const count = existing.reduce((sum, { partitions }) => sum + partitions.length, 0)
    for (const { id, name, partitions } of existing) {
      const subscribers = members.filter((member) => member.topics.includes(name)).length
      const holders = partitions.map((_, index) => members.filter(({ told }) => told.includes(`${id}-${index}`)).length)
      const most = isHomogeneous ? Math.ceil(members.length / count) : Math.ceil(subscribers / partitions.length)
      for (const holding of holders) assert.ok(holding >= 1 && holding <= most, `${name} has ${holders.join()}`)
    }
  }
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof KafkaError)) throw error
}

/** All that is in the log, as text that is the same for the same state. */
function dump({ groups }: GroupShard): string {
  const group = groups.get('group')
  if (!(group instanceof ShareGroup)) return String(group?.type)
  const { epoch, metadataHash, targetEpoch, targetTimestampMs, members, subscribers, statePartitions } = group
  return canonicalText({
    epoch,
    metadataHash,
    target: [targetEpoch, targetTimestampMs],
    subscribers,
    states: withoutTimes(statePartitions),
    members: sorted(members).map(([id, member]) => ({ ...member, target: group.targetOf(id) })),
  })
}

function withoutTimes({ initializing, initialized, deleting }: StatePartitions) {
  const plain = (states: TopicStates) =>
    new Map(Array.from(states, ([topicId, { name, partitions }]) => [topicId, [name, partitions]]))
  return { initializing: plain(initializing), initialized: plain(initialized), deleting }
}

test('whatever happens to a share group, it comes to rest with every partition shared out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
      const model = new Model()
      for (const one of steps) await model.run(one)
      await model.quiet()
      model.logged.checkReloads()
    }),
    { numRuns: Number(process.env['RUNS'] ?? 60) },
  )
})
