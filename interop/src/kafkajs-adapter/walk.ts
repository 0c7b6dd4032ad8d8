// A program of KafkaJS that does most of what there is to do, and writes down what it was told. It gets the library, KafkaJS's or ours.
import { setTimeout as delay } from 'node:timers/promises'

/** What is used of it; the types are KafkaJS's, which both have, but neither is a dependency here. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Library = any

/** By step: what came, in the order of the steps. */
export type Told = Map<string, unknown>

/** Of every message: the same with both libraries, and not old enough to be deleted. */
export const timestamp = String(Date.now() - 60_000)

export async function walk(library: Library, brokers: readonly string[]): Promise<Told> {
  const told: Told = new Map()
  const kafka = new library.Kafka({
    clientId: 'walk',
    brokers,
    logLevel: library.logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 50 },
  })
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    told.set(name, await outcomeOf(work))
  }
  const admin = kafka.admin()
  const producer = kafka.producer({ createPartitioner: library.Partitioners.DefaultPartitioner })
  await admin.connect()
  await producer.connect()
  await topics(library, admin, step)
  await sending(library, producer, step)
  await consuming(kafka, step)
  await offsets(admin, step)
  await transactions(kafka, step)
  await groups(admin, step)
  await step('delete topics', () => admin.deleteTopics({ topics: ['walked', 'second'] }))
  await producer.disconnect()
  await admin.disconnect()
  return told
}

type Step = (name: string, work: () => Promise<unknown>) => Promise<void>

/** What it resolves with, or the error as its program sees it. */
async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return (await work()) ?? 'nothing'
  } catch (error) {
    const { name, type, code, retriable, errors } = error as Record<string, unknown>
    const causes = Array.isArray(errors) ? errors.map((one: Record<string, unknown>) => [one['name'], one['type']]) : []
    return { thrown: name, type: type ?? null, code: code ?? null, retriable: retriable ?? null, causes }
  }
}

async function topics(library: Library, admin: Library, step: Step): Promise<void> {
  const walked = { topic: 'walked', numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '-1' }] }
  await step('create topics', () => admin.createTopics({ topics: [walked, { topic: 'second', numPartitions: 1 }] }))
  await step('create topics again', () => admin.createTopics({ topics: [walked] }))
  await step('create a bad topic', () => admin.createTopics({ topics: [{ topic: 'not/good', numPartitions: 1 }] }))
  await step('create topics twice in a request', () => admin.createTopics({ topics: [walked, walked] }))
  await step('create without topics', () => admin.createTopics({ topics: [] }))
  await step('create partitions', () =>
    admin.createPartitions({ topicPartitions: [{ topic: 'second', count: 2 }] }).then(() => null),
  )
  await step('create fewer partitions', () =>
    admin.createPartitions({ topicPartitions: [{ topic: 'second', count: 1 }] }),
  )
  await step('list topics', async () => (await admin.listTopics()).toSorted())
  await step('topic metadata', async () => {
    const { topics: described } = await admin.fetchTopicMetadata({ topics: ['walked'] })
    return described.map(({ name, partitions }: Library) => ({ name, partitions: sorted(partitions, 'partitionId') }))
  })
  await step('metadata of no topic', () => admin.fetchTopicMetadata({ topics: ['none'] }))
  await step('describe cluster', async () => {
    const { brokers, controller } = await admin.describeCluster()
    return { brokers: brokers.map(({ nodeId, host }: Library) => ({ nodeId, host })), controller }
  })
  const { TOPIC } = library.ConfigResourceTypes
  const resource = { type: TOPIC, name: 'walked', configNames: ['retention.ms', 'cleanup.policy'] }
  await step('describe configs', async () => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
    return resources.map(({ configEntries, ...rest }: Library) => ({
      ...rest,
      configEntries: sorted(configEntries, 'configName'),
    }))
  })
  await step('describe configs of no topic', () =>
    admin.describeConfigs({ includeSynonyms: false, resources: [{ type: TOPIC, name: 'none' }] }),
  )
  await step('alter configs', () =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: TOPIC, name: 'walked', configEntries: [{ name: 'retention.ms', value: '86400000' }] }],
    }),
  )
  await step('alter configs badly', () =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: TOPIC, name: 'walked', configEntries: [{ name: 'retention.ms', value: 'soon' }] }],
    }),
  )
}

