/** Each API is answered in each version it is advertised in: a field that a version lacks must not break the answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  AlterConfigs,
  AlterReplicaLogDirs,
  AlterShareGroupOffsets,
  apiByKey,
  ApiVersions,
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  CreatePartitions,
  CreateTopics,
  DeleteGroups,
  DeleteRecords,
  DeleteShareGroupOffsets,
  DeleteShareGroupState,
  DeleteTopics,
  DescribeCluster,
  DescribeConfigs,
  DescribeGroups,
  DescribeLogDirs,
  DescribeProducers,
  DescribeShareGroupOffsets,
  DescribeTopicPartitions,
  DescribeTransactions,
  EndTxn,
  Fetch,
  FindCoordinator,
  Heartbeat,
  IncrementalAlterConfigs,
  InitializeShareGroupState,
  InitProducerId,
  JoinGroup,
  LeaveGroup,
  ListConfigResources,
  ListGroups,
  ListOffsets,
  ListTransactions,
  Metadata,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  OffsetForLeaderEpoch,
  Produce,
  ReadShareGroupState,
  ReadShareGroupStateSummary,
  ShareAcknowledge,
  ShareFetch,
  ShareGroupDescribe,
  ShareGroupHeartbeat,
  SyncGroup,
  TxnOffsetCommit,
  UpdateFeatures,
  WriteShareGroupState,
  WriteTxnMarkers,
  ZERO_UUID,
  type Api,
} from '@millrace/protocol'
import { batchOf, TestBroker } from '../testing/index.ts'

const timeoutMs = 5000
const unknownId = 'abcdefghijklmnopqrstuA'

interface Known {
  readonly version: number
  readonly topicId: string
}

const producer = { producerId: 7n, producerEpoch: 0 }

/** A request that succeeds where possible, and one that fails in every part: errors are answers too. */
const requests = new Map<Api, (known: Known) => object[]>([
  [
    AddOffsetsToTxn as Api,
    () => ['none', ''].map((transactionalId) => ({ transactionalId, ...producer, groupId: 'g' })),
  ],
  [
    AddPartitionsToTxn as Api,
    ({ version }) =>
      [0, 9].map((partition) => {
        const topics = [{ name: 't', partitions: [partition] }]
        return version >= 4
          ? {
              transactions: [true, false].map((verifyOnly) => ({
                transactionalId: 'x',
                ...producer,
                verifyOnly,
                topics,
              })),
            }
          : {
              v3AndBelowTransactionalId: 'none',
              v3AndBelowProducerId: producer.producerId,
              v3AndBelowProducerEpoch: producer.producerEpoch,
              v3AndBelowTopics: topics,
            }
      }),
  ],
  [
    AlterConfigs as Api,
    () =>
      ['t', 'none'].map((resourceName) => ({
        resources: [{ resourceType: 2, resourceName, configs: [] }],
        validateOnly: false,
      })),
  ],
  [AlterReplicaLogDirs as Api, () => [{ dirs: [{ path: '/none', topics: [{ name: 't', partitions: [0] }] }] }]],
  [ApiVersions as Api, () => [{ clientSoftwareName: 'test', clientSoftwareVersion: '1' }]],
  [ConsumerGroupDescribe as Api, () => [{ groupIds: ['consumers', 'g', ''], includeAuthorizedOperations: true }]],
  [
    ConsumerGroupHeartbeat as Api,
    ({ version }) =>
      [0, 0, 7, -1].map((memberEpoch, index) => ({
        groupId: 'consumers',
        memberId: 'm',
        memberEpoch,
        rebalanceTimeoutMs: 60_000,
        subscribedTopicNames: ['t', 'none'],
        ...(version >= 1 && index === 1 ? { subscribedTopicRegex: 't.*' } : {}),
        topicPartitions: [],
      })),
  ],
  [
    CreatePartitions as Api,
    () =>
      ['t', 'none'].map((name) => ({ topics: [{ name, count: 9, assignments: null }], timeoutMs, validateOnly: true })),
  ],
  [
    CreateTopics as Api,
    ({ version }) =>
      [`new-${version}`, 't'].map((name) => ({
        topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs,
      })),
  ],
  [DeleteGroups as Api, () => [{ groupsNames: ['g', 'none'] }]],
  [
    DeleteRecords as Api,
    () =>
      [0, 9].map((partitionIndex) => ({
        topics: [{ name: 't', partitions: [{ partitionIndex, offset: -1n }] }],
        timeoutMs,
      })),
  ],
  [
    DeleteTopics as Api,
    ({ version }) => [
      version >= 6
        ? {
            topics: [
              { name: 'none', topicId: ZERO_UUID },
              { name: null, topicId: unknownId },
            ],
            timeoutMs,
          }
        : { topicNames: ['none'], timeoutMs },
    ],
  ],
  [DescribeCluster as Api, () => [{ includeClusterAuthorizedOperations: true }]],
  [
    DescribeConfigs as Api,
    ({ version }) =>
      [
        [2, 't'],
        [2, 'none'],
        [4, '1'],
        [8, '1'],
        [32, 'group'],
      ].map(([resourceType, resourceName]) => ({
        resources: [{ resourceType, resourceName, configurationKeys: null }],
        ...(version >= 1 ? { includeSynonyms: true } : {}),
        ...(version >= 3 ? { includeDocumentation: true } : {}),
      })),
  ],
  [DescribeGroups as Api, () => [{ groups: ['g', 'none', 'simple'] }]],
  [DescribeLogDirs as Api, () => [{ topics: null }, { topics: [{ topic: 't', partitions: [0, 9] }] }]],
  [DescribeProducers as Api, () => [{ topics: [{ name: 't', partitionIndexes: [0, 9] }] }]],
  [DescribeTopicPartitions as Api, () => [{ topics: [{ name: 't' }, { name: 'none' }] }]],
  [DescribeTransactions as Api, () => [{ transactionalIds: ['none', ''] }]],
  [EndTxn as Api, () => ['none', ''].map((transactionalId) => ({ transactionalId, ...producer, committed: true }))],
  [
    Fetch as Api,
    ({ version, topicId }) =>
      [0n, 99n].map((fetchOffset) => ({
        maxWaitMs: 0,
        minBytes: 1,
        ...(version >= 7 ? { sessionId: 0, sessionEpoch: 0, forgottenTopicsData: [] } : {}),
        topics: [
          {
            ...(version >= 13 ? { topicId } : { topic: 't' }),
            partitions: [0, 9].map((partition) => ({ partition, fetchOffset, partitionMaxBytes: 1000 })),
          },
        ],
      })),
  ],
  [
    FindCoordinator as Api,
    ({ version }) =>
      version < 4
        ? [{ key: 'g' }, { key: 'g', ...(version > 0 ? { keyType: 2 } : {}) }]
        : [0, 2].map((keyType) => ({ keyType, coordinatorKeys: ['g', `g:${ZERO_UUID}:0`] })),
  ],
  [Heartbeat as Api, () => ['g', ''].map((groupId) => ({ groupId, generationId: 1, memberId: 'm' }))],
  [
    IncrementalAlterConfigs as Api,
    () =>
      [
        [2, 't', 'retention.ms'],
        [2, 'none', 'no.such'],
        [4, '', 'log.retention.ms'],
      ].map(([resourceType, resourceName, name]) => ({
        resources: [{ resourceType, resourceName, configs: [{ name, configOperation: 0, value: '1000' }] }],
        validateOnly: true,
      })),
  ],
  [
    InitProducerId as Api,
    () => [null, 'transactional', ''].map((transactionalId) => ({ transactionalId, transactionTimeoutMs: 1000 })),
  ],
  [
    JoinGroup as Api,
    ({ version }) =>
      ['', 'm'].map((memberId) => ({
        // A group of its own: the answer waits for all members.
        groupId: `g-${version}`,
        sessionTimeoutMs: 6000,
        memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
      })),
  ],
  [
    LeaveGroup as Api,
    ({ version }) =>
      ['g', ''].map((groupId) => ({
        groupId,
        ...(version >= 3 ? { members: [{ memberId: 'm' }, { memberId: '' }] } : { memberId: 'm' }),
      })),
  ],
  [ListConfigResources as Api, ({ version }) => [version >= 1 ? { resourceTypes: [] } : {}]],
  [
    ListGroups as Api,
    ({ version }) => [
      version >= 5 ? { statesFilter: ['Empty'], typesFilter: ['classic'] } : version === 4 ? { statesFilter: [] } : {},
    ],
  ],
  [
    ListOffsets as Api,
    ({ version }) =>
      [-1n, -2n, -3n, -4n, -5n, -6n, -7n, 0n, 1n << 60n].map((timestamp) => ({
        replicaId: -1,
        topics: [
          {
            name: 't',
            partitions: [0, 9].map((partitionIndex) => ({
              partitionIndex,
              timestamp,
              ...(version === 0 ? { maxNumOffsets: 5 } : {}),
            })),
          },
        ],
      })),
  ],
  [
    ListTransactions as Api,
    ({ version }) =>
      [['Ongoing'], ['None']].map((stateFilters) => ({
        stateFilters,
        producerIdFilters: [],
        ...(version >= 1 ? { durationFilter: 0n } : {}),
        ...(version >= 2 ? { transactionalIdPattern: 'a.*' } : {}),
      })),
  ],
  [
    Metadata as Api,
    ({ version }) => [{ topics: version === 0 ? [] : null }, { topics: [{ name: 't' }, { name: 'bad name' }] }],
  ],
  [
    OffsetCommit as Api,
    ({ version, topicId }) =>
      ['simple', 'none'].map((groupId) => ({
        groupId,
        memberId: '',
        generationIdOrMemberEpoch: groupId === 'none' ? 5 : -1,
        topics: [
          version >= 10 ? { topicId } : { name: 't' },
          version >= 10 ? { topicId: unknownId } : { name: 'none' },
        ].map((topic) => ({
          ...topic,
          partitions: [0, 9].map((partitionIndex) => ({
            partitionIndex,
            committedOffset: 0n,
            committedMetadata: null,
          })),
        })),
      })),
  ],
  [
    OffsetDelete as Api,
    () =>
      ['simple', ''].map((groupId) => ({
        groupId,
        topics: ['t', 'none'].map((name) => ({ name, partitions: [{ partitionIndex: 0 }, { partitionIndex: 9 }] })),
      })),
  ],
  [
    OffsetFetch as Api,
    ({ version, topicId }) =>
      ['simple', 'none'].flatMap((groupId) =>
        [false, true].map((isAll) => {
          const topics = [
            version >= 10 ? { topicId } : { name: 't' },
            version >= 10 ? { topicId: unknownId } : { name: 'none' },
          ].map((topic) => ({ ...topic, partitionIndexes: [0, 9] }))
          const asked = { groupId, topics: isAll && version >= 2 ? null : topics }
          return version >= 8 ? { groups: [asked], requireStable: true } : asked
        }),
      ),
  ],
  [
    OffsetForLeaderEpoch as Api,
    () => [
      {
        replicaId: -1,
        topics: [{ topic: 't', partitions: [0, 9].map((partition) => ({ partition, leaderEpoch: 0 })) }],
      },
    ],
  ],
  [
    Produce as Api,
    ({ version, topicId }) =>
      [1, 7].map((acks) => ({
        acks,
        timeoutMs,
        topicData: [
          {
            ...(version >= 13 ? { topicId } : { name: 't' }),
            partitionData: [0, 9].map((index) => ({ index, records: batchOf(['a']) })),
          },
        ],
      })),
  ],
  [
    SyncGroup as Api,
    ({ version }) =>
      ['g', ''].map((groupId) => ({
        groupId,
        generationId: 1,
        memberId: 'm',
        ...(version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}),
        assignments: [],
      })),
  ],
  ...[
    InitializeShareGroupState,
    ReadShareGroupState,
    WriteShareGroupState,
    DeleteShareGroupState,
    ReadShareGroupStateSummary,
  ].map((api): [Api, (known: Known) => object[]] => [
    api as unknown as Api,
    ({ topicId }) => [
      {
        groupId: 'g',
        topics: [
          {
            topicId,
            partitions: [0, 9].map((partition) => ({
              partition,
              ...(api === WriteShareGroupState || api === InitializeShareGroupState
                ? { stateEpoch: 0, startOffset: 0n }
                : {}),
              ...(api === InitializeShareGroupState || api === DeleteShareGroupState ? {} : { leaderEpoch: 0 }),
              ...(api === WriteShareGroupState ? { stateBatches: [] } : {}),
            })),
          },
        ],
      },
    ],
  ]),
  [
    ShareAcknowledge as Api,
    ({ topicId }) =>
      [1, -1].map((shareSessionEpoch) => ({
        groupId: 'g',
        memberId: 'm',
        shareSessionEpoch,
        topics: [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }],
      })),
  ],
  [
    ShareGroupHeartbeat as Api,
    () => [
      { groupId: 'g', memberId: 'm', memberEpoch: 0, subscribedTopicNames: ['t'] },
      { groupId: 'g', memberId: 'm', memberEpoch: 7 },
    ],
  ],
  [ShareGroupDescribe as Api, () => [{ groupIds: ['g', 'none'], includeAuthorizedOperations: true }]],
  [
    DescribeShareGroupOffsets as Api,
    () => [
      { groups: [{ groupId: 'g', topics: null }] },
      { groups: [{ groupId: 'g', topics: ['t', 'none'].map((topicName) => ({ topicName, partitions: [0, 9] })) }] },
    ],
  ],
  [
    AlterShareGroupOffsets as Api,
    () => [
      {
        groupId: 'altered',
        topics: ['t', 'none'].map((topicName) => ({ topicName, partitions: [{ partitionIndex: 0, startOffset: 0n }] })),
      },
    ],
  ],
  [
    DeleteShareGroupOffsets as Api,
    () => ['altered', 'none'].map((groupId) => ({ groupId, topics: [{ topicName: 't' }, { topicName: 'none' }] })),
  ],
  [
    ShareFetch as Api,
    ({ topicId }) =>
      [0, 1, 5].map((shareSessionEpoch) => ({
        groupId: 'g',
        memberId: 'm',
        shareSessionEpoch,
        maxWaitMs: 0,
        minBytes: 1,
        maxRecords: 10,
        batchSize: 10,
        topics: [
          { topicId, partitions: [0, 9].map((partitionIndex) => ({ partitionIndex, acknowledgementBatches: [] })) },
        ],
        forgottenTopicsData: [],
      })),
  ],
  [
    TxnOffsetCommit as Api,
    ({ version }) =>
      ['g', ''].map((groupId) => ({
        transactionalId: 'none',
        groupId,
        ...producer,
        ...(version >= 3 ? { memberId: '' } : {}),
        topics: [
          {
            name: 't',
            partitions: [0, 9].map((partitionIndex) => ({
              partitionIndex,
              committedOffset: 1n,
              committedMetadata: null,
            })),
          },
        ],
      })),
  ],
  [
    UpdateFeatures as Api,
    () =>
      [1, 9].map((maxVersionLevel) => ({ timeoutMs, featureUpdates: [{ feature: 'group.version', maxVersionLevel }] })),
  ],
  [
    WriteTxnMarkers as Api,
    () => [
      {
        markers: [true, false].map((transactionResult) => ({
          ...producer,
          transactionResult,
          topics: [{ name: 't', partitionIndexes: [0, 9] }],
          coordinatorEpoch: 0,
        })),
      },
    ],
  ],
])

test('every API is answered in every version that is advertised', async () => {
  await using broker = await TestBroker.start({ configs: { 'group.initial.rebalance.delay.ms': 0 } })
  const client = await broker.connect()
  const { topics } = await client.ask(CreateTopics, 7, {
    topics: [{ name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs,
  })
  const { topicId } = topics[0]!
  const { apiKeys } = await client.ask(ApiVersions, 0, {})
  for (const { apiKey, minVersion, maxVersion } of apiKeys) {
    const api = apiByKey(apiKey)!
    const requestsOf = requests.get(api)
    assert.ok(requestsOf !== undefined, `${api.name} is served and not in this test`)
    for (let version = minVersion; version <= maxVersion; version++)
      for (const request of requestsOf({ version, topicId })) await client.ask(api, version, request as never)
  }
  client.close()
})
