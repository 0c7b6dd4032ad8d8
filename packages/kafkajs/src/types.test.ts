/** What programs of KafkaJS written in TypeScript ask of the compiler. Compiled, not run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  AssignerProtocol,
  ConfigResourceTypes,
  Kafka,
  KafkaJSConnectionClosedError,
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSRequestTimeoutError,
  KafkaJSTopicMetadataNotLoaded,
  ResourcePatternTypes,
  type Assigner,
  type Cluster,
  type ConnectEvent,
  type ConsumerCommitOffsetsEvent,
  type ConsumerConfig,
  type ConsumerEndBatchProcessEvent,
  type DeleteAclResponse,
  type InstrumentationEvent,
  type ISerializer,
  type KafkaConfig,
  type KafkaMessage,
  type MemberAssignment,
  type MemberMetadata,
  type ProducerConfig,
  type RemoveInstrumentationEventListener,
  type RequestEvent,
} from './index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function type<_ extends true>(): void {}

test('events have the types of their names', () => {
  const compiles = (kafka: Kafka) => {
    const consumer = kafka.consumer({ groupId: 'g' })
    const { COMMIT_OFFSETS, END_BATCH_PROCESS, REQUEST } = consumer.events
    const remove = consumer.on(COMMIT_OFFSETS, (event) => {
      type<Equal<typeof event, ConsumerCommitOffsetsEvent>>()
      void event.payload.topics[0]!.partitions[0]!.offset.length
    })
    type<Equal<typeof remove, RemoveInstrumentationEventListener<'consumer.commit_offsets'>>>()
    const ended = (event: ConsumerEndBatchProcessEvent) => event.payload.duration
    consumer.on(END_BATCH_PROCESS, (event) => void ended(event))
    for (const name of [COMMIT_OFFSETS, REQUEST] as const)
      consumer.on(name, (event: InstrumentationEvent<unknown>) => void event.payload)
    const producer = kafka.producer()
    producer.on('producer.connect', (event: ConnectEvent) => void event.timestamp)
    producer.on(producer.events.REQUEST, ({ payload }: RequestEvent) => void payload.broker.length)
    // @ts-expect-error -- an event of consumers.
    producer.on('consumer.crash', () => {})
  }
  assert.equal(typeof compiles, 'function')
})

test('answers and errors have the fields that programs read', () => {
  const compiles = async (kafka: Kafka) => {
    const admin = kafka.admin()
    const filter = {
      resourceType: AclResourceTypes.TOPIC,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    }
    const deleted: DeleteAclResponse = await admin.deleteAcls({ filters: [filter] })
    const message: string | undefined = deleted.filterResponses[0]?.errorMessage
    const configs = await admin.describeConfigs({
      resources: [{ type: ConfigResourceTypes.TOPIC, name: 't' }],
      includeSynonyms: false,
    })
    const value: string | undefined = configs.resources[0]?.configEntries[0]?.configValue
    const [group] = await admin.deleteGroups(['g'])
    const [sent] = await kafka.producer().send({ topic: 't', messages: [] })
    const places: (string | undefined)[] = [sent?.baseOffset, sent?.offset, sent?.logStartOffset, sent?.timestamp]
    return [message, value, group?.error?.type, places]
  }
  assert.equal(typeof compiles, 'function')
  const timeout = new KafkaJSRequestTimeoutError('late', { broker: 'b:1', correlationId: 7, createdAt: 1 })
  assert.deepEqual([timeout.broker, timeout.correlationId, timeout.retriable], ['b:1', 7, true])
  assert.equal(new KafkaJSTopicMetadataNotLoaded('none', { topic: 't' }).topic, 't')
})

test('configurations are put together piece by piece, and tests of programs make messages', () => {
  const compiles = (tls: ConnectionOptions) => {
    const config: KafkaConfig = { brokers: ['b:1'] }
    config.ssl = tls
    config.retry = {}
    config.retry.retries = 3
    config.sasl = { mechanism: 'plain', username: 'u', password: 'p' }
    if (typeof config.brokers !== 'function') config.brokers.push('c:1')
    const consumerConfig: ConsumerConfig = { groupId: 'g' }
    consumerConfig.partitionAssigners = []
    consumerConfig.partitionAssigners.push(({ cluster }: { cluster: Cluster }) => assignerOf(cluster))
    const producerConfig: ProducerConfig = {}
    producerConfig.idempotent = true
    const message: KafkaMessage = { key: null, value: null, timestamp: '0', attributes: 0, offset: '0', size: 0 }
    const textOf = ({ headers }: KafkaMessage): string | undefined => headers?.['a']?.toString()
    return [textOf(message), consumerConfig, producerConfig]
  }
  const assignerOf = (_cluster: Cluster): Assigner => {
    throw new Error('never called')
  }
  assert.equal(typeof compiles, 'function')
})

test('errors are made and read as with KafkaJS', () => {
  const metadata = { topic: 't', partition: 0 }
  assert.equal(new KafkaJSOffsetOutOfRange(new Error('gone'), metadata).partition, 0)
  const exceeded = new KafkaJSNumberOfRetriesExceeded('often', { retryCount: 1, retryTime: 2 })
  const stack: string = exceeded.stack
  assert.match(stack, /Caused by: often/)
  const broker: string = new KafkaJSConnectionError('refused', { broker: 'b:1' }).broker
  assert.equal(broker, 'b:1')
  const cause: string | undefined = new KafkaJSError(new Error('bad'), { cause: new Error('why') }).cause?.message
  assert.equal(cause, 'why')
  assert.equal(new KafkaJSConnectionClosedError('closed', { host: 'b', port: 1 }).broker, 'b:1')
  assert.equal('helpUrl' in new KafkaJSError('bad'), false)
})

test('the protocol of assigners is a pair of serializers', () => {
  const metadata: Pick<ISerializer<MemberMetadata>, 'encode' | 'decode'> = AssignerProtocol.MemberMetadata
  const assignment: ISerializer<MemberAssignment> = AssignerProtocol.MemberAssignment
  const userData = Buffer.from('x')
  assert.deepEqual(metadata.decode(metadata.encode({ version: 0, topics: ['t'], userData })), {
    version: 0,
    topics: ['t'],
    userData,
  })
  assert.equal(assignment.decode(Buffer.alloc(0)), null)
})