async function sending(library: Library, producer: Library, step: Step): Promise<void> {
  const send = async (messages: readonly object[], more: object = {}) => {
    const stamped = messages.map((message) => ({ timestamp, ...message }))
    return withoutLogStart(await producer.send({ topic: 'walked', messages: stamped, ...more }))
  }
  await step('send by key', () =>
    send([
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
      { key: 'ä', value: '3' },
    ]),
  )
  await step('send to a partition', () =>
    send([
      { partition: 1, value: Buffer.from([0, 255]) },
      { partition: 1, value: null },
    ]),
  )
  await step('send with headers', () =>
    send([{ key: 'a', value: 'h', headers: { one: '1', many: ['x', Buffer.from('y')], bytes: Buffer.from([7]) } }]),
  )
  await step('send with gzip', () =>
    send([{ key: 'a', value: 'z'.repeat(1000) }], { compression: library.CompressionTypes.GZIP }),
  )
  await step('send with acks 1', () => send([{ key: 'a', value: 'acks' }], { acks: 1 }))
  await step('send a batch', async () =>
    sorted(
      withoutLogStart(
        await producer.sendBatch({
          topicMessages: [
            { topic: 'walked', messages: [{ partition: 2, value: 'batch', timestamp }] },
            { topic: 'second', messages: [{ partition: 0, value: 'batch', timestamp }] },
          ],
        }),
      ),
      'topicName',
    ),
  )
  await step('send without topic', () => producer.send({ messages: [] }))
  await step('send without messages', () => producer.send({ topic: 'walked' }))
  await step('send a message without value', () => producer.send({ topic: 'walked', messages: [{ key: 'a' }] }))
  await step('send too much', () => send([{ key: 'a', value: Buffer.alloc(2_000_000) }]))
  await step('send to a bad partition', () => send([{ partition: 9, value: 'x' }]))
}

async function consuming(kafka: Library, step: Step): Promise<void> {
  const consumer = kafka.consumer({
    groupId: 'walkers',
    maxWaitTimeInMs: 50,
    sessionTimeout: 10_000,
    heartbeatInterval: 500,
  })
  const seen: Library[] = []
  const events = new Set<string>()
  for (const name of ['CONNECT', 'GROUP_JOIN', 'STOP', 'DISCONNECT'])
    consumer.on(consumer.events[name], ({ type }: Library) => events.add(type))
  await consumer.connect()
  await step('subscribe', () => consumer.subscribe({ topics: ['walked', /^sec.*/], fromBeginning: true }))
  await step('seek before run', async () => consumer.seek({ topic: 'walked', partition: 0, offset: '0' }))
  await step('commit before run', () => consumer.commitOffsets([{ topic: 'walked', partition: 0, offset: '0' }]))
  await step('run', () =>
    consumer.run({
      eachMessage: async (payload: Library) => void seen.push(payload),
      partitionsConsumedConcurrently: 2,
    }),
  )
  await step('all messages come', () => until(() => seen.length >= 10))
  await step('messages', async () =>
    sorted(
      seen.map(({ topic, partition, message }) => ({ topic, partition, ...plain(message) })),
      'topic',
      'partition',
      'offset',
    ),
  )
  await step('paused', async () => {
    consumer.pause([{ topic: 'walked', partitions: [1] }, { topic: 'second' }])
    const paused = sorted(consumer.paused(), 'topic').map(({ topic, partitions }: Library) => ({
      topic,
      partitions: partitions.toSorted(),
    }))
    consumer.resume([{ topic: 'walked' }, { topic: 'second' }])
    return [paused, consumer.paused()]
  })
  await step('describe group', async () => {
    const { members, ...group } = await consumer.describeGroup()
    return { ...group, members: members.map(({ clientId }: Library) => clientId) }
  })
  await step('subscribe while running', () => consumer.subscribe({ topics: ['walked'] }))
  await step('seek', async () => {
    const before = seen.length
    consumer.seek({ topic: 'walked', partition: 1, offset: '1' })
    await until(() =>
      seen
        .slice(before)
        .some(({ topic, partition, message }) => topic === 'walked' && partition === 1 && message.offset === '1'),
    )
  })
  await step('seek to nonsense', async () => consumer.seek({ topic: 'walked', partition: 1, offset: 'x' }))
  await step('stop', () => consumer.stop())
  await consumer.disconnect()
  await step('events', async () => [...events])
  const batches = kafka.consumer({ groupId: 'batchers', maxWaitTimeInMs: 50, readUncommitted: false })
  await batches.connect()
  await batches.subscribe({ topic: 'walked', fromBeginning: true })
  const told: Library[] = []
  await batches.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({
      batch,
      resolveOffset,
      commitOffsetsIfNecessary,
      uncommittedOffsets,
      isRunning,
      isStale,
    }: Library) => {
      for (const message of batch.messages) resolveOffset(message.offset)
      told.push({
        topic: batch.topic,
        partition: batch.partition,
        highWatermark: batch.highWatermark,
        first: batch.firstOffset(),
        last: batch.lastOffset(),
        lag: batch.offsetLag(),
        lagLow: batch.offsetLagLow(),
        isEmpty: batch.isEmpty(),
        count: batch.messages.length,
        uncommitted: uncommittedOffsets(),
        running: [isRunning(), isStale()],
      })
      await commitOffsetsIfNecessary(uncommittedOffsets())
    },
  })
  await step('all batches come', () => until(() => told.length >= 2))
  await batches.disconnect()
  await step('batches', async () => sorted(told.map((one) => without(one, 'uncommitted')).slice(0, 3), 'partition'))
}

