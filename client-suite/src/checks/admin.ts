// What administrators ask of a cluster, and what they change.
import { ErrorCode, KafkaError, serde } from '@millrace/client'
import { eventually, expectEqual, expectTrue } from '@millrace/interop/checking'
import {
  AlterClientQuotas,
  AlterUserScramCredentials,
  CreatePartitions,
  DeleteGroups,
  DescribeCluster,
  DescribeLogDirs,
  DescribeProducers,
  DescribeQuorum,
  ElectLeaders,
  ListOffsets,
  ListTransactions,
  OffsetDelete,
  OffsetFetch,
  UpdateFeatures,
} from '@millrace/protocol'
import { section } from '../check.ts'
import { GroupMember } from '../group-member.ts'
import { numbers } from '../reading.ts'

export const { checks, check } = section('admin')

async function codeOf(work: Promise<unknown>): Promise<number | string> {
  try {
    await work
    return 'done'
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
}

check('topics: create, validate, list, describe, delete', async (bench) => {
  const admin = bench.use(bench.kafka().admin())
  const name = bench.name()
  const replicationFactor = bench.testbed.cluster === null ? 1 : 3
  const topic = { name, numPartitions: 3, replicationFactor, configs: { 'retention.ms': 3_600_000 } }
  await admin.createTopics([topic], { validateOnly: true })
  expectTrue(!(await admin.listTopics()).some((listing) => listing.name === name), 'a topic was created by validation')
  await admin.createTopics([topic])
  expectEqual(await codeOf(admin.createTopics([topic])), ErrorCode.TOPIC_ALREADY_EXISTS, 'creating it again')
  await eventually(async () => {
    expectTrue(
      (await admin.listTopics()).some((listing) => listing.name === name),
      'it is not listed',
    )
    const [description] = await admin.describeTopics([name])
    expectEqual(description.partitions.length, 3, 'partitions')
    expectEqual(description.partitions[0]!.replicas.length, replicationFactor, 'replicas')
  })
  await admin.deleteTopics([name])
  await eventually(async () =>
    expectEqual(await codeOf(admin.describeTopics([name])), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'after deleting it'),
  )
  expectEqual(
    await codeOf(admin.createTopics([{ ...topic, name: 'not/legal' }])),
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    'a bad name',
  )
})

check(
  'partitions can be added',
  async (bench) => {
    const topic = await bench.topic({ partitions: 2 })
    const admin = bench.use(bench.kafka().admin())
    await admin.createPartitions([{ topic, totalCount: 5 }])
    await eventually(async () => {
      const [description] = await admin.describeTopics([topic])
      expectEqual(description.partitions.length, 5, 'partitions')
    })
    expectEqual(
      await codeOf(admin.createPartitions([{ topic, totalCount: 3 }])),
      ErrorCode.INVALID_PARTITIONS,
      'fewer than there are',
    )
  },
  { needs: [{ api: CreatePartitions }] },
)

check('configs: described and changed one by one', async (bench) => {
  const topic = await bench.topic({ configs: { 'retention.ms': '1000000' } })
  const admin = bench.use(bench.kafka().admin())
  const resource = { type: 'TOPIC', name: topic } as const
  const valueOf = async (name: string) => {
    const [description] = await admin.describeConfigs([resource])
    return description.configs[name]?.value
  }
  await admin.incrementalAlterConfigs([{ ...resource, set: { 'segment.bytes': 2_000_000 } }])
  await eventually(async () => expectEqual(await valueOf('segment.bytes'), '2000000', 'what was set'))
  expectEqual(await valueOf('retention.ms'), '1000000', 'what was not touched')
  await admin.incrementalAlterConfigs([{ ...resource, delete: ['retention.ms'] }])
  await eventually(async () => expectEqual(await valueOf('retention.ms'), '604800000', 'what was deleted'))
  expectEqual(await valueOf('segment.bytes'), '2000000', 'what was set before')
  const refusal = await codeOf(admin.incrementalAlterConfigs([{ ...resource, set: { 'retention.ms': 'soon' } }]))
  expectTrue(refusal === ErrorCode.INVALID_CONFIG || refusal === ErrorCode.INVALID_REQUEST, `a bad value: ${refusal}`)
})

check('offsets, and records deleted before one', async (bench) => {
  const topic = await bench.topic()
  const partition = { topic, partition: 0 }
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  const startMs = Date.now() - 1_000_000
  await producer.sendAll(numbers(50).map((value, at) => ({ value, timestamp: startMs + at * 1000 })))
  const admin = bench.use(bench.kafka().admin())
  const offsetOf = async (offset: 'earliest' | 'latest' | { readonly timestamp: number }) => {
    const [listed] = await admin.listOffsets([{ ...partition, offset }])
    return listed.offset === null ? null : Number(listed.offset)
  }
  expectEqual(
    [await offsetOf('earliest'), await offsetOf('latest'), await offsetOf({ timestamp: startMs + 10_500 })],
    [0, 50, 11],
    'offsets',
  )
  const [deleted] = await admin.deleteRecords([{ ...partition, beforeOffset: 20n }])
  expectEqual(Number(deleted.lowWatermark), 20, 'low watermark')
  expectEqual(await offsetOf('earliest'), 20, 'earliest')
  await admin.deleteRecords([{ ...partition, beforeOffset: 'end' }])
  expectEqual(await offsetOf('earliest'), 50, 'earliest after deleting all')
})

check(
  'offset of the newest timestamp',
  async (bench) => {
    const topic = await bench.topic()
    const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
    const now = Date.now()
    for (const agoMs of [5000, 1000, 3000]) await producer.send({ value: 'x', timestamp: now - agoMs })
    const admin = bench.use(bench.kafka().admin())
    const [listed] = await admin.listOffsets([{ topic, partition: 0, offset: 'max-timestamp' }])
    expectEqual([Number(listed.offset), listed.timestamp], [1, now - 1000], 'offset and timestamp')
  },
  { needs: [{ api: ListOffsets, version: 7 }] },
)

check('groups: list, describe, and their members', async (bench) => {
  const topic = await bench.topic({ partitions: 2 })
  const groupId = bench.name()
  const member = new GroupMember(bench, { groupId, topics: [topic] })
  await eventually(async () => expectEqual(member.partitions, [0, 1], 'partitions'), 60_000)
  const admin = bench.use(bench.kafka().admin())
  await eventually(async () => {
    const listing = (await admin.listGroups()).find((group) => group.groupId === groupId)
    expectTrue(listing !== undefined, 'it is not listed')
    const [description] = await admin.describeConsumerGroups([groupId])
    expectEqual(description.state.toLowerCase(), 'stable', 'state')
    expectEqual(description.members.length, 1, 'members')
    expectEqual(description.members[0]!.clientId, 'client-suite', 'client id')
    expectEqual(
      description.members[0]!.assignment.map(({ partition }) => partition).toSorted((a, b) => a - b),
      [0, 1],
      'assignment',
    )
  }, 60_000)
})

check(
  'offsets of a group: read, set, deleted with the group',
  async (bench) => {
    const topic = await bench.topic({ partitions: 2 })
    const groupId = bench.name()
    const admin = bench.use(bench.kafka().admin())
    const partition = (number: number) => ({ topic, partition: number })
    await admin.alterGroupOffsets(groupId, [
      { ...partition(0), offset: 5n, metadata: 'five' },
      { ...partition(1), offset: 7n },
    ])
    const committed = async () => {
      const [group] = await admin.listGroupOffsets([groupId])
      return group.offsets.map((one) => `${one.partition}: ${one.offset} ${one.metadata}`).toSorted()
    }
    expectEqual(await committed(), ['0: 5 five', '1: 7 '], 'offsets')
    if (bench.testbed.missing([{ api: OffsetDelete }]) === null) {
      await admin.deleteGroupOffsets(groupId, [partition(0)])
      expectEqual(await committed(), ['1: 7 '], 'offsets after deleting one')
    }
    await admin.deleteGroups([groupId])
    expectEqual(await committed(), [], 'offsets after deleting the group')
  },
  { needs: [{ api: DeleteGroups }, { api: OffsetFetch, version: 2 }] },
)

check('the cluster', async (bench) => {
  const admin = bench.use(bench.kafka().admin())
  const { brokers, controller, clusterId } = await admin.describeCluster()
  expectEqual(brokers.length, bench.testbed.cluster === null ? 1 : 3, 'brokers')
  expectTrue(controller !== null && clusterId !== null && clusterId.length > 0, 'no controller or cluster id')
  return bench.testbed.missing([{ api: DescribeCluster }]) === null ? 'by DescribeCluster' : 'by Metadata'
})

check(
  'features',
  async (bench) => {
    const admin = bench.use(bench.kafka().admin())
    const features = await admin.describeFeatures()
    expectTrue(Object.keys(features.finalized).length > 0, 'there are none')
  },
  { needs: [{ api: UpdateFeatures, version: 1 }] },
)

check(
  'the quorum of controllers',
  async (bench) => {
    const admin = bench.use(bench.kafka().admin())
    const { voters } = await admin.describeMetadataQuorum()
    expectEqual(voters.length, bench.testbed.cluster === null ? 1 : 3, 'voters')
  },
  { needs: [{ api: DescribeQuorum }] },
)

check(
  'log directories',
  async (bench) => {
    const topic = await bench.topic()
    const producer = bench.use(bench.kafka().producer({ topic }))
    await producer.send({ value: Buffer.alloc(10_000) })
    const admin = bench.use(bench.kafka().admin())
    const { brokers } = await admin.describeCluster()
    const described = await admin.describeLogDirs(brokers.map(({ id }) => id))
    const replicas = described.flatMap(({ logDirs }) => logDirs.flatMap((directory) => directory.replicas))
    const own = replicas.filter((replica) => replica.topic === topic)
    expectEqual(own.length, bench.testbed.cluster === null ? 1 : 3, 'replicas')
    expectTrue(
      own.some(({ sizeBytes }) => sizeBytes > 10_000),
      'no replica has the record',
    )
  },
  { needs: [{ api: DescribeLogDirs }] },
)

check(
  'quotas',
  async (bench) => {
    const admin = bench.use(bench.kafka().admin())
    const entity = { 'client-id': bench.name() }
    await admin.alterClientQuotas([{ entity, set: { producer_byte_rate: 1_000_000 } }])
    await eventually(async () => {
      const found = (await admin.describeClientQuotas()).find(
        (quota) => quota.entity['client-id'] === entity['client-id'],
      )
      expectEqual(found?.quotas, { producer_byte_rate: 1_000_000 }, 'quotas')
    })
    await admin.alterClientQuotas([{ entity, delete: ['producer_byte_rate'] }])
  },
  { needs: [{ api: AlterClientQuotas }] },
)

check(
  'SCRAM credentials',
  async (bench) => {
    const admin = bench.use(bench.kafka().admin())
    const user = bench.name()
    await admin.alterUserScramCredentials([{ user, mechanism: 'SCRAM-SHA-256', password: 'secret' }])
    await eventually(async () => {
      const [found] = await admin.describeUserScramCredentials([user])
      expectEqual(
        found!.credentials.map(({ mechanism }) => mechanism),
        ['SCRAM-SHA-256'],
        'mechanisms',
      )
    })
  },
  { needs: [{ api: AlterUserScramCredentials }] },
)

check(
  'producers of a partition, and transactions',
  async (bench) => {
    const topic = await bench.topic()
    const transactionalId = bench.name()
    const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId }))
    await producer.initTransactions()
    producer.beginTransaction()
    await producer.send({ value: 'x' })
    const admin = bench.use(bench.kafka().admin())
    const [described] = await admin.describeProducers([{ topic, partition: 0 }])
    expectEqual(described.activeProducers.length, 1, 'producers')
    if (bench.testbed.missing([{ api: ListTransactions }]) === null) {
      const listed = (await admin.listTransactions()).find((one) => one.transactionalId === transactionalId)
      expectEqual(listed?.state, 'Ongoing', 'state of the transaction')
      const [transaction] = await admin.describeTransactions([transactionalId])
      expectEqual(transaction.partitions, [{ topic, partition: 0 }], 'partitions of the transaction')
    }
    await producer.commitTransaction()
  },
  { needs: [{ api: DescribeProducers }] },
)

check(
  'leaders: elected, and moved by a reassignment',
  async (bench) => {
    const topic = await bench.topic()
    const admin = bench.use(bench.kafka().admin())
    await admin.alterPartitionReassignments([{ topic, partition: 0, replicas: [2, 3, 1] }])
    await eventually(async () => {
      expectEqual(await admin.listPartitionReassignments([{ topic, partition: 0 }]), [], 'reassignments under way')
      expectEqual((await admin.describeTopics([topic]))[0].partitions[0]!.replicas, [2, 3, 1], 'replicas')
    }, 60_000)
    await admin.electLeaders('PREFERRED', [{ topic, partition: 0 }])
    await eventually(async () => {
      const [description] = await admin.describeTopics([topic])
      expectEqual(description.partitions[0]!.leaderId, 2, 'leader')
    }, 60_000)
  },
  { needs: [{ api: ElectLeaders }], needsCluster: true },
)
