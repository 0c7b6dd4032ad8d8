import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeRuntime } from '@millrace/runtime'
import fc from 'fast-check'
import type { ConfigEntityKey, ConfigEntries, MetadataDelta, SharedImage, TopicImage } from './image.ts'
import { MetadataCache } from './metadata-cache.ts'
import { applyDelta, deltaBetween, emptyImage } from './metadata-delta.ts'

const names = fc.constantFrom('a', 'b', 'c.d', 'e_f')

const topic = fc.record({
  name: names,
  id: fc.integer({ min: 0, max: 20 }),
  partitions: fc.integer({ min: 1, max: 3 }),
})

const change = fc.oneof(
  topic.map(({ name, id, partitions }) => ({
    topics: new Map([[name, topicOf(name, `id-${name}-${id}`, partitions)]]),
  })),
  names.map((name) => ({ topics: new Map([[name, null]]) })),
  fc.record({ id: fc.integer({ min: 1, max: 3 }), epoch: fc.bigInt({ min: 0n, max: 5n }) }).map(({ id, epoch }) => ({
    brokers: new Map([[id, { id, epoch, rack: null, endpoints: new Map(), fenced: false }]]),
  })),
  fc.integer({ min: 1, max: 3 }).map((id) => ({ brokers: new Map([[id, null]]) })),
  fc
    .record({ name: names, value: fc.constantFrom('1', '2', null) })
    .map(({ name, value }) => ({ configs: new Map([[`topics/${name}`, entries(value)] as const]) })),
  fc.integer({ min: -1, max: 3 }).map((controllerId) => ({ controllerId })),
) as fc.Arbitrary<MetadataDelta>

function topicOf(name: string, id: string, count: number): TopicImage {
  const partition = { leader: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] }
  return {
    name,
    id,
    partitions: Array.from({ length: count }, () => ({
      ...partition,
      addingReplicas: [],
      removingReplicas: [],
      leaderRecovering: false,
    })),
  }
}

function entries(value: string | null): ConfigEntries | null {
  return value === null ? null : new Map([['retention.ms', value]])
}

interface Model {
  readonly topics: Map<string, TopicImage>
  readonly brokers: Map<number, unknown>
  readonly configs: Map<ConfigEntityKey, ConfigEntries>
  controllerId: number
}

function assertSame(image: SharedImage, model: Model): void {
  assert.deepEqual(new Map(image.topics), model.topics)
  assert.deepEqual(new Map(image.brokers), model.brokers)
  assert.equal(image.controllerId, model.controllerId)
  for (const each of model.topics.values()) {
    assert.equal(image.topicNameById(each.id), each.name)
    assert.equal(image.topicById(each.id), each)
    assert.equal(image.partition(each.name, 0), each.partitions[0])
    assert.equal(image.partition(each.name, each.partitions.length), undefined)
  }
  assert.equal(image.namesById.size, model.topics.size)
  for (const [key, value] of model.configs) assert.equal(image.configs('topics', key.slice('topics/'.length)), value)
  assert.deepEqual(
    image.configNames('topics').toSorted(),
    [...model.configs.keys()].map((key) => key.slice('topics/'.length)).toSorted(),
  )
}

test('an image made by deltas is the image built at once, and the delta between any two leads from one to the other', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const model: Model = { topics: new Map(), brokers: new Map(), configs: new Map(), controllerId: -1 }
      let image = emptyImage()
      const earlier: SharedImage[] = [image]
      for (const delta of changes) {
        image = applyDelta(image, delta)
        earlier.push(image)
        follow(model, delta)
        assertSame(image, model)
        assert.equal(image.version, earlier.length - 1)
      }
      for (const from of earlier) assertSame(applyDelta(from, deltaBetween(from, image)), model)
    }),
  )
})

function follow(model: Model, { topics, brokers, configs, controllerId }: MetadataDelta): void {
  for (const [name, value] of topics ?? []) follower(model.topics, name, value)
  for (const [id, value] of brokers ?? []) follower(model.brokers, id, value)
  for (const [key, value] of configs ?? []) follower(model.configs, key, value)
  model.controllerId = controllerId ?? model.controllerId
}

function follower<K, V>(map: Map<K, V>, key: K, value: V | null): void {
  if (value === null) map.delete(key)
  else map.set(key, value)
}

test('what does not change is shared with the image before', () => {
  const before = applyDelta(emptyImage(), {
    topics: new Map([
      ['a', topicOf('a', 'x', 2)],
      ['b', topicOf('b', 'y', 2)],
    ]),
  })
  const after = applyDelta(before, { topics: new Map([['b', topicOf('b', 'y', 3)]]) })
  assert.equal(after.topics.get('a'), before.topics.get('a'))
  assert.equal(after.brokers, before.brokers)
  assert.deepEqual(
    [...(deltaBetween(before, after).topics ?? [])].map(([name]) => name),
    ['b'],
  )
})

test('a topic made again under its name has only its new id', () => {
  let image = applyDelta(emptyImage(), { topics: new Map([['a', topicOf('a', 'old', 1)]]) })
  image = applyDelta(image, { topics: new Map([['a', topicOf('a', 'new', 1)]]) })
  assert.equal(image.topicNameById('old'), undefined)
  assert.equal(image.topicNameById('new'), 'a')
})

test('the cache tells each listener of each change, with what was before, until it stops', () => {
  const cache = new MetadataCache(nodeRuntime().clock)
  const heard: [number, number][] = []
  const stop = cache.onChange((image, _delta, previous) => heard.push([previous.version, image.version]))
  cache.apply({ controllerId: 1 })
  cache.apply({ controllerId: 2 })
  stop()
  cache.apply({ controllerId: 3 })
  assert.deepEqual(heard, [
    [0, 1],
    [1, 2],
  ])
  assert.equal(cache.image.controllerId, 3)
})

test('waiting ends at once, with the image that fits, or with null when the time is over', async () => {
  const cache = new MetadataCache(nodeRuntime().clock)
  assert.equal(await cache.waitFor(({ version }) => version === 0, 0), cache.image)
  assert.equal(await cache.waitFor(({ version }) => version > 0, 0), null)
  assert.equal(await cache.waitFor(({ version }) => version > 0, 1), null)
  const waiting = cache.waitFor(({ controllerId }) => controllerId === 2, 60_000)
  cache.apply({ controllerId: 1 })
  const wanted = cache.apply({ controllerId: 2 })
  cache.apply({ controllerId: 3 })
  assert.equal(await waiting, wanted)
})
