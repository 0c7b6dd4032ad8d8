/**
 * Random operations, several at once, with crashes of the process between and during them, against a model that only counts. What was
 * acknowledged must be there afterwards; what was under way is there or not, but whole; and the tree needs no repair that the controller
 * does not make by itself.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import { CrashingStore } from '@millrace/coordination/testing'
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import fc from 'fast-check'
import { readCluster } from './read-cluster.ts'
import { newTopic, NOW, runtime, startController } from './testing/controller-under-test.ts'
import type { ControllerUnderTest } from './testing/controller-under-test.ts'

const NAMES = ['a', 'b', 'c', 'd']

interface TopicModel {
  readonly partitions: number
  readonly setting: string | null
}

/** null: there is no such topic. */
type State = TopicModel | null

interface Step {
  readonly name: string
  readonly kind: 'create' | 'delete' | 'extend' | 'configure'
  readonly size: number
}

const step: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom(...NAMES),
    fc.constantFrom('create' as const, 'create' as const, 'delete' as const, 'extend' as const, 'configure' as const),
    // Now and then more than one transaction can hold.
    fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 4 }) }, { weight: 1, arbitrary: fc.constant(700) }),
  )
  .map(([name, kind, size]) => ({ name, kind, size }))

/** Steps of a round go on at the same time, each on a topic of its own. */
const round = fc
  .tuple(
    fc.uniqueArray(step, { selector: ({ name }) => name, minLength: 1, maxLength: 4 }),
    fc.option(fc.record({ afterCommits: fc.integer({ min: 0, max: 3 }), commitHappens: fc.boolean() })),
  )
  .map(([steps, crash]) => ({ steps, crash }))

test('a controller that crashes at any moment comes back with what it had acknowledged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 8 }), async (rounds) => {
      let store = new CrashingStore()
      let { tree, under } = await open(store)
      const model = new Map<string, State>(NAMES.map((name) => [name, null]))
      let epoch = 0
      for (const { steps, crash } of rounds) {
        const possible = new Map([...model].map(([name, state]): [string, State[]] => [name, [state]]))
        if (crash !== null) store.isAutomatic = false
        const running = steps.map(async (one) => {
          const before = model.get(one.name) ?? null
          const after = outcomeOf(one, before)
          possible.set(one.name, [before, after])
          if (await perform(under, one, before)) possible.set(one.name, [after])
        })
        if (crash === null) {
          await Promise.all(running)
        } else {
          for (let n = 0; n < crash.afterCommits; n++) {
            await turns(3)
            store.finishCommit()
          }
          await turns(3)
          store = store.crash(crash.commitHappens)
          ;({ tree, under } = await open(store))
        }
        for (const name of NAMES) {
          const found = stateOf(under, name)
          assert.ok(
            (possible.get(name) ?? []).some((state) => JSON.stringify(state) === JSON.stringify(found)),
            `${name}: found ${JSON.stringify(found)}, expected one of ${JSON.stringify(possible.get(name))}`,
          )
          model.set(name, found)
        }
        epoch = await assertInStep(under, epoch)
      }
      await under[Symbol.asyncDispose]()
      await tree[Symbol.asyncDispose]()
    }),
    { numRuns: 25 },
  )
})

async function open(store: CrashingStore): Promise<{ tree: EmbeddedTree; under: ControllerUnderTest }> {
  // Every multi is stored by itself, so that a crash can fall between the transactions of one operation.
  const tree = await EmbeddedTree.open({ clock: runtime.clock, store, maxBatchOperations: 1 })
  return { tree, under: await startController(tree) }
}

function outcomeOf({ kind, size }: Step, before: State): State {
  switch (kind) {
    case 'create':
      return before ?? { partitions: size, setting: size > 2 ? 'on' : null }
    case 'delete':
      return null
    case 'extend':
      return before && { ...before, partitions: before.partitions + size }
    case 'configure':
      return before && { ...before, setting: before.setting === null ? 'on' : null }
  }
}

/** Whether it was acknowledged. Never settles when the process crashes first. */
async function perform(
  { controller }: ControllerUnderTest,
  { name, kind, size }: Step,
  before: State,
): Promise<boolean> {
  switch (kind) {
    case 'create': {
      const configs = size > 2 ? [{ name: 'setting', value: 'on' }] : []
      const [created] = await controller.createTopics([newTopic(name, { numPartitions: size, configs })], NOW)
      assert.equal(created?.errorCode, before === null ? ErrorCode.NONE : ErrorCode.TOPIC_ALREADY_EXISTS)
      return true
    }
    case 'delete': {
      const [deleted] = await controller.deleteTopics([{ name, topicId: ZERO_UUID }], NOW)
      assert.equal(deleted?.errorCode, before === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE)
      return true
    }
    case 'extend': {
      const count = (before?.partitions ?? 0) + size
      const [extended] = await controller.createPartitions([{ name, count, assignments: null }], NOW)
      assert.equal(extended?.errorCode, before === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE)
      return true
    }
    case 'configure': {
      const toggle = (current: ReadonlyMap<string, string>): Map<string, string> =>
        new Map(current.has('setting') ? [] : [['setting', 'on']])
      const altered = controller.alterConfigs({ type: 'topics', name }, toggle, { validateOnly: false })
      if (before === null) await assert.rejects(altered, { code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION })
      else await altered
      return true
    }
  }
}

function stateOf({ metadata }: ControllerUnderTest, name: string): State {
  const topic = metadata.image.topics.get(name)
  if (topic === undefined) return null
  return { partitions: topic.partitions.length, setting: metadata.image.configs('topics', name).get('setting') ?? null }
}

/** The image is what the tree says, and the tree is whole. Returns the controller's epoch, which never falls. */
async function assertInStep({ metadata, tree }: ControllerUnderTest, lastEpoch: number): Promise<number> {
  const { image } = metadata
  const state = await readCluster(tree.session, runtime.random)
  assert.deepEqual(state.repairs, [])
  assert.deepEqual(state.suspects, new Map())
  assert.deepEqual(state.topics, new Map(image.topics))
  assert.deepEqual(state.configs, new Map(image.configEntities))
  for (const { partitions } of image.topics.values())
    for (const { leader, isr, replicas } of partitions) assert.deepEqual([leader, isr, replicas], [1, [1], [1]])
  const epoch = Number(Buffer.from((await tree.session.get('/controller_epoch')).data).toString())
  assert.ok(epoch >= lastEpoch)
  return epoch
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}
