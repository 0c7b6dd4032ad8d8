/**
 * Groups with members of both protocols that come and go, so that the group changes its type with them: no partition is consumed twice, and when
 * all is quiet each is consumed once, by a group of the type that its members need.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ClassicGroup } from '../classic/classic-group.ts'
import { ClassicConsumer } from '../testing/classic-consumer.ts'
import { ConsumerClient, testTopic } from '../testing/consumer-client.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { ConsumerGroup } from './consumer-group.ts'

const configs = { 'group.consumer.assignment.interval.ms': 500, 'group.initial.rebalance.delay.ms': 0 }
const slots = 4
const topicNames = ['ab', 'ac']

const slot = fc.integer({ min: 0, max: slots - 1 })
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('act' as const), slot }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('start classic' as const, 'start consumer' as const),
      slot,
      topics: fc.subarray(topicNames, { minLength: 1 }),
      isStatic: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'crash' as const), slot }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(10, 1000, 10_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('grow' as const), topic: fc.constantFrom(...topicNames) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Member = ConsumerClient | ClassicConsumer

class Model {
  readonly under = new GroupShardUnderTest({ configs })
  readonly members: (Member | null)[] = Array.from({ length: slots }, () => null)
  readonly #cooperative: boolean
  readonly #lastStatic = new Map<number, Member>()
  #hasLostRebalance = false
  /** The last generation that it had as a classic group. */
  #classicGeneration = -1
  #started = 0

  constructor(cooperative: boolean) {
    this.#cooperative = cooperative
    for (const name of topicNames) this.#grow(name, 3)
  }

  async run(one: Step): Promise<void> {
    switch (one.kind) {
      case 'act':
        await this.#act(this.members[one.slot] ?? null)
        break
      case 'start classic':
      case 'start consumer': {
        const instance = one.isStatic ? `instance-${one.slot}` : null
        // A process that follows another in its place subscribes to the same: a classic group is not told of anything else.
        const topics = one.isStatic ? topicNames : one.topics
        this.members[one.slot] =
          one.kind === 'start classic'
            ? new ClassicConsumer(this.under, { topics, cooperative: this.#cooperative, instance })
            : new ConsumerClient(this.under, { memberId: `member-${this.#started++}`, topics, instance })
        if (one.isStatic) this.#follow(one.slot)
        break
      }
      case 'leave': {
        const member = this.members[one.slot]
        this.members[one.slot] = null
        if (member instanceof ConsumerClient) await member.leave(member.instance === null ? -1 : -2)
        else if (member) await member.leave()
        break
      }
      case 'crash':
        this.members[one.slot] = null
        break
      case 'wait':
        await this.under.time.advance(one.ms)
        break
      case 'grow':
        this.#grow(one.topic, this.under.image.topics.get(one.topic)!.partitions.length + 1)
        break
      case 'refuse':
        this.under.refusal = one.on ? new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE) : null
        break
      case 'move':
        this.under.moveAway(configs)
        await this.under.time.advance(0)
        break
    }
    this.#check()
  }

  /**
   * Who takes the place of a static member in a classic group gets what that one had, without a rebalance. If that one still had to join again to have
   * others get what it gave up, nobody does, in Kafka as here, until something else has the group rebalance.
   */
  #follow(slot: number): void {
    const before = this.#lastStatic.get(slot)
    if (before instanceof ClassicConsumer && before.mustJoin) this.#hasLostRebalance = true
    this.#lastStatic.set(slot, this.members[slot]!)
  }

  async #act(member: Member | null): Promise<void> {
    if (member instanceof ClassicConsumer) {
      member.act()
      await this.under.time.advance(0)
    } else await member?.heartbeat()
  }

  #grow(name: string, partitions: number): void {
    this.under.changeMetadata({ topics: new Map([[name, testTopic(name, partitions)]]) })
  }

  /** What members own that the coordinator takes for members; of classic ones, those that are `counted`. */
  #owned(counted: (member: ClassicConsumer) => boolean = () => true): string[] {
    const group = this.under.shard.groups.get('group')
    const members =
      group?.type === 'classic' ? (group as ClassicGroup).members : (group as ConsumerGroup | undefined)?.members
    return this.members.flatMap((member) => {
      if (member === null || !members?.has(member.memberId)) return []
      if (member instanceof ClassicConsumer) return counted(member) ? [...member.owned] : []
      return Array.from(member.owned, (one) => `${this.under.image.topicNameById(one.slice(0, 22))}-${one.slice(23)}`)
    })
  }

  #check(): void {
    const group = this.under.shard.groups.get('group')
    // In a classic group the members see to it themselves, and the model's leader forgets what members do not report. Who has missed its last
    // generation is told so with its next heartbeat.
    if (group?.type === 'classic') this.#classicGeneration = (group as ClassicGroup).generation
    const owned = this.#owned((member) => member.generation >= this.#classicGeneration)
    if (group?.type === 'consumer') assert.equal(new Set(owned).size, owned.length, `owned twice: ${owned.join()}`)
    assert.equal(this.under.reloaded().groups.get('group')?.type, group?.type)
  }

  async quiet(): Promise<void> {
    this.under.refusal = null
    for (let round = 0; round < 60; round++) {
      if (round === 30 && this.#hasLostRebalance)
        for (const member of this.members) if (member instanceof ClassicConsumer) member.joinAgain()
      await this.under.time.advance(2500)
      for (const member of this.members) await this.#act(member)
      this.#check()
    }
    const members = this.members.filter((member) => member !== null)
    const group = this.under.shard.groups.get('group')
    if (members.length === 0) return assert.ok(group === undefined || group.isEmpty)
    assert.equal(group?.stateName, 'Stable')
    assert.equal(group.type, members.every((one) => one instanceof ClassicConsumer) ? 'classic' : 'consumer')
    const wanted = topicNames.flatMap((name) =>
      members.some(({ topics }) => topics?.includes(name))
        ? this.under.image.topics.get(name)!.partitions.map((_, partition) => `${name}-${partition}`)
        : [],
    )
    // Classic consumers that lead look for new partitions themselves; the model's do not.
    const isKnown = (one: string): boolean =>
      group.type === 'consumer' || this.#owned().includes(one) || !one.match(/-[3-9]|-\d\d/)
    assert.deepEqual(this.#owned().toSorted(), wanted.filter(isKnown).toSorted())
  }
}

for (const cooperative of [false, true])
  test(`members of both protocols share a group, ${cooperative ? 'cooperatively' : 'eagerly'}, whatever happens to it`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 50, size: 'max' }), async (steps) => {
        const model = new Model(cooperative)
        for (const one of steps) await model.run(one)
        await model.quiet()
      }),
      { numRuns: Number(process.env['RUNS'] ?? 40) },
    )
  })
