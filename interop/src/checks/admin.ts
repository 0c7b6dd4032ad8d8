// One walk through a topic's life with each client's own admin interface.
import { ClientError } from '../client-program.ts'
import { corpus } from '../corpus.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import { eventually } from './eventually.ts'
import { toJob, topicPart, type Context, type OpenClient } from './context.ts'

const errorCode = {
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  invalidTopic: 17,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  invalidConfig: 40,
} as const

/** The client must fail; and when it says a code, it is this one. Returns what it said. */
async function expectRefusal(call: Promise<unknown>, code: number): Promise<string> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    if (error.code !== null) expectEqual(error.code, code, 'error code')
    return `refused: ${error.message}`
  }
  throw new Error(`expected error ${code}, but it succeeded`)
}

interface Step {
  readonly operation: string
  readonly what: string
  readonly check: () => Promise<string | void>
}

export async function checkAdmin(context: Context, { client, session }: OpenClient): Promise<void> {
  const topic = `admin-${topicPart(client.name)}`
  const records = corpus(context.corpusStartMs, client.writes.limits)
  const call = (op: string, fields: Record<string, unknown> = {}) =>
    session.call(op, { topic, partition: 0, ...fields })
  const configs = async () => (await call('describeConfigs')) as Record<string, string>
  const has = (operation: string) => client.operations.includes(operation)

  const steps: Step[] = [
    {
      operation: 'createTopic',
      what: 'create a topic with configs',
      check: async () => {
        await call('createTopic', { partitions: 3, set: { 'retention.ms': '7200000', 'cleanup.policy': 'delete' } })
        await eventually(async () => expectEqual(await call('describeTopic'), 3, 'partitions'))
      },
    },
    {
      operation: 'createTopic',
      what: 'create it again; create one with a bad config',
      check: async () => {
        await expectRefusal(call('createTopic', { partitions: 3 }), errorCode.topicAlreadyExists)
        const bad = { topic: `${topic}-bad`, partitions: 1, set: { 'retention.ms': 'soon' } }
        return expectRefusal(call('createTopic', bad), errorCode.invalidConfig)
      },
    },
    {
      operation: 'listTopics',
      what: 'list topics',
      check: async () => {
        const names = (await call('listTopics')) as string[]
        expectTrue(names.includes(topic), `${topic} is not among ${names.length} topics`)
        expectTrue(!names.includes(`${topic}-bad`), 'a refused topic is listed')
        return `${names.length} topics`
      },
    },
    {
      operation: 'describeTopic',
      what: 'describe a topic',
      check: async () => expectEqual(await call('describeTopic'), 3, 'partitions'),
    },
    {
      operation: 'createPartitions',
      what: 'add partitions',
      check: async () => {
        await call('createPartitions', { partitions: 5 })
        await eventually(async () => expectEqual(await call('describeTopic'), 5, 'partitions'))
        return expectRefusal(call('createPartitions', { partitions: 2 }), errorCode.invalidPartitions)
      },
    },
    {
      operation: 'describeConfigs',
      what: 'describe topic configs',
      check: async () => {
        const all = await configs()
        expectEqual(all['retention.ms'], '7200000', 'retention.ms')
        expectEqual(all['cleanup.policy'], 'delete', 'cleanup.policy')
        expectEqual(all['segment.bytes'], '1073741824', 'segment.bytes')
        expectTrue(Object.keys(all).length >= 30, `only ${Object.keys(all).length} configs`)
        return `${Object.keys(all).length} configs`
      },
    },
    {
      operation: 'alterConfigs',
      what: 'set and remove topic configs',
      check: async () => {
        await call('alterConfigs', { set: { 'segment.bytes': '1048576' }, remove: ['retention.ms'] })
        await eventually(async () => {
          const all = await configs()
          expectEqual(all['segment.bytes'], '1048576', 'segment.bytes')
          expectEqual(all['retention.ms'], '604800000', 'retention.ms')
        })
        return expectRefusal(call('alterConfigs', { set: { 'segment.bytes': '-5' } }), errorCode.invalidConfig)
      },
    },
    {
      operation: 'replaceConfigs',
      what: 'replace all topic configs',
      check: async () => {
        await call('replaceConfigs', { set: { 'segment.bytes': '1048576' } })
        await eventually(async () => {
          const all = await configs()
          expectEqual(all['segment.bytes'], '1048576', 'segment.bytes')
          expectEqual(all['retention.ms'], '604800000', 'retention.ms')
        })
      },
    },
    {
      operation: 'offsets',
      what: 'offsets: earliest, latest, by timestamp',
      check: async () => {
        expectEqual(await call('offsets', { at: -1 }), 0, 'latest of an empty partition')
        await call('produce', { codec: 'none', mode: '', records: records.map(toJob) })
        expectEqual(await call('offsets', { at: -2 }), 0, 'earliest')
        expectEqual(await call('offsets', { at: -1 }), records.length, 'latest')
        expectEqual(await call('offsets', { at: records[10]!.timestamp }), 10, 'at the timestamp of record 10')
        expectEqual(await call('offsets', { at: records[10]!.timestamp - 1 }), 10, 'just before record 10')
      },
    },
    {
      operation: 'maxTimestamp',
      what: 'offset of the largest timestamp',
      check: async () => {
        const largest = Math.max(...records.map(({ timestamp }) => timestamp))
        const index = records.findIndex(({ timestamp }) => timestamp === largest)
        expectEqual(await call('offsets', { at: -3 }), index, 'offset')
      },
    },
    {
      operation: 'describeProducers',
      what: 'describe producers',
      check: async () => {
        const count = (await call('describeProducers')) as number
        expectTrue(count <= 1, `${count} producers of a partition that one program wrote`)
        return `${count} idempotent producers`
      },
    },
    {
      operation: 'logDirs',
      what: 'describe log directories',
      check: async () => {
        const size = (await call('logDirs')) as number
        expectTrue(size > 100_000, `the topic's size is ${size} bytes`)
        return `${size} bytes`
      },
    },
    {
      operation: 'deleteRecords',
      what: 'delete records',
      check: async () => {
        const lowWatermark = await call('deleteRecords', { offset: 5 })
        if (typeof lowWatermark === 'number') expectEqual(lowWatermark, 5, 'low watermark')
        expectEqual(await call('offsets', { at: -2 }), 5, 'earliest')
        return expectRefusal(call('deleteRecords', { offset: 1_000_000 }), errorCode.offsetOutOfRange)
      },
    },
    {
      operation: 'describeCluster',
      what: 'describe the cluster',
      check: async () => {
        const { brokers } = (await call('describeCluster')) as { brokers: number }
        expectEqual(brokers, 1, 'brokers')
      },
    },
    {
      operation: 'deleteTopic',
      what: 'delete a topic',
      check: async () => {
        await call('deleteTopic')
        await eventually(async () => {
          const names = (await call('listTopics')) as string[]
          expectTrue(!names.includes(topic), `${topic} is still listed`)
        })
        return expectRefusal(call('deleteTopic'), errorCode.unknownTopicOrPartition)
      },
    },
  ]
  for (const { operation, what, check } of steps) if (has(operation)) await context.report.check(client, what, check)
}
