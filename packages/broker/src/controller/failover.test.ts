import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deleteNode, EmbeddedTree } from '@millrace/coordination'
import { CrashingStore } from '@millrace/coordination/testing'
import { ErrorCode } from '@millrace/protocol'
import type { PartitionImage } from '../metadata/image.ts'
import {
  newTopic,
  newTree,
  NOW,
  openController,
  registration,
  runtime,
  startController,
} from './testing/controller-under-test.ts'
import type { ControllerUnderTest } from './testing/controller-under-test.ts'

const PATIENCE_MS = 10_000

/** Looks again after every change of the metadata, and now and then, since a term begins without one. */
async function until(under: ControllerUnderTest, predicate: () => boolean): Promise<void> {
  const deadline = runtime.clock.monotonicMs() + PATIENCE_MS
  while (!predicate()) {
    assert.ok(runtime.clock.monotonicMs() < deadline, 'it did not happen in time')
    await under.metadata.waitFor(predicate, 10)
  }
}

function brief(partition: PartitionImage | undefined): unknown {
  return partition && { leader: partition.leader, epoch: partition.leaderEpoch, isr: partition.isr }
}

test('one of two brokers is the controller; the other says so and refuses', async () => {
  await using tree = await newTree()
  await using first = await startController(tree, { nodeId: 1 })
  await using second = await startController(tree, { nodeId: 2 })
  assert.deepEqual([first.controller.isActive, second.controller.isActive], [true, false])
  assert.equal(second.metadata.image.controllerId, 1)
  assert.equal(second.controller.clusterId, first.controller.clusterId)
  await assert.rejects(second.controller.createTopics([newTopic('t')], NOW), { code: ErrorCode.NOT_CONTROLLER })
  await until(first, () => first.metadata.image.brokers.size === 2)
})

test('when the controller expires, the other takes over, and with it the leadership of what both had', async () => {
  await using tree = await newTree()
  await using first = await startController(tree, { nodeId: 1 })
  await using second = await startController(tree, { nodeId: 2 })
  await until(first, () => first.metadata.image.brokers.size === 2)
  const assignments = [
    { partitionIndex: 0, brokerIds: [1, 2] },
    { partitionIndex: 1, brokerIds: [2, 1] },
  ]
  await first.controller.createTopics([newTopic('t', { assignments })], NOW)
  const oldEpoch = first.metadata.image.brokers.get(1)?.epoch ?? 0n

  first.tree.session.expire()
  await until(second, () => second.controller.isActive)
  // Broker 1 comes back with a new session; it had missed what was written meanwhile, so it is not in sync and does not lead.
  await until(second, () => (second.metadata.image.brokers.get(1)?.epoch ?? 0n) > oldEpoch)
  await until(second, () => second.metadata.image.partition('t', 1)?.isr.length === 1)
  assert.deepEqual(brief(second.metadata.image.partition('t', 0)), { leader: 2, epoch: 1, isr: [2] })
  assert.deepEqual(brief(second.metadata.image.partition('t', 1)), { leader: 2, epoch: 0, isr: [2] })
  assert.equal(Buffer.from((await second.tree.session.get('/controller_epoch')).data).toString(), '2')
  await assert.rejects(first.controller.createTopics([newTopic('x')], NOW), { code: ErrorCode.NOT_CONTROLLER })
})

test('a broker that leaves loses its partitions; the last in sync stays, and leads again with a new term', async () => {
  await using tree = await newTree()
  await using first = await startController(tree, { nodeId: 1 })
  const second = await startController(tree, { nodeId: 2 })
  await until(first, () => first.metadata.image.brokers.size === 2)
  const assignments = [
    { partitionIndex: 0, brokerIds: [2] },
    { partitionIndex: 1, brokerIds: [1] },
  ]
  await first.controller.createTopics([newTopic('t', { assignments })], NOW)
  await second[Symbol.asyncDispose]()
  await until(first, () => first.metadata.image.partition('t', 0)?.leader === -1)
  assert.deepEqual(brief(first.metadata.image.partition('t', 0)), { leader: -1, epoch: 1, isr: [2] })
  assert.deepEqual(brief(first.metadata.image.partition('t', 1)), { leader: 1, epoch: 0, isr: [1] })
  await using _again = await startController(tree, { nodeId: 2 })
  await until(first, () => first.metadata.image.partition('t', 0)?.leader === 2)
  assert.deepEqual(brief(first.metadata.image.partition('t', 0)), { leader: 2, epoch: 2, isr: [2] })
})

