/**
 * Groups in a simulated world, whose members come, go, crash, fall asleep over their records and lose their network, while their coordinator is
 * stopped and killed and connections break. Each run follows
 * from its seed, which is in the name of a test that fails; `MILLRACE_SEED=n` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedBroker } from '@millrace/broker/testing'
import { CreatePartitions } from '@millrace/protocol'
import type { SimulatedHost } from '@millrace/runtime/testing'
import { ClientContexts } from '../client-context.ts'
import { consumerOptions } from '../consumer/options.ts'
import type { TopicPartition } from '../record.ts'
import { MaxPollIntervalExceeded } from './max-poll-interval-exceeded.ts'
import { openMembership } from './open-membership.ts'
import { partitionName } from './partition-names.ts'
import { TestOwner } from './testing/test-owner.ts'

const SESSION_MS = 6000
const configs = {
  'offsets.topic.num.partitions': 2,
  'offsets.topic.replication.factor': 1,
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1000,
  'group.consumer.assignment.interval.ms': 0,
  'group.consumer.session.timeout.ms': SESSION_MS,
  'group.consumer.min.session.timeout.ms': 1000,
  'group.consumer.heartbeat.interval.ms': 1000,
  'group.consumer.min.heartbeat.interval.ms': 500,
}
const MAX_POLL_MS = 20_000
const BREAK_PROBABILITY = 0.02
/** A member that could not be reached learns of its end with the heartbeat after. */
const NEWS_MS = 5000

type Strategy = 'range' | 'cooperative-sticky' | 'consumer' | 'mixed'

class SimulatedMember extends TestOwner {
  readonly host: SimulatedHost
  isDead = false
  isCut = false
  /** Its application does not ask for records. */
  sleep: PromiseWithResolvers<void> | null = null
  /** Until then it may not know that what it has is another's by now. */
  unsureUntilMs = 0

  constructor(name: string, host: SimulatedHost) {
    super(name, /^orders|^visits$/)
    this.host = host
  }
}

class World extends SimulatedBroker {
  readonly strategy: Strategy
  readonly members: SimulatedMember[] = []
  #count = 0
  partitions = 0
  isDown = false

  constructor(seed: number, strategy: Strategy) {
    super(seed, configs)
    this.strategy = strategy
  }

  get live(): SimulatedMember[] {
    return this.members.filter(({ isDead }) => !isDead)
  }

