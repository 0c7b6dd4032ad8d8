import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import {
  applyOperations,
  checkOperations,
  ConfigOperationType,
  validateConfigs,
  type ConfigOperation,
} from './alter-configs.ts'
import { BrokerConfig } from './broker-config.ts'
import { ResourceType, type StoredResourceType } from './config-resources.ts'

const { SET, DELETE, APPEND, SUBTRACT } = ConfigOperationType

function fails(code: number, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof KafkaError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

function after(current: Record<string, string>, ...operations: ConfigOperation[]): Record<string, string> {
  return Object.fromEntries(applyOperations(ResourceType.TOPIC, new Map(Object.entries(current)), operations))
}

function validate(
  type: StoredResourceType,
  name: string,
  configs: Record<string, string>,
  config = BrokerConfig.of(),
): void {
  validateConfigs(config, { type, name }, new Map(Object.entries(configs)))
}

test('set and delete change one setting each', () => {
  assert.deepEqual(
    after(
      { 'retention.ms': '1', 'segment.ms': '2' },
      { name: 'retention.ms', type: SET, value: '3' },
      { name: 'segment.ms', type: DELETE, value: null },
      { name: 'flush.ms', type: DELETE, value: null },
    ),
    { 'retention.ms': '3' },
  )
})

test('append adds what is not there, to the default when nothing is set', () => {
  assert.deepEqual(after({}, { name: 'cleanup.policy', type: APPEND, value: 'compact,delete' }), {
    'cleanup.policy': 'delete,compact',
  })
  assert.deepEqual(
    after(
      { 'leader.replication.throttled.replicas': '' },
      { name: 'leader.replication.throttled.replicas', type: APPEND, value: '0:1' },
    ),
    { 'leader.replication.throttled.replicas': '0:1' },
  )
})

test('subtract takes away what is there', () => {
  assert.deepEqual(
    after({ 'cleanup.policy': 'delete,compact' }, { name: 'cleanup.policy', type: SUBTRACT, value: 'compact,x' }),
    {
      'cleanup.policy': 'delete',
    },
  )
  assert.deepEqual(after({}, { name: 'cleanup.policy', type: SUBTRACT, value: 'delete' }), { 'cleanup.policy': '' })
})

test('what is no list cannot be appended to', () => {
  fails(ErrorCode.INVALID_CONFIG, /Can't APPEND to key retention.ms because its type is not LIST/, () =>
    after({}, { name: 'retention.ms', type: APPEND, value: '1' }),
  )
  fails(ErrorCode.INVALID_CONFIG, /Can't SUBTRACT to key made.up/, () =>
    after({}, { name: 'made.up', type: SUBTRACT, value: '1' }),
  )
  fails(ErrorCode.INVALID_REQUEST, /Unknown operations type 9/, () =>
    after({}, { name: 'retention.ms', type: 9, value: '1' }),
  )
})

test('a key given twice and a missing value are refused', () => {
  fails(ErrorCode.INVALID_REQUEST, /duplicate config keys/, () =>
    checkOperations([
      { name: 'a', type: SET, value: '1' },
      { name: 'a', type: DELETE, value: null },
    ]),
  )
  fails(ErrorCode.INVALID_REQUEST, /Null value not supported for : a, b/, () =>
    checkOperations([
      { name: 'a', type: SET, value: null },
      { name: 'b', type: APPEND, value: null },
      { name: 'c', type: DELETE, value: null },
    ]),
  )
})

test('topic settings are checked as Kafka checks them', () => {
  const { TOPIC } = ResourceType
  validate(TOPIC, 't', { 'retention.ms': '-1', 'cleanup.policy': 'compact,delete', 'min.insync.replicas': '2' })
  validate(TOPIC, 't', { 'cleanup.policy': '' })
  const cases: [Record<string, string>, RegExp][] = [
    [{ 'made.up': '1' }, /^Unknown topic config name: made.up$/],
    [{ 'retention.ms': 'x' }, /^Invalid value x for configuration retention.ms: Not a number of type LONG$/],
    [{ 'retention.ms': '-2' }, /^Invalid value -2 for configuration retention.ms: Value must be at least -1$/],
    [{ 'segment.bytes': '1000' }, /Value must be at least 1048576/],
    [{ 'cleanup.policy': 'sometimes' }, /String must be one of: compact, delete/],
    [{ 'compression.type': 'rar' }, /String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer/],
    [{ 'min.compaction.lag.ms': '9', 'max.compaction.lag.ms': '8' }, /conflict topic config setting/],
    [{ 'remote.storage.enable': 'true' }, /Tiered Storage functionality is disabled in the broker/],
    [{ 'leader.replication.throttled.replicas': 'x'.repeat(40_000) }, /maximum value size/],
  ]
  for (const [configs, message] of cases) fails(ErrorCode.INVALID_CONFIG, message, () => validate(TOPIC, 't', configs))
  fails(ErrorCode.INVALID_REQUEST, /Default topic resources are not allowed/, () => validate(TOPIC, '', {}))
})

test('broker settings are refused where they cannot change', () => {
  const { BROKER } = ResourceType
  validate(BROKER, '', { 'message.max.bytes': '1000', 'made.up': 'x' })
  validate(BROKER, '1', { 'listener.name.a.ssl.keystore.location': '/x', 'leader.replication.throttled.rate': '1' })
  const cases: [string, Record<string, string>, RegExp][] = [
    ['1', { 'num.partitions': '3' }, /^Cannot update these configs dynamically: \[num.partitions\]$/],
    ['1', { 'ssl.keystore.location': '/x' }, /only per-listener using the listener prefix: \[ssl.keystore.location\]/],
    ['', { listeners: 'PLAINTEXT://:1' }, /Cannot update these configs at default cluster level, broker id must be/],
    ['', { 'listener.name.a.ssl.keystore.location': '/x' }, /at default cluster level/],
    [
      '1',
      { 'message.max.bytes': 'x' },
      /Invalid value x for configuration message.max.bytes: Not a number of type INT/,
    ],
    ['1', { 'num.io.threads': '3' }, /value should be at least half the current value 8/],
    ['1', { 'num.io.threads': '17' }, /value should not be greater than double the current value 8/],
    ['1', { 'log.cleaner.threads': '1000' }, /at least 1MB per cleaner thread/],
    ['', { 'log.cleaner.threads': '0' }, /^Log cleaner threads should be at least 1$/],
    [
      '',
      { 'log.cleaner.threads': '3' },
      /^Log cleaner threads cannot be increased to more than double the current value 1$/,
    ],
    ['x', {}, /Node id must be an integer, but it is: x/],
  ]
  for (const [name, configs, message] of cases)
    fails(ErrorCode.INVALID_REQUEST, message, () => validate(BROKER, name, configs))
})

test('group settings stay within the broker’s bounds', () => {
  const { GROUP } = ResourceType
  validate(GROUP, 'g', { 'consumer.session.timeout.ms': '50000' })
  const cases: [Record<string, string>, RegExp][] = [
    [{ 'made.up': '1' }, /Unknown group config name: made.up/],
    [
      { 'consumer.session.timeout.ms': '1000' },
      /must be greater than or equal to group.consumer.min.session.timeout.ms/,
    ],
    [{ 'share.delivery.count.limit': '11' }, /must be less than or equal to group.share.max.delivery.count.limit/],
    [{ 'share.auto.offset.reset': 'never' }, /Value must be earliest, latest or by_duration/],
    [{ 'streams.num.standby.replicas': '3' }, /less than or equal to group.streams.max.standby.replicas/],
  ]
  for (const [configs, message] of cases) fails(ErrorCode.INVALID_CONFIG, message, () => validate(GROUP, 'g', configs))
})

test('client metrics subscriptions are checked', () => {
  const { CLIENT_METRICS } = ResourceType
  validate(CLIENT_METRICS, 's', { metrics: '*', 'interval.ms': '100', match: 'client_id=a.*,client_software_name=x' })
  fails(ErrorCode.INVALID_REQUEST, /Unknown client metrics configuration: x/, () =>
    validate(CLIENT_METRICS, 's', { x: '1' }),
  )
  fails(ErrorCode.INVALID_REQUEST, /interval must be between/, () =>
    validate(CLIENT_METRICS, 's', { 'interval.ms': '99' }),
  )
  for (const match of ['client_id', 'color=blue', 'client_id=['])
    fails(ErrorCode.INVALID_CONFIG, /Illegal client matching pattern/, () => validate(CLIENT_METRICS, 's', { match }))
})
