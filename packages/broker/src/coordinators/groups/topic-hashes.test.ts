import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerImage, PartitionImage, TopicImage } from '../../metadata/image.ts'
import { applyDelta, emptyImage } from '../../metadata/metadata-delta.ts'
import { TopicHashes } from './topic-hashes.ts'

const racks: readonly (string | null)[] = ['rack-b', 'a', null, 'r0', 'r1', 'r2']

function image(topics: readonly TopicImage[], brokerRacks = racks) {
  return applyDelta(emptyImage(), {
    topics: new Map(topics.map((topic) => [topic.name, topic])),
    brokers: new Map(brokerRacks.map((rack, id) => [id, broker(id, rack)])),
  })
}

function broker(id: number, rack: string | null): BrokerImage {
  return { id, epoch: 1n, rack, endpoints: new Map(), fenced: false, features: new Map() }
}

function topic(name: string, id: string, replicas: readonly (readonly number[])[]): TopicImage {
  return { name, id, partitions: replicas.map(partition) }
}

function partition(replicas: readonly number[]): PartitionImage {
  const nothing = { addingReplicas: [], removingReplicas: [], leaderRecovering: false }
  return { leader: replicas[0]!, leaderEpoch: 0, partitionEpoch: 0, replicas, isr: replicas, ...nothing }
}

const foo = topic('foo', 'AncLOVkq0wl9mEpc5bP0QQ', [[0, 1], [2]])
const bär = topic('bär', 'tUsZBJGzyl1aFxX_8-FHoQ', [[2]])
const big = topic(
  'big',
  '7cJvFhv7pM6kQOJlHbNE6Q',
  Array.from({ length: 200 }, (_, index) => [3 + (index % 3), 3 + (index % 2)]),
)

test('hashes are those of Kafka', () => {
  const hashes = new TopicHashes()
  const cluster = image([foo, bär, big])
  // From Utils.computeTopicHash and computeGroupHash of Apache Kafka 4.3.1.
  assert.equal(hashes.ofTopics(['foo'], cluster), -8960395491639589257n)
  assert.equal(hashes.ofTopics(['bär'], cluster), 7262746565814427355n)
  assert.equal(hashes.ofTopics(['big'], cluster), -2442937863498215447n)
  assert.equal(hashes.ofTopics(['foo', 'bär', 'big'], cluster), 8402191322313290127n)
})

test('topics that do not exist do not count, and none at all is 0', () => {
  const hashes = new TopicHashes()
  assert.equal(hashes.ofTopics(['gone'], image([foo])), 0n)
  assert.equal(hashes.ofTopics(['gone', 'foo'], image([foo])), hashes.ofTopics(['foo'], image([foo])))
})

test('more partitions and another id change the hash, another leader and a broker that is away do not', () => {
  const hashes = new TopicHashes()
  const before = hashes.ofTopics(['foo'], image([foo]))
  const led = { ...foo, partitions: foo.partitions.map((one) => ({ ...one, leader: 1, leaderEpoch: 1, isr: [1] })) }
  assert.equal(hashes.ofTopics(['foo'], image([led], [null])), before)
  const grown = { ...foo, partitions: [...foo.partitions, partition([2])] }
  assert.notEqual(hashes.ofTopics(['foo'], image([grown])), before)
  assert.notEqual(hashes.ofTopics(['foo'], image([{ ...foo, id: 'AAAAAAAAAAAAAAAAAAAAAQ' }])), before)
  assert.equal(hashes.ofTopics(['foo'], image([foo])), before)
})
