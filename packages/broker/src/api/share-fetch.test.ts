import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ErrorCode,
  IncrementalAlterConfigs,
  ListOffsets,
  Produce,
  ReadShareGroupStateSummary,
  ShareFetch,
} from '@millrace/protocol'
import {
  acquiredIn,
  batchOf,
  initializeShareState,
  type RawClient,
  ShareMember,
  TestBroker,
  type TestBrokerOptions,
  valuesIn,
} from '../testing/index.ts'

const groupId = 'g'

interface Scene {
  readonly broker: TestBroker
  readonly client: RawClient
  readonly topicId: string
  member(memberId: string, group?: string): Promise<ShareMember>
  produce(values: readonly string[], index?: number): Promise<void>
  configureGroup(name: string, value: string): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

async function scene({ partitions = 1, ...options }: TestBrokerOptions & { partitions?: number } = {}): Promise<Scene> {
  const broker = await TestBroker.start({
    ...options,
    configs: { 'share.coordinator.state.topic.num.partitions': 1, ...options.configs },
  })
  const client = await broker.connect()
  const topicId = await broker.createTopic('t', { partitions })
  await broker.createTopic('__share_group_state')
  await initializeShareState(client, groupId, topicId, { partitions })
  return {
    broker,
    client,
    topicId,
    member: async (memberId, group = groupId) =>
      new ShareMember(await broker.connect(), { groupId: group, memberId, topicId }),
    async produce(values, index = 0) {
      const { responses } = await client.ask(Produce, 9, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ name: 't', partitionData: [{ index, records: batchOf(values) }] }],
      })
      assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
    },
    async configureGroup(name, value) {
      const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
        resources: [{ resourceType: 32, resourceName: groupId, configs: [{ name, configOperation: 0, value }] }],
        validateOnly: false,
      })
      assert.equal(responses[0]!.errorCode, ErrorCode.NONE)
    },
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  }
}

test('members get different records; what is accepted is done, what is released comes again', async () => {
  await using on = await scene()
  await on.produce(['a', 'b', 'c'])
  await on.produce(['d', 'e'])
  const one = await on.member('one')
  const two = await on.member('two')
  const first = await one.fetch({ maxRecords: 3 })
  assert.deepEqual(acquiredIn(first), ['0:0-2×1'])
  assert.deepEqual(valuesIn(first), ['a', 'b', 'c'])
  assert.equal(first.acquisitionLockTimeoutMs, 30_000)
  const second = await two.fetch()
  assert.deepEqual([acquiredIn(second), valuesIn(second)], [['0:3-4×1'], ['d', 'e']])
  assert.deepEqual(await one.acknowledge(['0-2:1,2,3']), [ErrorCode.NONE, ErrorCode.NONE])
  const third = await two.fetch({ acknowledge: ['3-4:1'] })
  assert.deepEqual(acquiredIn(third), ['0:1-1×2'])
  assert.equal(third.responses[0]!.partitions[0]!.acknowledgeErrorCode, ErrorCode.NONE)
  assert.deepEqual(await two.acknowledge(['1-1:1']), [ErrorCode.NONE, ErrorCode.NONE])
  const { results } = await on.client.ask(ReadShareGroupStateSummary, 1, {
    groupId,
    topics: [{ topicId: on.topicId, partitions: [{ partition: 0, leaderEpoch: -1 }] }],
  })
  assert.equal(results[0]!.partitions[0]!.errorCode, ErrorCode.NONE)
})

test('a fetch waits for records, also for those that others give back', async () => {
  await using on = await scene()
  const one = await on.member('one')
  const two = await on.member('two')
  const waiting = one.fetch({ maxWaitMs: 20_000 })
  await on.produce(['a'])
  assert.deepEqual(acquiredIn(await waiting), ['0:0-0×1'])
  const other = two.fetch({ maxWaitMs: 20_000 })
  assert.deepEqual(await one.acknowledge(['0-0:2']), [ErrorCode.NONE, ErrorCode.NONE])
  assert.deepEqual(acquiredIn(await other), ['0:0-0×2'])
})

test('who leaves, or is gone, leaves its records to others', async () => {
  await using on = await scene()
  await on.produce(['a', 'b'])
  const one = await on.member('one')
  const two = await on.member('two')
  assert.deepEqual(acquiredIn(await one.fetch()), ['0:0-1×1'])
  const waiting = two.fetch({ maxWaitMs: 20_000 })
  one.close()
  assert.deepEqual(acquiredIn(await waiting), ['0:0-1×2'])
  const three = await on.member('three')
  const again = three.fetch({ maxWaitMs: 20_000 })
  await two.acknowledge([], { epoch: -1 })
  assert.deepEqual(acquiredIn(await again), ['0:0-1×3'])
})

test('sessions: epochs, the limit, and what a first request may not do', async () => {
  await using on = await scene({ configs: { 'group.share.max.share.sessions': 1, 'group.share.max.size': 1 } })
  const one = await on.member('one')
  assert.deepEqual(await one.acknowledge(['0-0:1']), [ErrorCode.INVALID_SHARE_SESSION_EPOCH])
  assert.equal((await one.fetch({ acknowledge: ['0-0:1'] })).errorCode, ErrorCode.INVALID_REQUEST)
  assert.equal((await one.fetch({ epoch: 3 })).errorCode, ErrorCode.SHARE_SESSION_NOT_FOUND)
  assert.equal((await one.fetch({ epoch: -1 })).errorCode, ErrorCode.SHARE_SESSION_NOT_FOUND)
  assert.equal((await one.fetch()).errorCode, ErrorCode.NONE)
  assert.equal((await one.fetch({ epoch: 2 })).errorCode, ErrorCode.INVALID_SHARE_SESSION_EPOCH)
  const two = await on.member('two')
  assert.equal((await two.fetch()).errorCode, ErrorCode.SHARE_SESSION_LIMIT_REACHED)
  // To begin anew takes the place of what was.
  assert.equal((await one.fetch({ epoch: 0, partitions: [0] })).errorCode, ErrorCode.NONE)
  assert.equal((await one.fetch({ epoch: -1 })).errorCode, ErrorCode.NONE)
  assert.equal((await two.fetch()).errorCode, ErrorCode.NONE)
})

