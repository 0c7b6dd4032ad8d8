/**
 * Consumer groups against what must hold, whatever members, topics and the log do: no partition has two owners, epochs only rise, what the log
 * holds gives the same state again at every entry of it, and when all is quiet every partition has an owner and every owner knows.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { GroupShard } from '../group-shard.ts'
import { canonicalText, sorted } from '../testing/canonical-text.ts'
import { ChangingTopics } from '../testing/changing-topics.ts'
import { ConsumerClient } from '../testing/consumer-client.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { LoggedStates } from '../testing/logged-states.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import type { OwnedPartitions } from './owned-partitions.ts'
import { loadRegexEngine } from './regex-engine.ts'

const engine = await loadRegexEngine()
const configs = { 'group.consumer.assignment.interval.ms': 1000, 'group.consumer.max.size': 5 }

const slots = 5
const topicNames = ['ab', 'ac', 'bc']
const regexes = ['a.*', '.c', 'nothing']

const slot = fc.integer({ min: 0, max: slots - 1 })
const subscription = fc.oneof(
  { weight: 3, arbitrary: fc.record({ topics: fc.subarray(topicNames), regex: fc.constant(null) }) },
  { weight: 1, arbitrary: fc.record({ topics: fc.constant(null), regex: fc.constantFrom(...regexes) }) },
)
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('heartbeat' as const),
      slot,
      loses: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
      revokes: fc.integer({ min: 0, max: 2 }).map((one) => one !== 0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('start' as const), slot, subscription, isStatic: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'crash' as const), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave for a while' as const), slot }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), slot, subscription }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(10, 500, 5000, 30_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('grow' as const), topic: fc.constantFrom(...topicNames) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('delete' as const, 'recreate' as const),
      topic: fc.constantFrom(...topicNames),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('refuse' as const, 'hold' as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

class Model {
  readonly under = new GroupShardUnderTest({ configs })
  readonly clients: (ConsumerClient | null)[] = Array.from({ length: slots }, () => null)
  readonly topics = new ChangingTopics(this.under, topicNames.slice(0, 2))
  readonly logged = new LoggedStates(this.under, dump)
  #started = 0
  #epochs = new Map<string, number>()

  async run(one: Step): Promise<void> {
    switch (one.kind) {
      case 'heartbeat': {
        const beating = this.clients[one.slot]?.heartbeat(one)
        // While commits are held nobody is answered.
        if (this.under.holdsCommits) void beating
        else await beating
        break
      }
      case 'start':
        this.#start(one)
        break
      case 'leave':
      case 'leave for a while': {
        const client = this.clients[one.slot]
        if (!client || this.under.holdsCommits) break
        if (one.kind === 'leave') this.clients[one.slot] = null
        if (client.instance !== null || one.kind === 'leave') await client.leave(one.kind === 'leave' ? -1 : -2)
        break
      }
      case 'crash':
        this.clients[one.slot] = null
        break
      case 'subscribe': {
        const client = this.clients[one.slot]
        if (!client) break
        client.regex = one.subscription.regex ?? (client.regex === null ? null : '')
        client.subscribe(one.subscription.topics ?? [])
        break
      }
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
      case 'hold':
        this.under.holdsCommits = one.on
        if (!one.on) this.under.commit()
        await this.under.time.advance(0)
        break
      case 'move':
        this.under.moveAway(configs)
        this.logged.forgetLost()
        this.#epochs = new Map()
        await this.under.time.advance(0)
        break
    }
    this.check()
  }

  #start({ slot: at, subscription: { topics, regex }, isStatic }: Step & { kind: 'start' }): void {
    // A static member that comes back keeps what it does not say otherwise, so it says that it has no topics, or no expression.
    const noRegex = isStatic ? { regex: '' } : {}
    this.clients[at] = new ConsumerClient(this.under, {
      topics: topics ?? [],
      ...(regex === null ? noRegex : { regex }),
      engine,
      rebalanceTimeoutMs: 10_000,
      memberId: `member-${this.#started++}`,
      instance: isStatic ? `instance-${at}` : null,
    })
  }

  check(): void {
    this.logged.check()
    const group = this.under.shard.groups.get('group')
    if (!(group instanceof ConsumerGroup)) return
    this.#checkOwners(group)
    const epochs = { group: group.epoch, target: group.target.epoch }
    for (const [name, epoch] of Object.entries(epochs)) {
      assert.ok(epoch >= (this.#epochs.get(name) ?? 0), `the ${name} epoch has fallen to ${epoch}`)
      this.#epochs.set(name, epoch)
    }
    assert.ok(group.target.epoch <= group.epoch)
    for (const { epoch } of group.members.values()) assert.ok(epoch <= group.target.epoch)
  }

  #checkOwners(group: ConsumerGroup): void {
    const owners = new Map<string, string>()
    for (const member of group.members.values())
      for (const one of [...named(member.assigned), ...named(member.pendingRevocation)]) {
        assert.ok(!owners.has(one), `${one} is with ${owners.get(one)} and ${member.id}`)
        owners.set(one, member.id)
      }
    for (const client of this.clients) {
      if (client === null || client.epoch <= 0 || !group.members.has(client.memberId)) continue
      for (const one of client.owned)
        assert.equal(owners.get(one), client.memberId, `${client.memberId} consumes ${one}, which is not its own`)
    }
  }

  /** Everything works again, and time passes. */
  async quiet(): Promise<void> {
    this.under.refusal = null
    this.under.holdsCommits = false
    this.under.commit()
    for (let round = 0; round < 30; round++) {
      // In Kafka a new expression that matches nothing begins no epoch: what its member had goes to others with the next one.
      if (round === 10 && this.#hasBlindExpression())
        for (const { name } of this.topics.existing) this.topics.grow(name)
      await this.under.time.advance(4000)
      for (const client of this.clients) await client?.heartbeat()
      this.check()
    }
    const group = this.under.shard.groups.get('group')
    const clients = this.clients.filter((client) => client !== null)
    if (clients.length === 0 || !(group instanceof ConsumerGroup)) return
    assert.deepEqual([...group.members.keys()].toSorted(), clients.map(({ memberId }) => memberId).toSorted())
    assert.equal(group.state, 'Stable')
    const owned = clients.flatMap((client) => [...client.owned])
    assert.deepEqual(owned.toSorted(), this.#subscribedPartitions(clients).toSorted())
    for (const client of clients) {
      const member = group.member(client.memberId)
      assert.deepEqual([...client.owned].toSorted(), named(member.assigned).toSorted())
      assert.equal(client.epoch, group.epoch)
    }
  }

  #hasBlindExpression(): boolean {
    return this.clients.some(
      (client) => client?.regex && !this.topics.existing.some(({ name }) => isMatch(client.regex!, name)),
    )
  }

  #subscribedPartitions(clients: readonly ConsumerClient[]): string[] {
    return this.topics.existing.flatMap(({ name, id, partitions }) => {
      const isSubscribed = clients.some(
        ({ topics, regex }) => topics?.includes(name) || (regex !== null && isMatch(regex, name)),
      )
      return isSubscribed ? partitions.map((_, partition) => `${id}-${partition}`) : []
    })
  }
}

