// @platformatic/kafka driven by the interop runner: producer, admin, and its consumer's groupless `fetch`.
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { pack, serve, unpack } from './jobs.mjs'
import { groupHandlers } from './platformatic-groups.mjs'
import { transactionHandlers } from './platformatic-transactions.mjs'

const base = { clientId: 'interop-platformatic', bootstrapBrokers: [process.argv[2]], strict: true, retries: 1 }
const admin = new Admin(base)
const consumer = new Consumer({ ...base, groupId: 'unused' })
const topicType = 2

/** Modes: `acks1`, `acks0`, `idempotent`; otherwise acks=all. */
async function produce(job) {
  const producer = new Producer({ ...base, idempotent: job.mode === 'idempotent' })
  try {
    const sent = await producer.send({
      acks: { acks1: 1, acks0: 0 }[job.mode] ?? -1,
      compression: job.codec,
      messages: job.records.map((record) => ({
        topic: job.topic,
        partition: job.partition,
        key: unpack(record.key) ?? undefined,
        value: unpack(record.value),
        timestamp: BigInt(record.timestamp),
        headers: new Map(record.headers.map(({ name, value }) => [Buffer.from(name), unpack(value)])),
      })),
    })
    return { offsets: sent.offsets === undefined ? null : [Number(sent.offsets[0].offset)] }
  } finally {
    await producer.close()
  }
}

async function listOffset(job) {
  const topics = [{ name: job.topic, partitions: [{ partitionIndex: job.partition, timestamp: BigInt(job.at) }] }]
  const [topic] = await admin.listOffsets({ topics })
  return Number(topic.partitions[0].offset)
}

async function consume(job) {
  const metadata = await consumer.metadata({ topics: [job.topic], forceUpdate: true })
  const { id, partitions } = metadata.topics.get(job.topic)
  let offset = BigInt(job.offset < 0 ? await listOffset({ ...job, at: job.offset }) : job.offset)
  const deadline = Date.now() + job.timeoutMs
  const records = []
  while (records.length < job.count) {
    if (Date.now() > deadline) throw new Error(`${records.length} of ${job.count} records came in ${job.timeoutMs} ms`)
    const partition = {
      partition: job.partition,
      currentLeaderEpoch: -1,
      fetchOffset: offset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: 1048576,
    }
    const response = await consumer.fetch({
      node: partitions[job.partition].leader,
      maxWaitTime: 100,
      topics: [{ topicId: id, partitions: [partition] }],
    })
    for (const batch of response.responses[0]?.partitions[0]?.records ?? []) {
      for (const record of batch.records) {
        const at = batch.firstOffset + BigInt(record.offsetDelta)
        if (at < offset || records.length === job.count) continue
        records.push({
          offset: Number(at),
          timestamp: Number(batch.firstTimestamp + record.timestampDelta),
          key: pack(record.key),
          value: pack(record.value),
          headers: record.headers.map(([name, value]) => ({ name: String(name), value: pack(value) })),
        })
        offset = at + 1n
      }
    }
  }
  return { records }
}

const changes = (job) => [
  ...Object.entries(job.set ?? {}).map(([name, value]) => ({ name, value, configOperation: 0 })),
  ...(job.remove ?? []).map((name) => ({ name, configOperation: 1 })),
]

function codeOf(error) {
  for (const one of [error, error?.cause, ...(error?.errors ?? [])]) {
    if (one?.apiCode !== undefined) return one.apiCode
    if (one?.errors !== undefined && one !== error) return codeOf(one)
  }
  return undefined
}

await serve(
  {
    ...groupHandlers(base),
    ...transactionHandlers(base),
    produce,
    consume,
    offsets: listOffset,
    createTopic: async (job) => {
      const configs = Object.entries(job.set ?? {}).map(([name, value]) => ({ name, value }))
      await admin.createTopics({ topics: [job.topic], partitions: job.partitions, replicas: 1, configs })
    },
    listTopics: () => admin.listTopics(),
    describeTopic: async (job) =>
      (await admin.metadata({ topics: [job.topic], forceUpdate: true })).topics.get(job.topic).partitionsCount,
    createPartitions: (job) => admin.createPartitions({ topics: [{ name: job.topic, count: job.partitions }] }),
    describeConfigs: async (job) => {
      const resources = [{ resourceType: topicType, resourceName: job.topic, configurationKeys: null }]
      const [described] = await admin.describeConfigs({ resources, includeSynonyms: true, includeDocumentation: true })
      return Object.fromEntries(described.configs.map(({ name, value }) => [name, value]))
    },
    alterConfigs: (job) =>
      admin.incrementalAlterConfigs({
        resources: [{ resourceType: topicType, resourceName: job.topic, configs: changes(job) }],
      }),
    deleteRecords: async (job) => {
      const partitions = [{ partition: job.partition, offset: BigInt(job.offset) }]
      const [topic] = await admin.deleteRecords({ topics: [{ name: job.topic, partitions }] })
      return Number(topic.partitions[0].lowWatermark)
    },
    logDirs: async (job) => {
      const brokers = await admin.describeLogDirs({ topics: [{ name: job.topic, partitions: [0] }] })
      const partitions = brokers.flatMap(({ results }) =>
        results.flatMap(({ topics }) => topics.flatMap((t) => t.partitions)),
      )
      return partitions.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0)
    },
    deleteTopic: (job) => admin.deleteTopics({ topics: [job.topic] }),
    describeCluster: async () => {
      const { brokers, controllerId } = await admin.metadata({ topics: [], forceUpdate: true })
      return { brokers: brokers.size, controller: controllerId }
    },
  },
  codeOf,
)
