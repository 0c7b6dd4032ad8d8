import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EmbeddedTree } from '@millrace/coordination'
import { ErrorCode, FindCoordinator, ZERO_UUID, type Request } from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import { BrokerConfig } from '../config/broker-config.ts'
import type { PropertyInput } from '../config/properties.ts'
import { newTree, runtime, startController } from '../controller/testing/controller-under-test.ts'
import type { BrokerImage } from '../metadata/image.ts'
import type { MetadataCache } from '../metadata/metadata-cache.ts'
import type { RequestContext } from '../server/request-context.ts'
import { findCoordinator } from './find-coordinator.ts'

interface Asking extends AsyncDisposable {
  readonly metadata: MetadataCache
  readonly warnings: string[]
  ask(version: number, request: Partial<Request<typeof FindCoordinator>>): Promise<Found>
}
type Found = Exclude<Awaited<ReturnType<typeof findCoordinator.handle>>, null>

const HERE = { nodeId: 1, host: 'host-1', port: 9092, errorCode: ErrorCode.NONE }
const NOWHERE = { nodeId: -1, host: '', port: -1 }
const NOT_AVAILABLE = 'The coordinator is not available.'

async function askingOn(tree: EmbeddedTree, configs: Record<string, PropertyInput> = {}): Promise<Asking> {
  const under = await startController(tree)
  const warnings: string[] = []
  const broker = {
    ...under,
    config: BrokerConfig.of({ 'log.dirs': '/none', 'offsets.topic.num.partitions': 4, ...configs }),
    clock: runtime.clock,
    logger: { ...silentLogger, warn: (message: string) => void warnings.push(message) },
  }
  return {
    metadata: under.metadata,
    warnings,
    ask: async (version, request) => {
      const endpointOf = (one: BrokerImage) => one.endpoints.get('PLAINTEXT') ?? null
      const context = { version, broker, endpointOf } as unknown as RequestContext
      const asked = { key: '', keyType: 0, coordinatorKeys: [], ...request }
      return (await findCoordinator.handle(asked, context))!
    },
    [Symbol.asyncDispose]: () => under[Symbol.asyncDispose](),
  }
}

test('the first to ask gets an answer: the topic is created, as Kafka creates it but for the replicas of one broker', async () => {
  await using tree = await newTree()
  await using asking = await askingOn(tree)
  const { metadata } = asking
  assert.deepEqual(await asking.ask(3, { key: 'g' }), { throttleTimeMs: 0, ...HERE, errorMessage: 'NONE' })
  const answer = await asking.ask(4, { keyType: 1, coordinatorKeys: ['tx', ''] })
  assert.deepEqual(answer.coordinators, [
    { key: 'tx', ...HERE, errorMessage: '' },
    { key: '', ...HERE, errorMessage: '' },
  ])
  const share = `g:${ZERO_UUID}:0`
  assert.deepEqual((await asking.ask(6, { keyType: 2, coordinatorKeys: [share] })).coordinators, [
    { key: share, ...HERE, errorMessage: '' },
  ])
  const shape = (name: string) => {
    const { partitions } = metadata.image.topics.get(name)!
    return [partitions.length, partitions[0]!.replicas, Object.fromEntries(metadata.image.configs('topics', name))]
  }
  assert.deepEqual(shape('__consumer_offsets'), [
    4,
    [1],
    { 'cleanup.policy': 'compact', 'compression.type': 'producer', 'segment.bytes': '104857600' },
  ])
  assert.deepEqual(shape('__transaction_state'), [
    50,
    [1],
    {
      'unclean.leader.election.enable': 'false',
      'compression.type': 'uncompressed',
      'cleanup.policy': 'compact',
      'min.insync.replicas': '1',
      'segment.bytes': '104857600',
    },
  ])
  assert.deepEqual(shape('__share_group_state'), [
    50,
    [1],
    {
      'cleanup.policy': 'delete',
      'compression.type': 'producer',
      'segment.bytes': '104857600',
      'min.insync.replicas': '1',
      'retention.ms': '-1',
    },
  ])
  assert.deepEqual(asking.warnings, [])
})

