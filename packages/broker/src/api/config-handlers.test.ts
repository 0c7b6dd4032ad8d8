/** Describing and altering configurations over the wire, against a running broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AlterConfigs,
  CreateTopics,
  DescribeConfigs,
  ErrorCode,
  IncrementalAlterConfigs,
  ListConfigResources,
  Produce,
} from '@millrace/protocol'
import { ConfigOperationType } from '../config/alter-configs.ts'
import { ResourceType } from '../config/config-resources.ts'
import { ConfigSource } from '../config/describe-configs.ts'
import { batchOf, TestBroker, type RawClient } from '../testing/index.ts'

const { TOPIC, BROKER, BROKER_LOGGER, GROUP, CLIENT_METRICS } = ResourceType
const { SET, DELETE, APPEND } = ConfigOperationType

type Operation = [name: string, type: number, value: string | null]

async function brokerWithTopic(): Promise<{ broker: TestBroker; client: RawClient }> {
  const broker = await TestBroker.start()
  const client = await broker.connect()
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const created = await client.ask(CreateTopics, 5, { topics: [topic], timeoutMs: 5_000, validateOnly: false })
  assert.equal(created.topics[0]?.errorCode, ErrorCode.NONE)
  return { broker, client }
}

async function describe(client: RawClient, resourceType: number, resourceName: string, names: string[] | null = null) {
  const { results } = await client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: names }],
    includeSynonyms: true,
    includeDocumentation: true,
  })
  return results[0]!
}

async function alter(
  client: RawClient,
  resourceType: number,
  resourceName: string,
  operations: Operation[],
  validateOnly = false,
): Promise<[code: number, message: string | null]> {
  const configs = operations.map(([name, configOperation, value]) => ({ name, configOperation, value }))
  const resources = [{ resourceType, resourceName, configs }]
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, { resources, validateOnly })
  return [responses[0]!.errorCode, responses[0]!.errorMessage]
}

async function textOf(client: RawClient, type: number, resource: string, name: string): Promise<string | null> {
  return (await describe(client, type, resource, [name])).configs[0]?.value ?? null
}

test('a topic’s settings are altered one by one and as a whole', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  assert.deepEqual(
    await alter(client, TOPIC, 't', [
      ['retention.ms', SET, '5'],
      ['cleanup.policy', APPEND, 'compact'],
    ]),
    [0, null],
  )
  assert.equal((await describe(client, TOPIC, 't', ['retention.ms'])).errorMessage, '')
  assert.equal(await textOf(client, TOPIC, 't', 'retention.ms'), '5')
  assert.equal(await textOf(client, TOPIC, 't', 'cleanup.policy'), 'delete,compact')
  assert.deepEqual(await alter(client, TOPIC, 't', [['retention.ms', DELETE, null]]), [0, null])
  assert.equal(await textOf(client, TOPIC, 't', 'retention.ms'), '604800000')

  const resources = [{ resourceType: TOPIC, resourceName: 't', configs: [{ name: 'flush.ms', value: '9' }] }]
  const replaced = await client.ask(AlterConfigs, 1, { resources, validateOnly: false })
  assert.equal(replaced.responses[0]?.errorCode, ErrorCode.NONE)
  assert.equal(await textOf(client, TOPIC, 't', 'flush.ms'), '9')
  assert.equal(await textOf(client, TOPIC, 't', 'cleanup.policy'), 'delete', 'what is not named is taken away')
  client.close()
})

test('what is only validated changes nothing', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  assert.deepEqual(await alter(client, TOPIC, 't', [['retention.ms', SET, '5']], true), [0, null])
  assert.equal((await alter(client, TOPIC, 't', [['retention.ms', SET, 'x']], true))[0], ErrorCode.INVALID_CONFIG)
  assert.equal(await textOf(client, TOPIC, 't', 'retention.ms'), '604800000')
  client.close()
})

test('refusals carry Kafka’s codes and words', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  const cases: [type: number, resource: string, operations: Operation[], code: number, message: RegExp][] = [
    [TOPIC, 't', [['made.up', SET, '1']], ErrorCode.INVALID_CONFIG, /^Unknown topic config name: made.up$/],
    [
      TOPIC,
      't',
      [['retention.ms', SET, null]],
      ErrorCode.INVALID_REQUEST,
      /Null value not supported for : retention.ms/,
    ],
    [TOPIC, 'none', [['retention.ms', SET, '1']], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, /none/],
    [TOPIC, '', [['retention.ms', SET, '1']], ErrorCode.INVALID_REQUEST, /Default topic resources are not allowed/],
    [TOPIC, 'a b', [['retention.ms', SET, '1']], ErrorCode.INVALID_TOPIC_EXCEPTION, /a b/],
    [
      BROKER,
      '2',
      [['message.max.bytes', SET, '1']],
      ErrorCode.INVALID_REQUEST,
      /Unexpected broker id, expected 1, but received 2/,
    ],
    [BROKER, '1', [['num.partitions', SET, '1']], ErrorCode.INVALID_REQUEST, /Cannot update these configs dynamically/],
    [BROKER_LOGGER, '1', [['root', SET, 'NOPE']], ErrorCode.INVALID_CONFIG, /not a supported log level/],
    [BROKER_LOGGER, '1', [['root', SET, 'INFO']], ErrorCode.INVALID_CONFIG, /Logger root does not exist!/],
    [GROUP, '', [['consumer.session.timeout.ms', SET, '50000']], ErrorCode.INVALID_REQUEST, /Default group resources/],
    [99, 'x', [['a', SET, 'b']], ErrorCode.INVALID_REQUEST, /Unknown resource type 99/],
  ]
  for (const [type, resource, operations, code, message] of cases) {
    const [actual, text] = await alter(client, type, resource, operations)
    assert.equal(actual, code, `${type} ${resource}: ${text}`)
    assert.match(text ?? '', message)
  }
  client.close()
})

test('one resource named twice is refused, the others are not', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  const change = (resourceName: string) => ({
    resourceType: GROUP,
    resourceName,
    configs: [{ name: 'consumer.session.timeout.ms', configOperation: SET, value: '50000' }],
  })
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
    resources: [change('a'), change('b'), change('a')],
    validateOnly: false,
  })
  assert.deepEqual(
    responses.map(({ resourceName, errorCode }) => [resourceName, errorCode]),
    [
      ['a', ErrorCode.INVALID_REQUEST],
      ['b', ErrorCode.NONE],
      ['a', ErrorCode.INVALID_REQUEST],
    ],
  )
  client.close()
})

test('a broker’s dynamic setting takes effect at once, and topics fall back to it', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  const produce = async (): Promise<number> => {
    const records = batchOf(['x'.repeat(5_000)])
    const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
    const { responses } = await client.ask(Produce, 9, { transactionalId: null, acks: -1, timeoutMs: 5_000, topicData })
    return responses[0]!.partitionResponses[0]!.errorCode
  }
  assert.equal(await produce(), ErrorCode.NONE)
  assert.deepEqual(await alter(client, BROKER, '', [['message.max.bytes', SET, '1000']]), [0, null])
  assert.equal(await produce(), ErrorCode.MESSAGE_TOO_LARGE)
  assert.equal(await textOf(client, TOPIC, 't', 'max.message.bytes'), '1000')
  assert.deepEqual(await alter(client, BROKER, '1', [['message.max.bytes', SET, '9000']]), [0, null])
  assert.equal(await produce(), ErrorCode.NONE)
  const [described] = (await describe(client, BROKER, '1', ['message.max.bytes'])).configs
  assert.equal(described?.configSource, ConfigSource.DYNAMIC_BROKER)
  assert.deepEqual(
    described?.synonyms.map(({ source }) => source),
    [ConfigSource.DYNAMIC_BROKER, ConfigSource.DYNAMIC_DEFAULT_BROKER, ConfigSource.DEFAULT],
  )
  client.close()
})

test('descriptions are filtered, and the failure of one resource is its own', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  assert.equal((await describe(client, TOPIC, 't', ['retention.ms', 'none'])).configs.length, 1)
  assert.equal((await describe(client, TOPIC, 't', [])).configs.length, 33, 'an empty list asks for all')
  const cases: [type: number, resource: string, code: number][] = [
    [TOPIC, 'none', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [TOPIC, 'a b', ErrorCode.INVALID_TOPIC_EXCEPTION],
    [BROKER, '2', ErrorCode.INVALID_REQUEST],
    [BROKER, 'x', ErrorCode.INVALID_REQUEST],
    [BROKER_LOGGER, '', ErrorCode.INVALID_REQUEST],
    [BROKER_LOGGER, '1', ErrorCode.NONE],
    [CLIENT_METRICS, '', ErrorCode.INVALID_REQUEST],
    [GROUP, '', ErrorCode.INVALID_REQUEST],
    [GROUP, 'g', ErrorCode.NONE],
    [99, 'x', ErrorCode.INVALID_REQUEST],
  ]
  for (const [type, resource, code] of cases)
    assert.equal((await describe(client, type, resource)).errorCode, code, `${type} ${resource}`)
  client.close()
})

test('resources with configurations are listed', async () => {
  const { broker, client } = await brokerWithTopic()
  await using _ = broker
  await alter(client, CLIENT_METRICS, 'm', [['interval.ms', SET, '1000']])
  await alter(client, GROUP, 'g', [['share.isolation.level', SET, 'read_committed']])
  const old = await client.ask(ListConfigResources, 0, {})
  assert.deepEqual(
    old.configResources.map(({ resourceName }) => resourceName),
    ['m'],
  )
  const all = await client.ask(ListConfigResources, 1, { resourceTypes: [] })
  assert.deepEqual(
    all.configResources.map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`),
    [`${TOPIC} t`, `${BROKER} 1`, `${BROKER_LOGGER} 1`, `${CLIENT_METRICS} m`, `${GROUP} g`],
  )
  const topics = await client.ask(ListConfigResources, 1, { resourceTypes: [TOPIC] })
  assert.equal(topics.configResources.length, 1)
  const unknown = await client.ask(ListConfigResources, 1, { resourceTypes: [77] })
  assert.equal(unknown.errorCode, ErrorCode.UNSUPPORTED_VERSION)
  client.close()
})
