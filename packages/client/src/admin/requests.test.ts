import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  CreateTopics,
  DeleteGroups,
  DescribeGroups,
  ErrorCode,
  FindCoordinator,
  ListOffsets,
  Metadata,
} from '@millrace/protocol'
import { answers, ScriptedBroker, type Script } from '../testing/scripted-broker.ts'
import { settled } from './partial-failure.ts'
import { adminAt } from './testing/admin-of.ts'

async function scripted(context: TestContext, scripts: readonly Script[]) {
  const broker = await ScriptedBroker.start(scripts)
  context.after(() => broker[Symbol.asyncDispose]())
  return { broker, ...adminAt(context, broker.address) }
}

const coordinatorHere = (broker: () => ScriptedBroker, count = { lookups: 0 }) =>
  answers(FindCoordinator, ({ coordinatorKeys }) => {
    count.lookups++
    return {
      coordinators: coordinatorKeys.map((key) => ({
        key,
        nodeId: 1,
        host: '127.0.0.1',
        port: broker().port,
        errorCode: 0,
        errorMessage: null,
      })),
    }
  })

test('only what failed for a passing reason is asked for again', async (context) => {
  const asked: string[][] = []
  const { admin } = await scripted(context, [
    answers(CreateTopics, ({ topics }) => {
      asked.push(topics.map(({ name }) => name))
      const isFirst = asked.length === 1
      return {
        topics: topics.map(({ name }) => ({
          name,
          errorCode:
            name === 'bad'
              ? ErrorCode.INVALID_TOPIC_EXCEPTION
              : name === 'throttled' && isFirst
                ? ErrorCode.THROTTLING_QUOTA_EXCEEDED
                : ErrorCode.NONE,
          errorMessage: name === 'bad' ? 'a bad name' : null,
        })),
      }
    }),
  ])
  const outcomes = await settled(admin.createTopics([{ name: 'good' }, { name: 'bad' }, { name: 'throttled' }]))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.match(String(outcomes[1].status === 'rejected' && outcomes[1].reason), /topic bad: a bad name/)
  assert.deepEqual(asked, [['good', 'bad', 'throttled'], ['throttled']])
  await assert.rejects(admin.createTopics([{ name: 'bad' }]), { code: ErrorCode.INVALID_TOPIC_EXCEPTION })
})

test('a quota is waited for until the time is over, or not at all', async (context) => {
  let requests = 0
  const { admin } = await scripted(context, [
    answers(CreateTopics, ({ topics }) => {
      requests++
      return {
        topics: topics.map(({ name }) => ({
          name,
          errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED,
          errorMessage: null,
        })),
      }
    }),
  ])
  const code = { code: ErrorCode.THROTTLING_QUOTA_EXCEEDED }
  await assert.rejects(admin.createTopics([{ name: 't' }], { retryOnQuotaViolation: false }), code)
  assert.equal(requests, 1)
  await assert.rejects(admin.createTopics([{ name: 't' }], { timeoutMs: 100 }), code)
  assert.ok(requests > 2)
})

test('an answer that a topic took too long is final, as the topic may be there', async (context) => {
  let requests = 0
  const { admin } = await scripted(context, [
    answers(CreateTopics, ({ topics, timeoutMs }) => {
      requests++
      assert.ok(timeoutMs > 0 && timeoutMs <= 10_000)
      return {
        topics: topics.map(({ name }) => ({ name, errorCode: ErrorCode.REQUEST_TIMED_OUT, errorMessage: null })),
      }
    }),
  ])
  await assert.rejects(admin.createTopics([{ name: 't' }]), { code: ErrorCode.REQUEST_TIMED_OUT })
  assert.equal(requests, 1)
})

test('a controller that moved is looked for, and asked again', async (context) => {
  let requests = 0
  let isLooking = false
  const { admin, broker } = await scripted(context, [
    answers(Metadata, () => {
      if (requests > 0) isLooking = true
      return { brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }], controllerId: 1, topics: [] }
    }),
    answers(CreateTopics, ({ topics }) => {
      requests++
      const errorCode = isLooking ? ErrorCode.NONE : ErrorCode.NOT_CONTROLLER
      return { topics: topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) }
    }),
  ])
  await admin.createTopics([{ name: 't' }])
  assert.ok(requests >= 2)
})

