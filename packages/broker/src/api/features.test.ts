/** Features as clients see them: in ApiVersions, and by UpdateFeatures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import { ApiVersions, ErrorCode, UpdateFeatures } from '@millrace/protocol'
import { nodeRuntime } from '@millrace/runtime'
import { RawClient, TestBroker } from '../testing/index.ts'

const client = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }

async function finalized(raw: RawClient): Promise<readonly [epoch: bigint, levels: Record<string, number>]> {
  const { finalizedFeatures, finalizedFeaturesEpoch } = await raw.ask(ApiVersions, 4, client)
  for (const { minVersionLevel, maxVersionLevel } of finalizedFeatures) assert.equal(minVersionLevel, maxVersionLevel)
  return [finalizedFeaturesEpoch, Object.fromEntries(finalizedFeatures.map((one) => [one.name, one.maxVersionLevel]))]
}

function change(feature: string, maxVersionLevel: number, upgradeType = 1, validateOnly = false) {
  return { timeoutMs: 5000, validateOnly, featureUpdates: [{ feature, maxVersionLevel, upgradeType }] }
}

test('a new cluster finalizes the newest levels; supported ranges from 0 are told from version 4 on', async () => {
  await using broker = await TestBroker.start()
  const raw = await broker.connect()
  const v3 = await raw.ask(ApiVersions, 3, client)
  assert.deepEqual(v3.supportedFeatures, [])
  assert.equal(v3.finalizedFeatures.length, 3)
  const v4 = await raw.ask(ApiVersions, 4, client)
  assert.deepEqual(v4.supportedFeatures, [
    { name: 'group.version', minVersion: 0, maxVersion: 1 },
    { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
    { name: 'share.version', minVersion: 0, maxVersion: 1 },
  ])
  assert.deepEqual(await finalized(raw), [0n, { 'group.version': 1, 'transaction.version': 2, 'share.version': 1 }])
})

test('a cluster can begin with lowered levels; a level of 0 is not told', async () => {
  await using broker = await TestBroker.start({ featureLevels: { 'transaction.version': 1, 'share.version': 0 } })
  const raw = await broker.connect()
  assert.deepEqual(await finalized(raw), [0n, { 'group.version': 1, 'transaction.version': 1 }])
})

test('levels are lowered and raised, and survive a restart', async () => {
  await using tree = await EmbeddedTree.open({ clock: nodeRuntime().clock })
  {
    await using broker = await TestBroker.start({ tree })
    const raw = await broker.connect()
    const lowered = await raw.ask(UpdateFeatures, 2, change('transaction.version', 0, 2))
    assert.deepEqual(lowered, { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, results: [] })
    const raised = await raw.ask(UpdateFeatures, 1, change('transaction.version', 1))
    assert.deepEqual(raised.results, [
      { feature: 'transaction.version', errorCode: ErrorCode.NONE, errorMessage: 'NONE' },
    ])
    await raw.ask(UpdateFeatures, 2, change('group.version', 0, 3))
    const dry = await raw.ask(UpdateFeatures, 2, change('share.version', 0, 2, true))
    assert.equal(dry.errorCode, ErrorCode.NONE)
    assert.deepEqual(await finalized(raw), [3n, { 'transaction.version': 1, 'share.version': 1 }])
  }
  await using broker = await TestBroker.start({ tree })
  assert.deepEqual(await finalized(await broker.connect()), [3n, { 'transaction.version': 1, 'share.version': 1 }])
})

test('a refused update changes nothing, and is told of all features at once', async () => {
  await using broker = await TestBroker.start()
  const raw = await broker.connect()
  const before = await finalized(raw)
  const refused = await raw.ask(UpdateFeatures, 1, {
    timeoutMs: 5000,
    featureUpdates: [
      { feature: 'share.version', maxVersionLevel: 0, upgradeType: 2 },
      { feature: 'transaction.version', maxVersionLevel: 1, upgradeType: 1 },
    ],
  })
  assert.equal(refused.errorCode, ErrorCode.INVALID_UPDATE_VERSION)
  assert.equal(
    refused.errorMessage,
    'The update failed for all features since the following feature had an error: Invalid update version 1 for feature ' +
      "transaction.version. Can't downgrade the version of this feature without setting the upgrade type to either safe " +
      'or unsafe downgrade.',
  )
  assert.deepEqual(refused.results, [])
  // Version 0 knows upgrades only, whatever it asks to allow.
  const v0 = await raw.ask(UpdateFeatures, 0, {
    featureUpdates: [{ feature: 'share.version', maxVersionLevel: 0, allowDowngrade: true }],
  })
  assert.equal(v0.errorCode, ErrorCode.INVALID_UPDATE_VERSION)
  assert.deepEqual(await finalized(raw), before)
})