  join(): void {
    const name = `m${++this.#count}`
    const host = this.sim.host(name)
    const { clock, random, transport } = host.runtime
    const contexts = new ClientContexts({ brokers: 'broker:9092' }, { clock, random, transport })
    const { cluster, settings } = contexts.open(
      consumerOptions,
      { groupId: 'g', metadataMaxAgeMs: 3000, maxPollIntervalMs: MAX_POLL_MS, ...this.#optionsOf(name) },
      'test',
    )
    const member = new SimulatedMember(name, host)
    if (this.sim.random.integer(2) === 0) member.subscription = ['orders', 'visits']
    member.givingUp = async () => {
      await clock.sleep(this.sim.random.integer(300))
      // An application gives up where it asks for records.
      await member.sleep?.promise
    }
    member.taking = (partitions) => this.#mustBeFree(member, partitions)
    member.membership = openMembership({
      cluster,
      settings: { ...settings, groupId: 'g' },
      owner: member,
      heartbeats: contexts.heartbeats,
    })
    this.members.push(member)
    this.setBreaking(name, BREAK_PROBABILITY)
    member.membership.waiting()
    member.membership.join()
  }

  async leave(member: SimulatedMember): Promise<void> {
    if (member.sleep !== null) this.wake(member)
    member.isDead = true
    const limit = new AbortController()
    this.sim.clock.after(60_000, () => limit.abort(new Error('leaving took a minute')))
    await this.run(member.membership!.leave({ leaveGroup: true, signal: limit.signal }))
    assert.deepEqual(member.names, [])
  }

  crashMember(member: SimulatedMember): void {
    member.isDead = true
    member.owned = []
    if (this.sim.random.integer(2) === 0) member.host.crash()
    else member.host.crashProcess()
  }

  cut(member: SimulatedMember): void {
    member.isCut = true
    this.sim.network.partition(member.name, 'broker')
  }

  heal(member: SimulatedMember): void {
    member.isCut = false
    member.unsureUntilMs = this.sim.time.nowMs + NEWS_MS
    this.sim.network.heal(member.name, 'broker')
  }

  /** How likely a packet is to break its connection. */
  setBreaking(name: string, breakProbability: number): void {
    this.sim.network.link(name, 'broker').settings = { breakProbability }
    this.sim.network.link('broker', name).settings = { breakProbability }
  }

  fallAsleep(member: SimulatedMember): void {
    member.sleep ??= Promise.withResolvers()
    member.membership!.polled()
  }

  wake(member: SimulatedMember): void {
    member.unsureUntilMs = this.sim.time.nowMs + NEWS_MS
    member.sleep?.resolve()
    member.sleep = null
    member.membership!.waiting()
  }

  async restart(): Promise<void> {
    if (this.sim.random.integer(2) === 0) this.crash(false)
    else await this.stop()
    this.isDown = true
    await this.sim.time.advance(this.sim.random.integer(8000))
    await this.start()
    this.isDown = false
  }

  async grow(): Promise<void> {
    const client = await this.run(this.connect())
    const count = ++this.partitions
    await this.run(
      client.send(CreatePartitions, {
        topics: [{ name: 'orders', count, assignments: null }],
        timeoutMs: 10_000,
        validateOnly: false,
      }),
    )
    await this.run(client[Symbol.asyncDispose]())
  }

  /** Of all live members together. */
  get owned(): string[] {
    return this.live.flatMap(({ names }) => names).toSorted()
  }

  #optionsOf(name: string): Record<string, unknown> {
    const classic = { groupProtocol: 'classic', sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 1000 }
    const isNewer = this.strategy === 'consumer' || (this.strategy === 'mixed' && this.#count % 2 === 0)
    if (isNewer) return { groupProtocol: 'consumer' }
    const own = this.sim.random.integer(3) === 0 ? { groupInstanceId: name } : {}
    if (this.strategy === 'mixed') return { ...classic, ...own }
    return { ...classic, ...own, partitionAssignmentStrategy: [this.strategy] }
  }

  #mustBeFree(taker: SimulatedMember, partitions: readonly TopicPartition[]): void {
    const names = new Set(partitions.map(partitionName))
    for (const member of this.live) {
      if (member === taker || member.isCut || member.sleep !== null || member.unsureUntilMs > this.sim.time.nowMs)
        continue
      for (const name of member.names)
        assert.ok(
          !names.has(name),
          `at ${this.sim.time.nowMs} ms ${taker.name} is given ${name}, which ${member.name} has`,
        )
    }
  }
}

async function play(seed: number, strategy: Strategy): Promise<void> {
  const world = new World(seed, strategy)
  const { random, time } = world.sim
  await world.start()
  await world.createTopic('orders', 3)
  await world.createTopic('visits', 2)
  world.partitions = 3
  world.join()
  for (let step = 0; step < 25; step++) {
    await time.advance(random.integer(4000))
    const { live } = world
    const one = live[random.integer(Math.max(1, live.length))]
    const chance = random.integer(100)
    if (live.length < 2 || (chance < 25 && live.length < 6)) world.join()
    else if (one === undefined) continue
    else if (chance < 40) await world.leave(one)
    else if (chance < 50) world.crashMember(one)
    else if (chance < 60) world.cut(one)
    else if (chance < 72) for (const member of live.filter(({ isCut }) => isCut)) world.heal(member)
    else if (chance < 78) world.fallAsleep(one)
    else if (chance < 86) for (const member of live.filter(({ sleep }) => sleep !== null)) world.wake(member)
    else if (chance < 94) await world.restart()
    else if (world.partitions < 8) await world.grow()
  }
  for (const member of world.live) world.setBreaking(member.name, 0)
  for (const member of world.live) if (member.sleep !== null) world.wake(member)
  for (const member of world.live) if (member.isCut) world.heal(member)
  if (world.live.length === 0) world.join()
  const all = [...Array(world.partitions).keys()].map((partition) => `orders-${partition}`)
  const expected = [...all, 'visits-0', 'visits-1'].toSorted()
  // Whoever crashed is noticed when its session is over; nobody else is away now.
  await time.advance(60_000)
  assert.deepEqual(world.owned, expected)
  for (const { name, errors } of world.members)
    for (const error of errors) assert.ok(error instanceof MaxPollIntervalExceeded, `${name}: ${error.stack}`)
}

const chosen = process.env['MILLRACE_SEED']
const seeds = chosen === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : [Number(chosen)]
for (const strategy of ['range', 'cooperative-sticky', 'consumer', 'mixed'] as const) {
  for (const seed of seeds) {
    test(`${strategy}: no partition has two owners at once, and in the end each has one: seed ${seed}`, async () => {
      await play(seed, strategy)
    })
  }
}