test('groups of one coordinator share a request, and a coordinator that moved is looked for', async (context) => {
  const count = { lookups: 0 }
  const asked: string[][] = []
  const { admin, broker } = await scripted(context, [
    coordinatorHere(() => broker, count),
    answers(DeleteGroups, ({ groupsNames }) => {
      asked.push([...groupsNames])
      return {
        throttleTimeMs: 0,
        results: groupsNames.map((groupId) => ({
          groupId,
          errorCode: asked.length === 1 && groupId === 'moved' ? ErrorCode.NOT_COORDINATOR : ErrorCode.NONE,
        })),
      }
    }),
  ])
  await admin.deleteGroups(['stays', 'moved'])
  assert.deepEqual(asked, [['stays', 'moved'], ['moved']])
  assert.equal(count.lookups, 2)
})

test('a coordinator that is loading is asked again, a group that is not empty is not', async (context) => {
  let requests = 0
  const { admin, broker } = await scripted(context, [
    coordinatorHere(() => broker),
    answers(DeleteGroups, ({ groupsNames }) => {
      requests++
      const errorCode = requests === 1 ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : ErrorCode.NON_EMPTY_GROUP
      return { throttleTimeMs: 0, results: groupsNames.map((groupId) => ({ groupId, errorCode })) }
    }),
  ])
  await assert.rejects(admin.deleteGroups(['g']), { code: ErrorCode.NON_EMPTY_GROUP })
  assert.equal(requests, 2)
})

test('a leader that moved is found by new metadata', async (context) => {
  let requests = 0
  const { admin, broker } = await scripted(context, [
    answers(Metadata, ({ topics }) => ({
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
      controllerId: 1,
      topics: (topics ?? []).map(({ name }) => ({
        errorCode: 0,
        name,
        topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
        partitions: [0, 1].map((partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId: 1,
          leaderEpoch: 1,
          replicaNodes: [1],
          isrNodes: [1],
        })),
      })),
    })),
    answers(ListOffsets, ({ topics }) => {
      requests++
      return {
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({
            partitionIndex,
            errorCode: requests === 1 && partitionIndex === 1 ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.NONE,
            offset: 5n,
          })),
        })),
      }
    }),
  ])
  const listed = await admin.listOffsets([
    { topic: 't', partition: 0, offset: 'latest' },
    { topic: 't', partition: 1, offset: 'latest' },
  ])
  assert.deepEqual(
    listed.map(({ offset }) => offset),
    [5n, 5n],
  )
  assert.equal(requests, 2)
})

test('an answer that leaves a thing out is an error of that thing', async (context) => {
  const { admin } = await scripted(context, [
    answers(CreateTopics, () => ({ topics: [{ name: 'other', errorCode: 0, errorMessage: null }] })),
  ])
  await assert.rejects(admin.createTopics([{ name: 't' }]), {
    code: ErrorCode.UNKNOWN_SERVER_ERROR,
    message: /topic t: the broker's answer says nothing of it/,
  })
})

test('a request whose answer got lost is sent again', async (context) => {
  let requests = 0
  const { admin, broker } = await scripted(context, [
    coordinatorHere(() => broker),
    answers(DescribeGroups, ({ groups }) => {
      requests++
      if (requests === 1) {
        broker.cutConnections()
        return null
      }
      return {
        groups: groups.map((groupId) => ({
          errorCode: 0,
          errorMessage: null,
          groupId,
          groupState: 'Empty',
          protocolType: 'connect',
          protocolData: '',
          members: [],
          authorizedOperations: -0x8000_0000,
        })),
      }
    }),
  ])
  const [group] = await admin.describeClassicGroups(['g'])
  assert.equal(group.protocolType, 'connect')
  assert.equal(requests, 2)
})

test('thousands of groups are looked for and asked about in a few requests', async (context) => {
  const count = { lookups: 0 }
  const sizes: number[] = []
  const { admin, broker } = await scripted(context, [
    coordinatorHere(() => broker, count),
    answers(DeleteGroups, ({ groupsNames }) => {
      sizes.push(groupsNames.length)
      return { throttleTimeMs: 0, results: groupsNames.map((groupId) => ({ groupId, errorCode: ErrorCode.NONE })) }
    }),
  ])
  const groupIds = Array.from({ length: 3000 }, (_, index) => `group-${index}`)
  assert.equal((await admin.deleteGroups(groupIds)).length, 3000)
  assert.deepEqual(sizes, [3000])
  assert.equal(count.lookups, 15)
})

test('nothing is asked about no things', async (context) => {
  const { admin } = await scripted(context, [])
  assert.deepEqual(await admin.createTopics([]), [])
  assert.deepEqual(await admin.listOffsets([]), [])
})
