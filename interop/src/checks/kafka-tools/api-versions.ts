import { expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, tool } from './tool.ts'

/** APIs that every client here relies on, with the newest version that Apache Kafka 4.3.1 serves. */
const needed = {
  'Produce(0)': 13,
  'Fetch(1)': 18,
  'ListOffsets(2)': 11,
  'Metadata(3)': 13,
  'ApiVersions(18)': 4,
  'CreateTopics(19)': 7,
  'DeleteTopics(20)': 6,
  'DeleteRecords(21)': 2,
  'InitProducerId(22)': 5,
  'OffsetForLeaderEpoch(23)': 4,
  'DescribeConfigs(32)': 4,
  'AlterConfigs(33)': 2,
  'DescribeLogDirs(35)': 5,
  'CreatePartitions(37)': 3,
  'IncrementalAlterConfigs(44)': 1,
  'DescribeCluster(60)': 2,
  'DescribeProducers(61)': 0,
  'DescribeTopicPartitions(75)': 0,
}

export async function checkApiVersions({ broker, report }: Context): Promise<void> {
  await report.check(kafkaTools, 'kafka-broker-api-versions', async () => {
    const output = await tool('kafka-broker-api-versions', ['--bootstrap-server', broker.bootstrap])
    const ranges = new Map(
      [...output.matchAll(/^\s(\w+\(\d+\)): (\d+)(?: to (\d+))? \[usable/gm)].map(([, name, low, high]) => [
        name,
        Number(high ?? low),
      ]),
    )
    for (const [name, newest] of Object.entries(needed))
      expectTrue(ranges.get(name) === newest, `${name}: expected versions up to ${newest}, got ${ranges.get(name)}`)
    return `${ranges.size} usable APIs`
  })
}