test('without anybody in sync a replica leads only when unclean elections are allowed, and has to recover', async () => {
  await using tree = await newTree()
  await using first = await startController(tree, { nodeId: 1 })
  const second = await startController(tree, { nodeId: 2 })
  await until(first, () => first.metadata.image.brokers.size === 2)
  await first.controller.createTopics([newTopic('t', { assignments: [{ partitionIndex: 0, brokerIds: [1, 2] }] })], NOW)
  // Broker 1 drops out of the ISR by expiring; then broker 2, alone in sync, goes.
  first.tree.session.expire()
  await until(second, () => second.metadata.image.partition('t', 0)?.leader === 2)
  await until(second, () => second.metadata.image.brokers.size === 2)
  await second[Symbol.asyncDispose]()
  await until(first, () => first.controller.isActive && !first.metadata.image.brokers.has(2))
  assert.deepEqual(first.metadata.image.partition('t', 0)?.isr, [2])
  assert.equal(first.metadata.image.partition('t', 0)?.leader, -1)
  await first.controller.alterConfigs(
    { type: 'topics', name: 't' },
    () => new Map([['unclean.leader.election.enable', 'true']]),
    { validateOnly: false },
  )
  const partition = first.metadata.image.partition('t', 0)
  assert.deepEqual([partition?.leader, partition?.isr, partition?.leaderRecovering], [1, [1], true])
})

test('a controller that is deposed without knowing it writes nothing', async () => {
  await using tree = await newTree()
  await using first = await startController(tree, { nodeId: 1 })
  await using second = await startController(tree, { nodeId: 2 })
  await until(first, () => first.metadata.image.brokers.size === 2)
  // As an operator forces an election: the other is elected, while the first has its session and believes.
  const removal = second.tree.session.multi([deleteNode('/controller')])
  const write = first.controller.createTopics([newTopic('t')], NOW)
  await removal
  const [result] = await write
  await until(second, () => first.controller.isActive || second.controller.isActive)
  const active = first.controller.isActive ? first : second
  // Whether the write came before or after the election, what was answered is what is true.
  assert.equal(active.metadata.image.topics.has('t'), result?.errorCode === ErrorCode.NONE)
  if (result?.errorCode !== ErrorCode.NONE) assert.equal(result?.errorCode, ErrorCode.NOT_CONTROLLER)
})

test('after a lost connection the controller reads again what has become of its writes', async () => {
  const store = new CrashingStore()
  await using tree = await EmbeddedTree.open({ clock: runtime.clock, store })
  await using under = await startController(tree)
  store.isAutomatic = false
  const { commits } = store
  const write = under.controller.createTopics([newTopic('t')], NOW)
  while (store.commits === commits) await new Promise((resolve) => setImmediate(resolve))
  under.tree.session.disconnect()
  assert.equal((await write)[0]?.errorCode, ErrorCode.NOT_CONTROLLER)
  await assert.rejects(under.controller.createTopics([newTopic('u')], NOW), { code: ErrorCode.NOT_CONTROLLER })
  assert.equal(under.metadata.image.topics.has('t'), false)
  store.isAutomatic = true
  store.finishCommit()
  under.tree.session.reconnect()
  await until(under, () => under.controller.isActive)
  assert.equal(under.metadata.image.partition('t', 0)?.leaderEpoch, 0)
  assert.equal((await under.controller.createTopics([newTopic('u')], NOW))[0]?.errorCode, ErrorCode.NONE)
})

test('a tree that cannot store fails the request, and the controller goes on when it can', async () => {
  const store = new CrashingStore()
  await using tree = await EmbeddedTree.open({ clock: runtime.clock, store })
  await using under = await startController(tree)
  store.failure = new Error('ENOSPC: no space left on device')
  const [result] = await under.controller.createTopics([newTopic('t')], NOW)
  assert.equal(result?.errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  assert.match(result?.errorMessage ?? '', /ENOSPC/)
  const { version } = under.metadata.image
  await until(under, () => under.controller.isActive)
  assert.ok(under.metadata.image.version >= version)
  assert.equal(under.metadata.image.topics.has('t'), false)
})

test('a second broker with the same id is refused while the first lives', async () => {
  await using tree = await newTree()
  await using _first = await startController(tree, { nodeId: 1 })
  await using second = await openController(tree, { nodeId: 1 })
  await assert.rejects(second.controller.register(registration(1)), { code: ErrorCode.DUPLICATE_BROKER_REGISTRATION })
})

test('a broker that restarts at once waits for its former session to end', async () => {
  await using tree = await newTree()
  const first = await startController(tree, { nodeId: 1 })
  await using second = await openController(tree, { nodeId: 1 })
  const registering = second.controller.register(registration(1))
  await first[Symbol.asyncDispose]()
  await registering
})
