import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { settled } from './partial-failure.ts'
import { adminOf } from './testing/admin-of.ts'

test('configs are set, extended, reduced and taken back, and others stay as they are', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't', configs: { 'retention.ms': 1, 'cleanup.policy': 'compact' } }])
  const topic = { type: 'TOPIC', name: 't' } as const
  await admin.incrementalAlterConfigs([
    { ...topic, set: { 'segment.bytes': 1_048_576 }, append: { 'cleanup.policy': 'delete' }, delete: ['retention.ms'] },
  ])
  const [described] = await admin.describeConfigs([topic])
  assert.equal(described.configs['segment.bytes']?.value, '1048576')
  assert.equal(described.configs['segment.bytes'].source, 'DYNAMIC_TOPIC_CONFIG')
  assert.equal(described.configs['segment.bytes'].type, 'INT')
  assert.equal(described.configs['cleanup.policy']?.value, 'compact,delete')
  assert.equal(described.configs['retention.ms']?.isDefault, true)
  await admin.incrementalAlterConfigs([{ ...topic, subtract: { 'cleanup.policy': ['compact'] } }])
  const [after] = await admin.describeConfigs([topic], { includeSynonyms: true, includeDocumentation: true })
  assert.equal(after.configs['cleanup.policy']?.value, 'delete')
  assert.deepEqual(after.configs['segment.bytes']?.synonyms[0], {
    name: 'segment.bytes',
    value: '1048576',
    source: 'DYNAMIC_TOPIC_CONFIG',
  })
  assert.notEqual(after.configs['segment.bytes'].documentation, null)
})

test('each resource has its own outcome, and validateOnly changes nothing', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  await admin.incrementalAlterConfigs([{ type: 'TOPIC', name: 't', set: { 'retention.ms': 7 } }], {
    validateOnly: true,
  })
  const [topic, missing, broker] = await settled(
    admin.describeConfigs([
      { type: 'TOPIC', name: 't' },
      { type: 'TOPIC', name: 'missing' },
      { type: 'BROKER', name: '1' },
    ]),
  )
  assert.equal(topic.status === 'fulfilled' && topic.value.configs['retention.ms']?.value, '604800000')
  assert.equal(missing.status === 'rejected' && missing.reason.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(broker.status === 'fulfilled' && broker.value.configs['broker.id']?.value, '1')
  assert.equal(broker.status === 'fulfilled' && broker.value.configs['broker.id']?.isReadOnly, true)
  await assert.rejects(admin.incrementalAlterConfigs([{ type: 'TOPIC', name: 't', set: { 'no.such.config': 1 } }]), {
    code: ErrorCode.INVALID_CONFIG,
  })
  await assert.rejects(admin.describeConfigs([{ type: 'BROKER', name: 'one' }]), TypeError)
})

test('resources with configs are listed', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  await admin.incrementalAlterConfigs([{ type: 'GROUP', name: 'g', set: { 'consumer.session.timeout.ms': 50_000 } }])
  assert.deepEqual(await admin.listConfigResources(['GROUP']), [{ type: 'GROUP', name: 'g' }])
  assert.ok((await admin.listConfigResources()).some(({ type, name }) => type === 'TOPIC' && name === 't'))
})
