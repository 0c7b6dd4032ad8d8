import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerConfig } from './broker-config.ts'
import { brokerConfigs, type BrokerConfigName } from './broker-configs.ts'
import type { ConfigDefinition } from './config-definition.ts'
import { ConfigError } from './config-error.ts'
import { parseConfig } from './config-value.ts'
import { parseOverride, parseProperties } from './properties.ts'
import { defaultLogConfig } from '@millrace/storage'
import { topicLogConfig } from './topic-configs.ts'

function problemsOf(values: Record<string, string | number>): readonly string[] {
  try {
    BrokerConfig.of(values)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems
  }
}

function fromText(text: string): BrokerConfig {
  return BrokerConfig.from(parseProperties(text, 'server.properties'))
}

test('every default passes its own check and reads back from its text', () => {
  for (const [name, definition] of Object.entries(brokerConfigs) as [string, ConfigDefinition][]) {
    if (definition.defaultText === null) continue
    const parsed = parseConfig(name, definition, definition.defaultText)
    assert.equal(parsed.problem, null, name)
    assert.deepEqual(parsed.value, definition.default, name)
    assert.equal(parsed.text, definition.defaultText, name)
  }
})

test('a broker without settings has Kafka’s defaults, typed', () => {
  const config = BrokerConfig.of()
  const partitions: number = config.get('num.partitions')
  const policy: readonly string[] = config.get('log.cleanup.policy')
  const rack: string | null = config.get('broker.rack')
  assert.deepEqual([partitions, policy, rack], [1, ['delete'], null])
  assert.equal(config.get('log.flush.interval.messages'), Number.MAX_SAFE_INTEGER)
  assert.equal(config.text('log.flush.interval.messages'), '9223372036854775807')
  assert.equal(config.nodeId, 1)
  assert.deepEqual(config.warnings, [])
  assert.deepEqual(topicLogConfig(config, new Map()), defaultLogConfig)
})

test('the finest unit that is set wins', () => {
  const logConfig = (text: string): ReturnType<typeof topicLogConfig> => topicLogConfig(fromText(text), new Map())
  assert.equal(logConfig('log.retention.hours=1').retentionMs, 3_600_000)
  assert.equal(logConfig('log.retention.hours=1\nlog.retention.minutes=2').retentionMs, 120_000)
  assert.equal(logConfig('log.retention.ms=3\nlog.retention.minutes=2').retentionMs, 3)
  assert.equal(logConfig('log.retention.minutes=-5').retentionMs, -1)
  assert.equal(logConfig('log.roll.hours=2').segmentMs, 7_200_000)
  assert.equal(logConfig('log.roll.ms=2\nlog.roll.hours=2').segmentMs, 2)
  assert.equal(logConfig('log.roll.jitter.hours=1').segmentJitterMs, 3_600_000)
  assert.equal(logConfig('log.flush.scheduler.interval.ms=7').flushMs, 7)
  assert.equal(logConfig('log.flush.scheduler.interval.ms=7\nlog.flush.interval.ms=8').flushMs, 8)
})

test('all that is wrong is told at once, with name, value, expectation and place', () => {
  assert.throws(
    () => fromText('num.partitions=0\n\nlog.roll.hours=x\nfetch.max.bytes=1'),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(error.problems, [
        'Invalid value 0 for configuration num.partitions: Value must be at least 1 (server.properties line 1)',
        'Invalid value x for configuration log.roll.hours: Not a number of type INT (server.properties line 3)',
        'Invalid value 1 for configuration fetch.max.bytes: Value must be at least 1024 (server.properties line 4)',
      ])
      return true
    },
  )
})

test('settings that contradict each other are refused', () => {
  const cases: [Record<string, string | number>, RegExp][] = [
    [{ 'log.roll.ms': 0 }, /log.roll.ms must be greater than or equal to 1/],
    [{ 'log.retention.ms': 0 }, /log.retention.ms must be unlimited/],
    [{ 'replica.fetch.wait.max.ms': 40_000 }, /replica.socket.timeout.ms should always be at least/],
    [{ 'queued.max.request.bytes': 1000 }, /must be larger or equal to socket.request.max.bytes/],
    [{ 'max.connections.per.ip': 0 }, /max.connections.per.ip can be set to zero only if/],
    [{ 'max.connections.per.ip.overrides': 'a b:1' }, /contains invalid addresses : a b/],
    [{ 'max.connections.per.ip.overrides': '127.0.0.1:x' }, /x is not a number of connections/],
    [{ 'log.cleaner.threads': 1000 }, /at least 1MB per cleaner thread/],
    [{ 'node.id': 1, 'broker.id': 2 }, /node.id and broker.id are both set and differ/],
    [{ 'cordoned.log.dirs': '/nowhere' }, /Missing entries : \/nowhere/],
    [{ 'group.consumer.session.timeout.ms': 100_000 }, /group.consumer.max.session.timeout.ms must be greater/],
    [{ 'zookeeper.connect': 'localhost:2181' }, /ZooKeeper ensemble is not supported yet/],
    [{ 'authorizer.class.name': 'org.example.Authorizer' }, /authorizers are not supported yet/],
    [{ 'remote.log.storage.system.enable': 'true' }, /tiered storage is not supported yet/],
    [{ 'leader.replication.throttled.rate': 1 }, /can only be set while the broker runs/],
  ]
  for (const [values, expected] of cases) assert.match(problemsOf(values).join('\n'), expected)
})

