// What our admin does to topics, partitions and their leaders, and what comes of it.
import { ErrorCode, serde, settled, type KafkaError } from '@millrace/client'
import { eventually } from '../checks/eventually.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Effect } from './effect.ts'
import { codeOf, type Stage } from './stage.ts'

export function topicEffects(stage: Stage): readonly Effect[] {
  return [
    { what: 'topics are created as assigned, validated, refused, deleted by name and id', run: () => topics(stage) },
    { what: 'partitions are added as assigned', run: () => morePartitions(stage) },
    { what: 'a reassignment is under way, is listed, and is given up', run: () => reassignment(stage) },
    { what: 'leaders are elected', run: () => elections(stage) },
    { what: 'a leader that stops is asked for no longer', run: () => stoppedLeader(stage) },
  ]
}

async function topics({ admin }: Stage): Promise<void> {
  const [one, two, bad] = await settled(
    admin.createTopics([
      {
        name: 'assigned',
        replicaAssignments: [
          [2, 3],
          [3, 1],
        ],
      },
      { name: 'defaults', configs: { 'segment.bytes': 2_000_000 } },
      { name: 'too-many', replicationFactor: 4 },
    ]),
  )
  expectTrue(one.status === 'fulfilled' && two.status === 'fulfilled', 'they were not created')
  expectEqual(
    bad.status === 'rejected' && (bad.reason as KafkaError).code,
    ErrorCode.INVALID_REPLICATION_FACTOR,
    'too many',
  )
  const [assigned, defaults] = await eventually(() => admin.describeTopics(['assigned', 'defaults']))
  expectEqual(
    assigned.partitions.map(({ replicas }) => replicas),
    [
      [2, 3],
      [3, 1],
    ],
    'replicas',
  )
  expectEqual(defaults.partitions[0]!.replicas.length, 3, 'replicas by default')
  expectEqual(two.status === 'fulfilled' && two.value.configs?.['segment.bytes'], '2000000', 'config')
  expectEqual(await codeOf(admin.createTopics([{ name: 'x', numPartitions: 0 }])), ErrorCode.INVALID_PARTITIONS, 'none')
  await admin.deleteTopics(['defaults', { topicId: assigned.topicId! }])
  expectEqual(
    await codeOf(admin.deleteTopics([{ topicId: assigned.topicId! }])),
    ErrorCode.UNKNOWN_TOPIC_ID,
    'deleting it again',
  )
  await eventually(async () =>
    expectEqual(await codeOf(admin.describeTopics(['defaults'])), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'gone'),
  )
}

async function morePartitions({ admin }: Stage): Promise<void> {
  await admin.createTopics([{ name: 'growing', replicaAssignments: [[1, 2]] }])
  await admin.createPartitions([
    {
      topic: 'growing',
      totalCount: 3,
      assignments: [
        [2, 3],
        [3, 1],
      ],
    },
  ])
  await eventually(async () => {
    const [topic] = await admin.describeTopics(['growing'])
    expectEqual(
      topic.partitions.map(({ replicas }) => replicas),
      [
        [1, 2],
        [2, 3],
        [3, 1],
      ],
      'replicas',
    )
  })
  expectEqual(
    await codeOf(admin.createPartitions([{ topic: 'growing', totalCount: 4, assignments: [[1, 9]] }])),
    ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    'a broker that is not there',
  )
}

async function reassignment({ kafka, admin }: Stage): Promise<void> {
  const at = { topic: 'moving', partition: 0 }
  await admin.createTopics([{ name: 'moving', replicaAssignments: [[1, 2]] }])
  await using producer = kafka.producer({ topic: 'moving', value: serde.bytes })
  for (let i = 0; i < 8; i++) await producer.send({ value: Buffer.alloc(500_000, i) })
  await admin.incrementalAlterConfigs([
    { type: 'TOPIC', name: 'moving', set: { 'follower.replication.throttled.replicas': '*' } },
    { type: 'BROKER', name: '3', set: { 'follower.replication.throttled.rate': 1000 } },
  ])
  // A broker that is late would copy everything before it hears of the limit.
  await eventually(async () => {
    const [broker] = await admin.describeConfigs([{ type: 'BROKER', name: '3' }])
    expectEqual(broker.configs['follower.replication.throttled.rate']?.value, '1000', 'limit')
  })
  await admin.alterPartitionReassignments([{ ...at, replicas: [3, 1] }])
  expectEqual(
    await admin.listPartitionReassignments(),
    [{ ...at, replicas: [3, 1, 2], addingReplicas: [3], removingReplicas: [2] }],
    'under way',
  )
  expectEqual((await admin.listPartitionReassignments([at])).length, 1, 'under way, asked by name')
  expectEqual(
    await codeOf(
      admin.alterPartitionReassignments([{ ...at, replicas: [3] }], { allowReplicationFactorChange: false }),
    ),
    ErrorCode.INVALID_REPLICATION_FACTOR,
    'fewer replicas, which was not allowed',
  )
  await admin.alterPartitionReassignments([{ ...at, replicas: null }])
  expectEqual(await admin.listPartitionReassignments(), [], 'given up')
  const [other, again] = await settled(
    admin.alterPartitionReassignments([
      { topic: 'none', partition: 0, replicas: [1] },
      { ...at, replicas: null },
    ]),
  )
  expectEqual(
    other.status === 'rejected' && (other.reason as KafkaError).code,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    'no topic',
  )
  expectEqual(
    again.status === 'rejected' && (again.reason as KafkaError).code,
    ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
    'again',
  )
  await admin.incrementalAlterConfigs([{ type: 'BROKER', name: '3', delete: ['follower.replication.throttled.rate'] }])
}

async function elections({ admin }: Stage): Promise<void> {
  const at = { topic: 'led', partition: 0 }
  await admin.createTopics([{ name: 'led', replicaAssignments: [[1, 2, 3]] }])
  await admin.alterPartitionReassignments([{ ...at, replicas: [2, 1, 3] }])
  await eventually(async () =>
    expectEqual((await admin.describeTopics(['led']))[0].partitions[0]!.replicas, [2, 1, 3], 'replicas'),
  )
  expectEqual(await admin.electLeaders('PREFERRED', [at]), [{ ...at, elected: true }], 'elected')
  expectEqual(await admin.electLeaders('PREFERRED', [at]), [{ ...at, elected: false }], 'elected again')
  expectEqual(await admin.electLeaders('UNCLEAN', [at]), [{ ...at, elected: false }], 'elected uncleanly')
  expectEqual(
    await codeOf(admin.electLeaders('PREFERRED', [{ topic: 'none', partition: 0 }])),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    'no topic',
  )
  await admin.electLeaders('PREFERRED')
}

async function stoppedLeader({ admin, cluster }: Stage): Promise<void> {
  const at = { topic: 'failing-over', partition: 0 }
  await admin.createTopics([{ name: 'failing-over', replicaAssignments: [[3, 1, 2]] }])
  const latest = { ...at, offset: 'latest' } as const
  await admin.listOffsets([latest])
  await cluster.killNode(3)
  const [listed] = await admin.listOffsets([latest])
  expectEqual(listed.leaderEpoch, 1, 'leader epoch')
  await cluster.startNode(3)
  await eventually(async () => {
    const { brokers } = await admin.describeCluster()
    expectEqual(brokers.length, 3, 'brokers')
    expectEqual((await admin.describeTopics(['failing-over']))[0].partitions[0]!.inSyncReplicas.length, 3, 'in sync')
  }, 30_000)
  expectEqual(await admin.electLeaders('PREFERRED', [at]), [{ ...at, elected: true }], 'the first replica leads again')
}
