import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deleteNode, setNode } from '@millrace/coordination'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { FeaturesImage, newestLevels, SUPPORTED_FEATURES } from '../metadata/features.ts'
import { applyDelta, emptyImage } from '../metadata/metadata-delta.ts'
import type { LevelRange } from '../metadata/features.ts'
import type { SharedImage } from '../metadata/image.ts'
import { newTree, startController } from './testing/controller-under-test.ts'
import { planLevels, UpgradeType } from './update-features.ts'
import { encode, encodeFeatures, featuresPath } from './znodes.ts'

const { UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE } = UpgradeType

function imageOf(
  levels: Record<string, number>,
  brokerFeatures: ReadonlyMap<string, LevelRange> = SUPPORTED_FEATURES,
): SharedImage {
  const broker = { id: 2, epoch: 1n, rack: null, endpoints: new Map(), fenced: false, features: brokerFeatures }
  return applyDelta(emptyImage(), {
    features: new FeaturesImage(3, new Map(Object.entries(levels))),
    brokers: new Map([[2, broker]]),
  })
}

function update(feature: string, maxVersionLevel: number, upgradeType: number) {
  return { feature, maxVersionLevel, upgradeType }
}

const NEED_DOWNGRADE =
  "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."

const cases: readonly [feature: string, level: number, upgradeType: number, problem: string | null][] = [
  ['group.version', 1, UPGRADE, null],
  ['transaction.version', 1, UPGRADE, null],
  ['transaction.version', 2, UPGRADE, null],
  ['transaction.version', 0, UPGRADE, NEED_DOWNGRADE],
  ['transaction.version', 0, SAFE_DOWNGRADE, null],
  ['transaction.version', 0, UNSAFE_DOWNGRADE, null],
  ['transaction.version', 1, SAFE_DOWNGRADE, null],
  ['transaction.version', 2, SAFE_DOWNGRADE, "Can't downgrade to a newer version."],
  ['transaction.version', 2, UNSAFE_DOWNGRADE, "Can't downgrade to a newer version."],
  ['transaction.version', 3, UPGRADE, 'Local controller 1 only supports versions 0-2'],
  ['transaction.version', -1, SAFE_DOWNGRADE, 'A feature version cannot be less than 0.'],
  ['transaction.version', 2, 0, 'The controller does not support the given upgrade type.'],
  ['transaction.version', 2, 4, 'The controller does not support the given upgrade type.'],
  ['metadata.version', 30, UPGRADE, 'Local controller 1 does not support this feature.'],
  ['no.such.feature', 1, UPGRADE, 'Local controller 1 does not support this feature.'],
  ['share.version', 0, UPGRADE, null],
]

for (const [feature, level, upgradeType, problem] of cases) {
  const verdict = problem === null ? 'is allowed' : 'is refused'
  test(`${feature} to ${level} by upgrade type ${upgradeType} ${verdict} at transaction.version 1`, () => {
    const plan = (): ReadonlyMap<string, number> =>
      planLevels([update(feature, level, upgradeType)], imageOf({ 'transaction.version': 1 }), 1)
    if (problem === null) {
      const expected = new Map([['transaction.version', 1]]).set(feature, level)
      if (level === 0) expected.delete(feature)
      assert.deepEqual(plan(), expected)
      return
    }
    assert.throws(plan, (error) => {
      assert.ok(error instanceof KafkaError && error.code === ErrorCode.INVALID_UPDATE_VERSION)
      assert.equal(error.message, `Invalid update version ${level} for feature ${feature}. ${problem}`)
      return true
    })
  })
}

test('a level that one broker does not support is refused', () => {
  const older = imageOf({}, new Map([['transaction.version', { min: 0, max: 1 }]]))
  assert.throws(() => planLevels([update('transaction.version', 2, UPGRADE)], older, 1), {
    message: 'Invalid update version 2 for feature transaction.version. Broker 2 only supports versions 0-1',
  })
  assert.throws(() => planLevels([update('share.version', 1, UPGRADE)], older, 1), {
    message: 'Invalid update version 1 for feature share.version. Broker 2 does not support this feature.',
  })
})

test('one refusal refuses all; a feature named twice takes its last level', () => {
  const image = imageOf({ 'group.version': 1 })
  const good = update('group.version', 0, SAFE_DOWNGRADE)
  assert.throws(() => planLevels([good, update('share.version', 9, UPGRADE)], image, 1))
  assert.deepEqual(planLevels([good, update('group.version', 1, UPGRADE)], image, 1), image.features.levels)
  assert.equal(planLevels([], image, 1), image.features.levels)
})

test('a change is durable, has a new epoch, and is told to those who follow the metadata', async () => {
  await using tree = await newTree()
  {
    await using first = await startController(tree)
    const { controller, metadata } = first
    const { features } = metadata.image
    assert.deepEqual(Object.fromEntries(features.levels), {
      'group.version': 1,
      'transaction.version': 2,
      'share.version': 1,
    })
    const epochs: number[] = []
    metadata.onChange((image, delta) => {
      assert.equal(delta.features, image.features)
      epochs.push(image.features.epoch)
    })
    await controller.updateFeatures([update('transaction.version', 1, SAFE_DOWNGRADE)], { validateOnly: true })
    await controller.updateFeatures([update('transaction.version', 2, UPGRADE)], { validateOnly: false })
    assert.deepEqual(epochs, [])
    // Two at once: the second builds on the first before it is durable.
    await Promise.all([
      controller.updateFeatures([update('transaction.version', 1, SAFE_DOWNGRADE)], { validateOnly: false }),
      controller.updateFeatures([update('share.version', 0, UNSAFE_DOWNGRADE)], { validateOnly: false }),
    ])
    assert.deepEqual(epochs, [features.epoch + 1, features.epoch + 2])
    assert.equal(metadata.image.features.level('transaction.version'), 1)
    assert.equal(metadata.image.features.level('share.version'), 0)
  }
  await using second = await startController(tree)
  const { features } = second.metadata.image
  assert.deepEqual(
    [features.epoch, Object.fromEntries(features.levels)],
    [2, { 'group.version': 1, 'transaction.version': 1 }],
  )
})

test('a new cluster gets the levels it is to begin with, and one from before features the newest', async () => {
  await using tree = await newTree()
  const initialLevels = new Map([['group.version', 1]])
  {
    await using started = await startController(tree, { initialLevels })
    assert.deepEqual(started.metadata.image.features.levels, initialLevels)
  }
  {
    await using session = await tree.connect()
    await session.multi([deleteNode(featuresPath)])
  }
  await using started = await startController(tree)
  assert.deepEqual(started.metadata.image.features.levels, newestLevels())
})

test('a broker does not start in a cluster with a level it does not know', async () => {
  await using tree = await newTree()
  await using first = await startController(tree)
  await first[Symbol.asyncDispose]()
  await using session = await tree.connect()
  for (const [levels, message] of [
    [new Map([['share.version', 2]]), /has finalized share.version at level 2, and this broker supports levels 0 to 1/],
    [new Map([['new.version', 1]]), /has finalized new.version at level 1, and this broker does not know it/],
  ] as const) {
    await session.multi([setNode(featuresPath, encodeFeatures(levels))])
    await assert.rejects(startController(tree), message)
  }
  await session.multi([setNode(featuresPath, encode({ version: 2, status: 0, features: {} }))])
  await using third = await startController(tree)
  assert.equal(third.metadata.image.features.level('share.version'), 0)
})