test('node.id and broker.id stand for each other', () => {
  assert.equal(fromText('broker.id=7').nodeId, 7)
  assert.equal(fromText('node.id=7').get('broker.id'), 7)
})

test('what has no effect is named in one warning of its kind', () => {
  const properties = parseProperties(
    'process.roles=broker\nnum.partition=3\nsasl.enabled.mechanisms=PLAIN\ninter.broker.protocol.version=3.9\nnum.io.threads=99',
    'server.properties',
  )
  const [name, property] = parseOverride('made.up=1')
  properties.set(name, property)
  assert.deepEqual(BrokerConfig.from(properties).warnings, [
    'unknown properties: num.partition (server.properties line 2; did you mean num.partitions?), made.up (--override)',
    'not supported yet and without effect: sasl.enabled.mechanisms',
    'without effect, as Millrace has no KRaft quorum: process.roles',
    'without effect since Kafka 4: inter.broker.protocol.version',
  ])
})

test('a property set to its default is no reason to warn', () => {
  assert.deepEqual(BrokerConfig.of({ 'sasl.enabled.mechanisms': 'GSSAPI' }).warnings, [])
})

test('dynamic settings lie over the static ones, this broker’s over the cluster’s', () => {
  const config = BrokerConfig.of({ 'message.max.bytes': 10, 'log.retention.ms': 1000 })
  const seen: number[] = []
  const stop = config.onChange((changed) => seen.push(changed.get('message.max.bytes')))
  assert.deepEqual(config.setDynamic(new Map([['message.max.bytes', '20']]), new Map()), [])
  config.setDynamic(new Map([['message.max.bytes', '20']]), new Map([['message.max.bytes', '30']]))
  config.setDynamic(new Map([['message.max.bytes', '20']]), new Map([['message.max.bytes', '30']]))
  config.setDynamic(new Map(), new Map())
  stop()
  config.setDynamic(new Map([['message.max.bytes', '20']]), new Map())
  assert.deepEqual(seen, [20, 30, 10])
})

test('a setting that can only be set while running is read then', () => {
  const config = BrokerConfig.of()
  const name = 'replica.alter.log.dirs.io.max.bytes.per.second'
  assert.equal(config.get(name), Number.MAX_SAFE_INTEGER)
  config.setDynamic(new Map([[name, '1000']]), new Map())
  assert.equal(config.get(name), 1000)
})

test('a dynamic setting takes the place of its synonyms', () => {
  const config = BrokerConfig.of({ 'log.roll.ms': 1000 })
  // Only log.roll.ms is dynamic; set for this broker it takes the place of whatever the cluster says.
  config.setDynamic(new Map([['log.roll.ms', '2000']]), new Map([['log.roll.ms', '3000']]))
  assert.equal(topicLogConfig(config, new Map()).segmentMs, 3000)
})

test('dynamic settings that cannot apply are left out with a warning, the others apply', () => {
  const config = BrokerConfig.of()
  const warnings = config.setDynamic(
    new Map([
      ['message.max.bytes', 'x'],
      ['min.insync.replicas', '2'],
    ]),
    new Map([['num.partitions', '5']]),
  )
  assert.equal(warnings.length, 2)
  assert.equal(config.get('min.insync.replicas'), 2)
  assert.equal(config.get('num.partitions'), 1)
  assert.match(config.setDynamic(new Map([['log.cleaner.threads', '1000']]), new Map()).join(), /at least 1MB/)
  assert.equal(config.get('min.insync.replicas'), 2, 'what was applied stays')
})

test('passwords have a definition under their listener’s prefix', () => {
  const config = BrokerConfig.of({ 'listener.name.internal.ssl.key.password': 'secret' })
  assert.deepEqual(config.warnings, ['not supported yet and without effect: listener.name.internal.ssl.key.password'])
})

test('names are those of Kafka 4.3.1', () => {
  const names = Object.keys(brokerConfigs) as BrokerConfigName[]
  assert.equal(names.filter((name) => !name.startsWith('millrace.')).length, 363)
})

test('an assignor of share groups that cannot be loaded is refused', () => {
  assert.deepEqual(problemsOf({ 'group.share.assignors': 'simple' }), [])
  assert.match(problemsOf({ 'group.share.assignors': 'com.example.Mine' }).join(), /group\.share\.assignors/)
})