test('many who ask at once create the topic once, and all get an answer', async () => {
  await using tree = await newTree()
  await using asking = await askingOn(tree)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => asking.ask(0, { key: `group-${n}` })))
  for (const answer of answers) assert.equal(answer.errorCode, ErrorCode.NONE)
  assert.deepEqual(asking.warnings, [])
})

test('replicas that were asked for and cannot be had: no topic, and a warning that says why', async () => {
  await using tree = await newTree()
  await using asking = await askingOn(tree, { 'offsets.topic.replication.factor': 3 })
  const answer = await asking.ask(2, { key: 'g' })
  const errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE
  assert.deepEqual(answer, { throttleTimeMs: 0, ...NOWHERE, errorCode, errorMessage: NOT_AVAILABLE })
  const batch = await asking.ask(5, { coordinatorKeys: ['g'] })
  assert.deepEqual(batch.coordinators, [{ key: 'g', ...NOWHERE, errorCode, errorMessage: '' }])
  assert.match(asking.warnings[0]!, /__consumer_offsets could not be created automatically: .*replication factor of 3/)
  assert.equal(asking.metadata.image.topics.size, 0)
})

test('the coordinator is the leader of the partition that the key falls on; without one there is none', async () => {
  await using tree = await newTree()
  await using asking = await askingOn(tree)
  await asking.ask(0, { key: 'any' })
  const { metadata } = asking
  const name = '__consumer_offsets'
  const topic = metadata.image.topics.get(name)!
  // Java: "g".hashCode() is 103, "h".hashCode() 104; of 4 partitions.
  const partitions = topic.partitions.map((partition, index) =>
    index === 3 ? { ...partition, leader: -1 } : partition,
  )
  metadata.apply({ topics: new Map([[name, { ...topic, partitions }]]) })
  const { coordinators } = await asking.ask(4, { coordinatorKeys: ['g', 'h'] })
  assert.deepEqual(
    coordinators?.map(({ key, errorCode, nodeId }) => [key, errorCode, nodeId]),
    [
      ['g', ErrorCode.COORDINATOR_NOT_AVAILABLE, -1],
      ['h', ErrorCode.NONE, 1],
    ],
  )
})

test('types that are unknown, or newer than the version, and keys of another form are invalid', async () => {
  await using tree = await newTree()
  await using asking = await askingOn(tree)
  const errorCode = ErrorCode.INVALID_REQUEST
  for (const keyType of [3, -1, 2]) {
    const single = await asking.ask(3, { keyType, key: `g:${ZERO_UUID}:0` })
    assert.equal(single.errorCode, errorCode)
    assert.equal(single.nodeId, -1)
    assert.match(single.errorMessage ?? '', /request/)
  }
  const early = await asking.ask(5, { keyType: 2, coordinatorKeys: [`g:${ZERO_UUID}:0`] })
  assert.deepEqual(
    early.coordinators?.map((one) => [one.errorCode, one.errorMessage]),
    [[errorCode, '']],
  )
  const unknown = await asking.ask(6, { keyType: 3, coordinatorKeys: ['a', 'b'] })
  assert.deepEqual(
    unknown.coordinators?.map(({ key, errorCode: code }) => [key, code]),
    [
      ['a', errorCode],
      ['b', errorCode],
    ],
  )
  assert.match(unknown.coordinators?.[0]?.errorMessage ?? '', /request/)
  const malformed = await asking.ask(6, { keyType: 2, coordinatorKeys: ['g', `g:${ZERO_UUID}:x`] })
  assert.deepEqual(
    malformed.coordinators?.map((one) => one.errorCode),
    [errorCode, errorCode],
  )
  assert.equal(asking.metadata.image.topics.size, 0)
})
