import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerConfig } from './broker-config.ts'
import {
  ConfigSource,
  describeBroker,
  describeClientMetrics,
  describeClusterDefaults,
  describeGroup,
  describeTopic,
  type DescribedConfig,
} from './describe-configs.ts'

function named(configs: readonly DescribedConfig[], name: string): DescribedConfig {
  const found = configs.find((config) => config.name === name)
  assert.ok(found, `${name} is not described`)
  return found
}

test('a topic’s settings come with their sources in the order in which they apply', () => {
  const config = BrokerConfig.of({ 'message.max.bytes': 2000 })
  config.setDynamic(new Map([['message.max.bytes', '3000']]), new Map([['message.max.bytes', '4000']]))
  const described = named(describeTopic(config, new Map([['max.message.bytes', '5000']])), 'max.message.bytes')
  assert.deepEqual(described, {
    name: 'max.message.bytes',
    value: '5000',
    readOnly: false,
    configSource: ConfigSource.TOPIC,
    isSensitive: false,
    synonyms: [
      { name: 'max.message.bytes', value: '5000', source: ConfigSource.TOPIC },
      { name: 'message.max.bytes', value: '4000', source: ConfigSource.DYNAMIC_BROKER },
      { name: 'message.max.bytes', value: '3000', source: ConfigSource.DYNAMIC_DEFAULT_BROKER },
      { name: 'message.max.bytes', value: '2000', source: ConfigSource.STATIC_BROKER },
      { name: 'message.max.bytes', value: '1048588', source: ConfigSource.DEFAULT },
    ],
    configType: 3,
    documentation: described.documentation,
  })
  assert.equal(named(describeTopic(config, new Map()), 'max.message.bytes').value, '4000')
})

test('a topic has all of Kafka’s settings, as Kafka shows them', () => {
  const described = describeTopic(BrokerConfig.of(), new Map())
  assert.equal(described.length, 33)
  const values = Object.fromEntries(described.map(({ name, value }) => [name, value]))
  assert.equal(values['flush.messages'], '9223372036854775807')
  assert.equal(values['flush.ms'], '9223372036854775807')
  assert.equal(values['retention.ms'], '604800000')
  assert.equal(values['min.cleanable.dirty.ratio'], '0.5')
  assert.equal(values['leader.replication.throttled.replicas'], '')
  assert.ok(described.every(({ configSource }) => configSource === ConfigSource.DEFAULT))
  assert.ok(!described.some(({ name }) => name === 'internal.segment.bytes'))
})

test('hours of the broker are milliseconds of the topic', () => {
  const described = named(describeTopic(BrokerConfig.of({ 'log.retention.hours': 2 }), new Map()), 'retention.ms')
  assert.equal(described.value, '7200000')
  assert.deepEqual(described.synonyms[0], {
    name: 'log.retention.hours',
    value: '2',
    source: ConfigSource.STATIC_BROKER,
  })
})

test('a broker’s settings say whether they can change while it runs', () => {
  const configs = describeBroker(BrokerConfig.of({ 'log.retention.hours': 1 }))
  assert.equal(named(configs, 'num.partitions').readOnly, true)
  assert.equal(named(configs, 'message.max.bytes').readOnly, false)
  assert.equal(named(configs, 'log.retention.hours').configSource, ConfigSource.STATIC_BROKER)
  const ms = named(configs, 'log.retention.ms')
  assert.deepEqual([ms.value, ms.configSource, ms.synonyms], [null, ConfigSource.DEFAULT, []])
  assert.equal(named(configs, 'broker.id').value, '1')
  assert.ok(!configs.some(({ name }) => name === 'leader.replication.throttled.rate'))
  assert.deepEqual(
    configs.map(({ name }) => name),
    configs.map(({ name }) => name).toSorted(),
  )
})

test('secrets and what nobody knows are never shown', () => {
  const config = BrokerConfig.of({ 'ssl.key.password': 'hunter2', 'made.up.password': 'hunter2' })
  config.setDynamic(new Map(), new Map([['listener.name.a.ssl.key.password', 'hunter2']]))
  const configs = describeBroker(config)
  for (const name of ['ssl.key.password', 'made.up.password', 'listener.name.a.ssl.key.password']) {
    const { value, isSensitive, synonyms } = named(configs, name)
    assert.deepEqual([value, isSensitive], [null, true], name)
    assert.ok(synonyms.length > 0)
  }
  assert.doesNotMatch(JSON.stringify(configs), /hunter2/)
})

test('the default of all brokers shows only what is set there', () => {
  const config = BrokerConfig.of({ 'message.max.bytes': 2000 })
  assert.deepEqual(describeClusterDefaults(config), [])
  config.setDynamic(new Map([['message.max.bytes', '3000']]), new Map([['message.max.bytes', '4000']]))
  const [only, ...others] = describeClusterDefaults(config)
  assert.equal(others.length, 0)
  assert.equal(only?.value, '3000')
  assert.deepEqual(only?.synonyms, [
    { name: 'message.max.bytes', value: '3000', source: ConfigSource.DYNAMIC_DEFAULT_BROKER },
  ])
})

test('throttles are shown once they are set', () => {
  const config = BrokerConfig.of()
  config.setDynamic(new Map(), new Map([['leader.replication.throttled.rate', '1000']]))
  assert.equal(named(describeBroker(config), 'leader.replication.throttled.rate').value, '1000')
})

test('groups and client metrics subscriptions are described', () => {
  const group = describeGroup(BrokerConfig.of(), new Map([['consumer.session.timeout.ms', '50000']]))
  assert.equal(group.length, 17)
  assert.equal(named(group, 'consumer.session.timeout.ms').configSource, ConfigSource.GROUP)
  assert.equal(named(group, 'share.heartbeat.interval.ms').value, '5000')
  const metrics = describeClientMetrics(new Map([['metrics', '*']]))
  assert.deepEqual(
    metrics.map(({ name, value }) => [name, value]),
    [
      ['interval.ms', '300000'],
      ['match', ''],
      ['metrics', '*'],
    ],
  )
})