test('a way to acquire that does not exist is refused', async () => {
  await using on = await scene()
  const { errorCode } = await on.client.ask(ShareFetch, 2, {
    groupId,
    memberId: 'one',
    shareSessionEpoch: 0,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    maxRecords: 500,
    batchSize: 500,
    shareAcquireMode: 2,
    topics: [{ topicId: on.topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }],
    forgottenTopicsData: [],
  })
  assert.equal(errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
})

test('malformed acknowledgements are refused for their partition alone', async () => {
  await using on = await scene()
  await on.produce(['a', 'b', 'c'])
  const one = await on.member('one')
  await one.fetch()
  for (const [wrong, code] of [
    ['1-0:1', ErrorCode.INVALID_REQUEST],
    ['0-2:1,1', ErrorCode.INVALID_REQUEST],
    ['0-2:5', ErrorCode.INVALID_REQUEST],
    ['0-2:4', ErrorCode.INVALID_REQUEST],
    ['0-9:1', ErrorCode.INVALID_REQUEST],
  ] as const)
    assert.deepEqual(await one.acknowledge([wrong]), [ErrorCode.NONE, code], wrong)
  assert.deepEqual(await one.acknowledge(['1-1:1']), [ErrorCode.NONE, ErrorCode.NONE])
  assert.deepEqual(await one.acknowledge(['1-1:1']), [ErrorCode.NONE, ErrorCode.INVALID_RECORD_STATE])
  assert.deepEqual(await one.acknowledge(['0-0:1', '2-2:1']), [ErrorCode.NONE, ErrorCode.NONE])
  // The start has passed them.
  assert.deepEqual(await one.acknowledge(['0-2:1']), [ErrorCode.NONE, ErrorCode.NONE])
})

test('a renewal may not ask for records, and can be forbidden', async () => {
  await using on = await scene()
  await on.produce(['a'])
  const one = await on.member('one')
  await one.fetch()
  const refused = await one.fetch({ isRenewAck: true, acknowledge: ['0-0:4'] })
  assert.equal(refused.errorCode, ErrorCode.INVALID_REQUEST)
  assert.equal(
    refused.errorMessage,
    'maxBytes must be set to 0, minBytes must be set to 0, maxRecords must be set to 0, if isRenewAck is true.',
  )
  const renew = { isRenewAck: true, acknowledge: ['0-0:4'], maxBytes: 0, minBytes: 0, maxRecords: 0 }
  const renewed = await one.fetch(renew)
  assert.equal(renewed.responses[0]!.partitions[0]!.acknowledgeErrorCode, ErrorCode.NONE)
  await on.configureGroup('share.renew.acknowledge.enable', 'false')
  const forbidden = await one.fetch(renew)
  assert.equal(forbidden.responses[0]!.partitions[0]!.acknowledgeErrorCode, ErrorCode.INVALID_RECORD_STATE)
})

test('several partitions share the limit on records; one that does not exist fails alone', async () => {
  await using on = await scene({ partitions: 2 })
  const one = await on.member('one')
  await one.fetch({ partitions: [0, 1] })
  await on.produce(['a', 'b'], 0)
  await on.produce(['c', 'd'], 1)
  const answer = await one.fetch({ partitions: [7], maxRecords: 3, isRecordLimit: true })
  assert.deepEqual(acquiredIn(answer).toSorted(), ['0:0-0×1', '1:0-1×1', '7!3'])
})

test('records of state that newer ones have made useless are deleted', async () => {
  await using on = await scene({
    configs: {
      'share.coordinator.snapshot.update.records.per.snapshot': 1,
      'share.coordinator.state.topic.prune.interval.ms': 10,
    },
  })
  const one = await on.member('one')
  const earliest = async (): Promise<bigint> => {
    const { topics } = await on.client.ask(ListOffsets, 7, {
      replicaId: -1,
      topics: [{ name: '__share_group_state', partitions: [{ partitionIndex: 0, timestamp: -2n }] }],
    })
    return topics[0]!.partitions[0]!.offset
  }
  for (let offset = 0; (await earliest()) < 4n; offset++) {
    await on.produce(['a'])
    await one.fetch({ maxWaitMs: 20_000 })
    assert.deepEqual(await one.acknowledge([`${offset}:1`]), [ErrorCode.NONE, ErrorCode.NONE])
  }
})

test('with the feature off share groups are not served', async () => {
  await using broker = await TestBroker.start({ featureLevels: { 'share.version': 0 } })
  const topicId = await broker.createTopic('t')
  const one = new ShareMember(await broker.connect(), { groupId, memberId: 'one', topicId })
  assert.equal((await one.fetch()).errorCode, ErrorCode.UNSUPPORTED_VERSION)
  assert.deepEqual(await one.acknowledge(['0-0:1'], { epoch: 1 }), [ErrorCode.UNSUPPORTED_VERSION])
})
