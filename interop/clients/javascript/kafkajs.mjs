// kafkajs driven by the interop runner: producer and admin. Its consumer needs a group: kafkajs-groups.mjs.
import kafkajs from 'kafkajs'
import lz4 from 'lz4-napi'
import snappy from 'snappy'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { serve, unpack } from './jobs.mjs'
import { groupHandlers } from './kafkajs-groups.mjs'
import { transactionHandlers } from './kafkajs-transactions.mjs'

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, Partitioners, logLevel } = kafkajs

// kafkajs brings gzip only; the other codecs are plugged in, as its users do.
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: async (encoder) => snappy.compress(encoder.buffer),
  decompress: async (buffer) => snappy.uncompress(buffer),
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: async (buffer) => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => zstdCompressSync(encoder.buffer, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
  decompress: async (buffer) => zstdDecompressSync(buffer),
})
const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const kafka = new Kafka({
  clientId: 'interop-kafkajs',
  brokers: [process.argv[2]],
  logLevel: logLevel.NOTHING,
  retry: { retries: 3 },
})
const admin = kafka.admin()
let connected
const ready = () => (connected ??= admin.connect())

/** Headers as kafkajs takes them: one value or an array of values under each name. */
function headersOf(record) {
  const headers = {}
  for (const { name, value } of record.headers) {
    const bytes = unpack(value)
    if (headers[name] === undefined) headers[name] = bytes
    else headers[name] = [headers[name], bytes].flat()
  }
  return headers
}

/** Modes: `acks1`, `acks0`, `idempotent`; otherwise acks=-1. */
async function produce(job) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: job.mode === 'auto-create',
    idempotent: job.mode === 'idempotent',
  })
  await producer.connect()
  try {
    const [sent] = await producer.send({
      topic: job.topic,
      acks: { acks1: 1, acks0: 0 }[job.mode] ?? -1,
      compression: codecs[job.codec],
      messages: job.records.map((record) => ({
        partition: job.partition,
        key: unpack(record.key),
        value: unpack(record.value),
        timestamp: String(record.timestamp),
        headers: headersOf(record),
      })),
    })
    return { offsets: sent === undefined ? null : [Number(sent.baseOffset)] }
  } finally {
    await producer.disconnect()
  }
}

async function offsets(job) {
  const of = (listed) => listed.find(({ partition }) => partition === job.partition)
  if (job.at >= 0) return Number(of(await admin.fetchTopicOffsetsByTimestamp(job.topic, job.at)).offset)
  const { low, high } = of(await admin.fetchTopicOffsets(job.topic))
  return Number(job.at === -2 ? low : high)
}

const onceReady = (use) => async (job) => {
  await ready()
  return use(job)
}

await serve(
  {
    ...groupHandlers(kafka),
    ...transactionHandlers(kafka),
    produce,
    offsets: onceReady(offsets),
    createTopic: onceReady(async (job) => {
      const configEntries = Object.entries(job.set ?? {}).map(([name, value]) => ({ name, value }))
      const created = await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic: job.topic, numPartitions: job.partitions, replicationFactor: 1, configEntries }],
      })
      // createTopics answers false, not an error, when the topic exists.
      if (!created) throw Object.assign(new Error('the topic exists'), { code: 36 })
    }),
    listTopics: onceReady(() => admin.listTopics()),
    describeTopic: onceReady(
      async (job) => (await admin.fetchTopicMetadata({ topics: [job.topic] })).topics[0].partitions.length,
    ),
    createPartitions: onceReady(async (job) => {
      await admin.createPartitions({ topicPartitions: [{ topic: job.topic, count: job.partitions }] })
    }),
    describeConfigs: onceReady(async (job) => {
      const resources = [{ type: ConfigResourceTypes.TOPIC, name: job.topic }]
      const described = await admin.describeConfigs({ includeSynonyms: true, resources })
      return Object.fromEntries(
        described.resources[0].configEntries.map((entry) => [entry.configName, entry.configValue]),
      )
    }),
    // AlterConfigs, not the incremental form: what is not named goes back to its default.
    replaceConfigs: onceReady(async (job) => {
      const configEntries = Object.entries(job.set).map(([name, value]) => ({ name, value }))
      await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: job.topic, configEntries }] })
    }),
    deleteRecords: onceReady(async (job) => {
      await admin.deleteTopicRecords({
        topic: job.topic,
        partitions: [{ partition: job.partition, offset: String(job.offset) }],
      })
      return null
    }),
    deleteTopic: onceReady((job) => admin.deleteTopics({ topics: [job.topic] })),
    describeCluster: onceReady(async () => {
      const { brokers, controller } = await admin.describeCluster()
      return { brokers: brokers.length, controller }
    }),
  },
  (error) => error?.code ?? error?.cause?.code ?? error?.errors?.[0]?.code,
)