function isMatch(regex: string, name: string): boolean {
  return new RegExp(`^(?:${regex})$`).test(name)
}

function named(owned: OwnedPartitions): string[] {
  return [...owned].flatMap(([topicId, epochs]) => Array.from(epochs.keys(), (partition) => `${topicId}-${partition}`))
}

/** All that is in the log, as text that is the same for the same state. */
function dump({ groups }: GroupShard): string {
  const group = groups.get('group')
  if (!(group instanceof ConsumerGroup)) return String(group?.type)
  const { epoch, metadataHash, target, subscriptions, partitionEpochs } = group
  const members = [...group.members.values()].toSorted((one, other) => (one.id < other.id ? -1 : 1))
  return canonicalText({
    epoch,
    metadataHash,
    target: [target.epoch, target.timestampMs],
    type: subscriptions.type(group.memberCount),
    regexes: sorted(subscriptions.regexes),
    resolved: sorted(subscriptions.resolved),
    topics: [...subscriptions.topics].toSorted(),
    members: members.map((member) => ({ ...member, target: sorted(target.of(member.id)), owns: owns(member) })),
  })

  function owns(member: ConsumerMember): boolean {
    return named(member.assigned).every((one) => partitionEpochs.isOwned(one.slice(0, 22), Number(one.slice(23))))
  }
}

test('whatever happens to a consumer group, it comes to rest with every partition at one owner', async () => {
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
