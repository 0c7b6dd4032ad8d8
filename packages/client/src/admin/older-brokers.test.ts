/** What becomes of operations when the brokers are older than they are. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  AlterConfigs,
  CreateTopics,
  DescribeAcls,
  DescribeConfigs,
  DescribeGroups,
  ErrorCode,
  FindCoordinator,
  LeaveGroup,
  ListConfigResources,
  ListGroups,
  ListOffsets,
  Metadata,
  OffsetFetch,
  type Request,
} from '@millrace/protocol'
import { answers, ScriptedBroker, type Script } from '../testing/scripted-broker.ts'
import { settled } from './partial-failure.ts'
import { adminAt } from './testing/admin-of.ts'

async function olderBroker(context: TestContext, scripts: readonly Script[]) {
  const broker: ScriptedBroker = await ScriptedBroker.start([
    answers(FindCoordinator, () => ({ errorCode: 0, nodeId: 1, host: '127.0.0.1', port: broker.port }), 1),
    answers(
      Metadata,
      ({ topics }) => ({
        brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
        controllerId: 1,
        clusterId: 'old',
        topics: (topics ?? []).map(({ name }) => ({
          errorCode: name === 'missing' ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE,
          name,
          partitions:
            name === 'missing'
              ? []
              : [1, 0].map((partitionIndex) => ({
                  errorCode: 0,
                  partitionIndex,
                  leaderId: 1,
                  replicaNodes: [1],
                  isrNodes: [1],
                })),
        })),
      }),
      4,
    ),
    ...scripts,
  ])
  context.after(() => broker[Symbol.asyncDispose]())
  return adminAt(context, broker.address).admin
}

const unsupported = (message: RegExp) => ({ code: ErrorCode.UNSUPPORTED_VERSION, message })

test('topics and the cluster are described by Metadata', async (context) => {
  const admin = await olderBroker(context, [])
  const [there, missing] = await settled(admin.describeTopics(['there', 'missing']))
  assert.ok(there.status === 'fulfilled')
  assert.equal(there.value.topicId, null)
  assert.deepEqual(
    there.value.partitions.map(({ partition, leaderEpoch }) => [partition, leaderEpoch]),
    [
      [0, null],
      [1, null],
    ],
  )
  assert.equal(missing.status === 'rejected' && missing.reason.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const { clusterId, controller } = await admin.describeCluster()
  assert.equal(clusterId, 'old')
  assert.equal(controller?.id, 1)
  await assert.rejects(
    admin.describeTopics([{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }]),
    unsupported(/describing topics by their ids .*needs Apache Kafka 3\.1/),
  )
  await assert.rejects(admin.describeCluster({ includeFencedBrokers: true }), { code: ErrorCode.UNSUPPORTED_VERSION })
})

test('a topic without a number of partitions cannot be created, and the error says since when', async (context) => {
  const admin = await olderBroker(context, [
    answers(
      CreateTopics,
      ({ topics }) => ({ topics: topics.map(({ name }) => ({ name, errorCode: 0, errorMessage: null })) }),
      2,
    ),
  ])
  await assert.rejects(
    admin.createTopics([{ name: 't' }]),
    unsupported(/without numPartitions .*needs Apache Kafka 2\.4/),
  )
  const [created] = await admin.createTopics([{ name: 't', numPartitions: 2, replicationFactor: 1 }])
  assert.deepEqual(created, { name: 't', topicId: null, numPartitions: null, replicationFactor: null, configs: null })
})

test('configs are changed by replacing all that are set', async (context) => {
  const requests: Request<typeof AlterConfigs>[] = []
  const config = (name: string, value: string | null, isDefault = false) => ({
    name,
    value,
    readOnly: false,
    isDefault,
    isSensitive: value === null,
  })
  const admin = await olderBroker(context, [
    answers(
      DescribeConfigs,
      ({ resources }) => ({
        throttleTimeMs: 0,
        results: resources.map(({ resourceType, resourceName }) => ({
          errorCode: 0,
          errorMessage: null,
          resourceType,
          resourceName,
          configs: [
            config('retention.ms', '5'),
            config('segment.ms', '6'),
            config('cleanup.policy', 'compact'),
            config('flush.ms', '7', true),
            ...(resourceName === 'secret' ? [config('password', null)] : []),
          ],
        })),
      }),
      0,
    ),
    answers(
      AlterConfigs,
      (request) => {
        requests.push(request)
        return {
          throttleTimeMs: 0,
          responses: request.resources.map(({ resourceType, resourceName }) => ({
            errorCode: 0,
            errorMessage: null,
            resourceType,
            resourceName,
          })),
        }
      },
      0,
    ),
  ])
  const [changed, secret] = await settled(
    admin.incrementalAlterConfigs([
      {
        type: 'TOPIC',
        name: 't',
        set: { 'max.message.bytes': 9 },
        delete: ['segment.ms'],
        append: { 'cleanup.policy': 'delete' },
      },
      { type: 'TOPIC', name: 'secret', set: { 'max.message.bytes': 9 } },
    ]),
  )
  assert.equal(changed.status, 'fulfilled')
  assert.match(String(secret.status === 'rejected' && secret.reason), /does not tell the value of password/)
  assert.deepEqual(
    requests.map(({ resources }) => resources),
    [
      [
        {
          resourceType: 2,
          resourceName: 't',
          configs: [
            { name: 'retention.ms', value: '5' },
            { name: 'cleanup.policy', value: 'compact,delete' },
            { name: 'max.message.bytes', value: '9' },
          ],
        },
      ],
    ],
  )
  const [described] = await admin.describeConfigs([{ type: 'TOPIC', name: 't' }])
  assert.equal(described.configs['retention.ms']?.source, 'DYNAMIC_TOPIC_CONFIG')
  assert.equal(described.configs['flush.ms']?.source, 'DEFAULT_CONFIG')
})

test('offsets of several groups are asked for one by one', async (context) => {
  const asked: string[] = []
  const admin = await olderBroker(context, [
    answers(
      OffsetFetch,
      ({ groupId, topics }) => {
        asked.push(groupId)
        assert.equal(topics, null)
        return {
          errorCode: groupId === 'denied' ? ErrorCode.GROUP_AUTHORIZATION_FAILED : ErrorCode.NONE,
          topics:
            groupId === 'denied'
              ? []
              : [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 3n, metadata: 'm', errorCode: 0 }] }],
        }
      },
      5,
    ),
  ])
  const [one, two, denied] = await settled(admin.listGroupOffsets(['one', 'two', 'denied'], { requireStable: true }))
  assert.deepEqual(one.status === 'fulfilled' && one.value, {
    groupId: 'one',
    offsets: [{ topic: 't', partition: 0, offset: 3n, leaderEpoch: null, metadata: 'm' }],
  })
  assert.equal(two.status === 'fulfilled' && two.value.groupId, 'two')
  assert.equal(denied.status === 'rejected' && denied.reason.code, ErrorCode.GROUP_AUTHORIZATION_FAILED)
  assert.deepEqual(
    asked.toSorted((a, b) => a.localeCompare(b)),
    ['denied', 'one', 'two'],
  )
})

test('members leave one by one, and static ones not at all', async (context) => {
  const left: string[] = []
  const admin = await olderBroker(context, [
    answers(
      LeaveGroup,
      ({ memberId }) => {
        left.push(memberId)
        return { errorCode: memberId === 'b' ? ErrorCode.UNKNOWN_MEMBER_ID : ErrorCode.NONE }
      },
      1,
    ),
  ])
  const [a, b, fixed] = await settled(
    admin.removeGroupMembers('g', [{ memberId: 'a' }, { memberId: 'b' }, { groupInstanceId: 'i' }]),
  )
  assert.equal(a.status, 'fulfilled')
  assert.equal(b.status === 'rejected' && b.reason.code, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.equal(fixed.status === 'rejected' && fixed.reason.code, ErrorCode.UNSUPPORTED_VERSION)
  assert.deepEqual(left, ['a', 'b'])
})

test('groups are listed without type and state, and cannot be chosen by what the broker does not know', async (context) => {
  const admin = await olderBroker(context, [
    answers(ListGroups, () => ({ errorCode: 0, groups: [{ groupId: 'g', protocolType: 'consumer' }] }), 2),
  ])
  const listed = [{ groupId: 'g', type: null, protocolType: 'consumer', state: null }]
  assert.deepEqual(await admin.listGroups(), listed)
  assert.deepEqual(await admin.listGroups({ types: ['classic', 'consumer'] }), listed)
  await assert.rejects(admin.listGroups({ types: ['consumer'] }), unsupported(/3\.8/))
  await assert.rejects(admin.listGroups({ states: ['Stable'] }), unsupported(/2\.6/))
})

test('consumer groups are described by the classic API', async (context) => {
  const admin = await olderBroker(context, [
    answers(
      DescribeGroups,
      ({ groups }) => ({
        groups: groups.map((groupId) => ({
          errorCode: 0,
          groupId,
          groupState: 'Stable',
          protocolType: 'consumer',
          protocolData: 'range',
          members: [
            {
              memberId: 'm',
              clientId: 'c',
              clientHost: '/h',
              memberMetadata: Uint8Array.of(1, 2, 3),
              memberAssignment: Uint8Array.of(),
            },
          ],
        })),
      }),
      2,
    ),
  ])
  const [group] = await admin.describeConsumerGroups(['g'])
  assert.equal(group.type, 'classic')
  assert.deepEqual(group.members[0]?.subscribedTopics, [])
  assert.equal(group.authorizedOperations, null)
  await assert.rejects(
    admin.describeConsumerGroups(['g'], { includeAuthorizedOperations: true }),
    unsupported(/includeAuthorizedOperations .*2\.3/),
  )
})

test('an offset the broker does not know fails alone', async (context) => {
  const admin = await olderBroker(context, [
    answers(
      ListOffsets,
      ({ topics }) => ({
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0, offset: 4n })),
        })),
      }),
      2,
    ),
  ])
  const [latest, max] = await settled(
    admin.listOffsets([
      { topic: 't', partition: 0, offset: 'latest' },
      { topic: 't', partition: 1, offset: 'max-timestamp' },
    ]),
  )
  assert.equal(latest.status === 'fulfilled' && latest.value.offset, 4n)
  assert.match(String(max.status === 'rejected' && max.reason), /max-timestamp in t-1 .*needs Apache Kafka 3\.0/)
})

test('a filter of ACLs for any pattern is one for literal names, where there are no others', async (context) => {
  const filters: number[] = []
  const admin = await olderBroker(context, [
    answers(
      DescribeAcls,
      ({ patternTypeFilter }) => {
        filters.push(patternTypeFilter)
        return { throttleTimeMs: 0, errorCode: 0, errorMessage: null, resources: [] }
      },
      0,
    ),
  ])
  assert.deepEqual(await admin.describeAcls(), [])
  await assert.rejects(admin.describeAcls({ principl: 'User:a' } as never), /no principl; did you mean principal\?/)
  await assert.rejects(admin.describeAcls({ patternType: 'PREFIXED' }), unsupported(/2\.0/))
  assert.equal(filters.length, 1)
})

test('where brokers list client metrics alone, asking for all is refused, whatever stands for all', async (context) => {
  const admin = await olderBroker(context, [
    answers(
      ListConfigResources,
      () => ({ throttleTimeMs: 0, errorCode: 0, configResources: [{ resourceName: 'm' }] }),
      0,
    ),
  ])
  assert.deepEqual(await admin.listConfigResources(['CLIENT_METRICS']), [{ type: 'CLIENT_METRICS', name: 'm' }])
  for (const all of [null, []]) await assert.rejects(admin.listConfigResources(all), unsupported(/4\.1/))
})

test('a broker that has just started and knows no brokers is asked again', async (context) => {
  let asked = 0
  const broker: ScriptedBroker = await ScriptedBroker.start([
    answers(
      Metadata,
      () => {
        asked++
        const brokers = [{ nodeId: 1, host: '127.0.0.1', port: broker.port }]
        return { brokers: asked % 2 === 1 ? [] : brokers, controllerId: 1, topics: [] }
      },
      4,
    ),
    answers(ListGroups, () => ({ errorCode: 0, groups: [{ groupId: 'g', protocolType: 'consumer' }] }), 2),
  ])
  context.after(() => broker[Symbol.asyncDispose]())
  const { admin } = adminAt(context, broker.address)
  assert.equal((await admin.describeCluster()).brokers.length, 1)
  assert.equal((await admin.listGroups()).length, 1)
})
