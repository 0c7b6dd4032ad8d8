import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SimulatedClock } from '@millrace/runtime/testing'
import type { TopicImage } from '../../../metadata/image.ts'
import { ConsumerClient, testTopic, type ConsumerClientOptions } from '../testing/consumer-client.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { loadRegexEngine } from './regex-engine.ts'
import { resolveRegexes } from './resolve-regexes.ts'

const engine = await loadRegexEngine()

class World {
  readonly under = new GroupShardUnderTest({ configs: { 'group.consumer.assignment.interval.ms': 0 } })

  constructor() {
    this.change(testTopic('orders', 2), testTopic('orders-old', 1), testTopic('payments', 3))
  }

  change(...topics: TopicImage[]): void {
    this.under.changeMetadata({ topics: new Map(topics.map((topic) => [topic.name, topic])) })
  }

  client(memberId: string, regex: string, options: Partial<ConsumerClientOptions> = {}): ConsumerClient {
    return new ConsumerClient(this.under, { memberId, regex, engine, ...options })
  }

  get group(): ConsumerGroup {
    return this.under.shard.groups.get('group') as ConsumerGroup
  }

  /** A heartbeat after what the one before has set going, 11 seconds later. */
  async later(...clients: ConsumerClient[]): Promise<void> {
    for (let round = 0; round < 3; round++) {
      await this.under.time.advance(11_000)
      for (const client of clients) await client.heartbeat()
    }
    await this.under.time.advance(100)
    for (const client of clients) await client.heartbeat()
  }
}

test('a member joins at once, and gets its partitions when its expression is resolved', async () => {
  const world = new World()
  const a = world.client('a', 'orders.*')
  assert.equal(await a.heartbeat(), 'NONE')
  assert.equal(a.owned.size, 0)
  await world.under.time.advance(20)
  await a.heartbeat()
  assert.equal(a.owned.size, 3)
  assert.equal(world.group.subscriptions.type(world.group.memberCount), 'homogeneous')
})

test('an expression stands for whole names, also of topics that come later, and no more for those that go', async () => {
  const world = new World()
  const a = world.client('a', 'orders')
  await a.heartbeat()
  await world.later(a)
  assert.equal(a.owned.size, 2)
  await a.leave()
  const b = world.client('b', 'orders.*')
  await b.heartbeat()
  await world.later(b)
  assert.equal(b.owned.size, 3)
  world.change(testTopic('orders-new', 5))
  await world.later(b)
  assert.equal(b.owned.size, 8)
  world.under.changeMetadata({ topics: new Map([['orders', null]]) })
  await world.later(b)
  assert.equal(b.owned.size, 6)
})

test('members with several expressions, with names, and with the same expression share what they have in common', async () => {
  const world = new World()
  const clients = [
    world.client('a', 'orders.*'),
    world.client('b', 'orders.*'),
    world.client('c', 'pay.*'),
    world.client('d', 'pay.*', { topics: ['orders'] }),
  ]
  await world.later(...clients)
  assert.equal(world.group.subscriptions.type(world.group.memberCount), 'heterogeneous')
  assert.equal(world.group.state, 'Stable')
  const owned = clients.flatMap((client) => [...client.owned])
  assert.equal(owned.length, 6)
  assert.equal(new Set(owned).size, 6)
})

test('an expression that nobody has any more is forgotten', async () => {
  const world = new World()
  const [a, b] = [world.client('a', 'orders.*'), world.client('b', 'pay.*')]
  await world.later(a, b)
  assert.deepEqual([...world.group.subscriptions.resolved.keys()], ['orders.*', 'pay.*'])
  await b.leave()
  assert.deepEqual([...world.group.subscriptions.resolved.keys()], ['orders.*'])
  assert.ok(!world.group.isSubscribedTo('payments'))
  assert.deepEqual(
    [...(world.under.reloaded().groups.get('group') as ConsumerGroup).subscriptions.resolved.keys()],
    ['orders.*'],
  )
  a.regex = ''
  a.subscribe(['payments'])
  await world.later(a)
  assert.equal(world.group.subscriptions.resolved.size, 0)
  assert.equal(a.owned.size, 3)
})

test('what is looked up by a broker that then dies is looked up by the next', async () => {
  const world = new World()
  const a = world.client('a', 'orders.*')
  await a.heartbeat()
  world.under.moveAway({ 'group.consumer.assignment.interval.ms': 0 })
  await world.later(a)
  assert.equal(a.owned.size, 3)
  world.under.moveAway({ 'group.consumer.assignment.interval.ms': 0 })
  world.change(testTopic('orders-new', 1))
  await world.later(a)
  assert.equal(a.owned.size, 4)
})

test('an invalid expression is refused, and nothing is written', async () => {
  const world = new World()
  for (const regex of ['a(', '*', '[z-a]', '(?=x)', '(a)\\1'])
    assert.equal(await world.client('a', regex).heartbeat(), 'INVALID_REGULAR_EXPRESSION', regex)
  assert.equal(world.under.logLength, 0)
})

test('many topics are gone through in slices, and evil expressions take no longer than others', async () => {
  const world = new World()
  world.change(...Array.from({ length: 3000 }, (_, index) => testTopic(`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-${index}`, 0)))
  const { under } = world
  const regexes = ['(a+)+b', '(a|aa)+c', '.*-7']
  const { image, clock } = under
  const resolving = resolveRegexes({ regexes, engine, image, clock, mayDescribe: (topic) => !topic.endsWith('-27') })
  const resolved = await under.time.run(resolving)
  assert.deepEqual(
    Array.from(resolved.values(), ({ topics }) => topics.size),
    [0, 0, 1],
  )
  const forbidden = await under.time.run(
    resolveRegexes({ regexes: ['.*-[27]*'], engine, image, clock, mayDescribe: (topic) => !topic.endsWith('-27') }),
  )
  assert.ok(!forbidden.get('.*-[27]*')!.topics.has('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-27'))
  assert.ok(forbidden.get('.*-[27]*')!.topics.has('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-72'))
})

test('expressions are looked up although the clock was set back', async () => {
  const world = new World()
  const a = world.client('a', 'orders.*')
  await a.heartbeat()
  await world.later(a)
  ;(world.under.clock as SimulatedClock).jumpWall(-3_600_000)
  const b = world.client('b', 'payments')
  await b.heartbeat()
  await world.later(a, b)
  assert.equal(b.owned.size, 3)
})