async function offsets(admin: Library, step: Step): Promise<void> {
  await step('offsets of a topic', async () => sorted(await admin.fetchTopicOffsets('walked'), 'partition'))
  await step('offsets by time', async () =>
    sorted(await admin.fetchTopicOffsetsByTimestamp('walked', Number(timestamp)), 'partition'),
  )
  await step('offsets of a group', async () =>
    fetched(await admin.fetchOffsets({ groupId: 'walkers', topics: ['walked'] })),
  )
  await step('all offsets of a group', async () => fetched(await admin.fetchOffsets({ groupId: 'batchers' })))
  await step('offsets of no group', async () =>
    fetched(await admin.fetchOffsets({ groupId: 'none', topics: ['second'] })),
  )
  await step('resolved offsets of no group', async () =>
    fetched(await admin.fetchOffsets({ groupId: 'none', topics: ['second'], resolveOffsets: true })),
  )
  await step('set offsets', () =>
    admin.setOffsets({ groupId: 'set', topic: 'walked', partitions: [{ partition: 0, offset: '1' }] }),
  )
  await step('offsets that were set', async () =>
    fetched(await admin.fetchOffsets({ groupId: 'set', topics: ['walked'] })),
  )
  await step('reset offsets', () => admin.resetOffsets({ groupId: 'set', topic: 'walked', earliest: true }))
  await step('offsets after reset', async () =>
    fetched(await admin.fetchOffsets({ groupId: 'set', topics: ['walked'] })),
  )
  await step('delete records', () =>
    admin.deleteTopicRecords({ topic: 'walked', partitions: [{ partition: 1, offset: '1' }] }),
  )
  await step('delete too many records', () =>
    admin.deleteTopicRecords({ topic: 'walked', partitions: [{ partition: 1, offset: '99' }] }),
  )
  await step('offsets of no topic', () => admin.fetchTopicOffsets('none'))
}

async function transactions(kafka: Library, step: Step): Promise<void> {
  const producer = kafka.producer({ transactionalId: 'walk', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  await step('transaction', async () => {
    const transaction = await producer.transaction()
    const sent = await transaction.send({ topic: 'second', messages: [{ partition: 1, value: 'tx', timestamp }] })
    await transaction.sendOffsets({
      consumerGroupId: 'in-tx',
      topics: [{ topic: 'second', partitions: [{ partition: 0, offset: '1' }] }],
    })
    const active = transaction.isActive()
    await transaction.commit()
    return { sent: withoutLogStart(sent), active, after: transaction.isActive() }
  })
  await step('transaction twice at a time', async () => {
    const transaction = await producer.transaction()
    try {
      await producer.transaction()
    } finally {
      await transaction.abort()
    }
  })
  await step('send after the end of a transaction', async () => {
    const transaction = await producer.transaction()
    await transaction.abort()
    await transaction.send({ topic: 'second', messages: [{ value: 'late' }] })
  })
  await producer.disconnect()
}

async function groups(admin: Library, step: Step): Promise<void> {
  await step('list groups', async () =>
    sorted((await admin.listGroups()).groups, 'groupId').map(({ groupId }: Library) => groupId),
  )
  await step('describe groups', async () =>
    (await admin.describeGroups(['walkers', 'unheard-of'])).groups.map(
      ({ errorCode, groupId, state, members }: Library) => ({
        errorCode,
        groupId,
        state,
        members: members.length,
      }),
    ),
  )
  await step('delete groups', () => admin.deleteGroups(['set', 'in-tx']))
  await step('delete no group', () => admin.deleteGroups(['set', 'none']))
}

/** Ours is not told where the log begins. */
function withoutLogStart(sent: readonly Library[]): Library[] {
  return sent.map((one) => without(one, 'logStartOffset'))
}

function without(value: Library, name: string): Library {
  return Object.fromEntries(Object.entries(value as object).filter(([own]) => own !== name))
}

/** With texts for bytes. */
function plain(message: Library): Library {
  const shown = (value: Library): Library =>
    Buffer.isBuffer(value)
      ? `bytes ${value.toString('hex').slice(0, 40)}`
      : Array.isArray(value)
        ? value.map(shown)
        : value
  const { key, value, headers, offset, attributes, timestamp: at } = message
  return {
    key: shown(key),
    value: shown(value),
    headers: Object.fromEntries(Object.entries(headers as object).map(([name, one]) => [name, shown(one)])),
    offset,
    attributes,
    timestamp: at,
  }
}

function fetched(answer: readonly Library[]): unknown {
  return sorted(answer, 'topic').map(({ topic, partitions }: Library) => ({
    topic,
    partitions: sorted(partitions, 'partition'),
  }))
}

function sorted(values: readonly Library[], ...names: readonly string[]): Library[] {
  const keyOf = (value: Library) => names.map((name) => String(value[name]).padStart(12, '0')).join(' ')
  return values.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
}

async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('what was waited for did not come')
    await delay(20)
  }
}
