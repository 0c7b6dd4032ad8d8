import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeleteRecords,
  ErrorCode,
  ListOffsets,
  OffsetForLeaderEpoch,
  Produce,
  RecordBatchBuilder,
  type Response,
} from '@millrace/protocol'
import { type RawClient, TestBroker } from '../testing/index.ts'

type Found = Response<typeof ListOffsets>['topics'][number]['partitions'][number]

const newest = ListOffsets.versions[1]
const latest = -1n
const earliest = -2n
const maxTimestamp = -3n
const earliestLocal = -4n
const latestTiered = -5n
const earliestPendingUpload = -6n

interface Question {
  readonly version?: number
  readonly topic?: string
  readonly index?: number
  readonly isolationLevel?: number
  readonly replicaId?: number
  readonly currentLeaderEpoch?: number
}

async function ask(client: RawClient, timestamp: bigint, question: Question = {}): Promise<Found> {
  const { version = newest, topic = 't', index = 0, isolationLevel, replicaId = -1, currentLeaderEpoch } = question
  const { topics } = await client.ask(ListOffsets, version, {
    replicaId,
    ...(isolationLevel === undefined ? {} : { isolationLevel }),
    topics: [
      {
        name: topic,
        partitions: [
          {
            partitionIndex: index,
            timestamp,
            ...(version === 0 ? { maxNumOffsets: 10 } : {}),
            ...(currentLeaderEpoch === undefined ? {} : { currentLeaderEpoch }),
          },
        ],
      },
    ],
  })
  return topics[0]!.partitions[0]!
}

/** Error, offset, timestamp, leader epoch. */
async function answerTo(client: RawClient, timestamp: bigint, question: Question = {}): Promise<unknown[]> {
  const { errorCode, offset, timestamp: found, leaderEpoch } = await ask(client, timestamp, question)
  return [errorCode, offset, found, leaderEpoch]
}

async function produce(client: RawClient, timestamps: readonly bigint[]): Promise<void> {
  const builder = new RecordBatchBuilder({})
  for (const timestamp of timestamps) builder.append({ timestamp, value: Buffer.from('v') })
  const { responses } = await client.ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records: builder.build() }] }],
  })
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
}

test('special positions and times, in an empty log and in one with records', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const nothing = [ErrorCode.NONE, -1n, -1n, -1]
  assert.deepEqual(await answerTo(client, latest), [ErrorCode.NONE, 0n, -1n, 0])
  assert.deepEqual(await answerTo(client, earliest), [ErrorCode.NONE, 0n, -1n, 0])
  assert.deepEqual(await answerTo(client, maxTimestamp), nothing)
  assert.deepEqual(await answerTo(client, 0n), nothing)

  const now = BigInt(Date.now())
  await produce(client, [now, now + 50n, now + 20n])
  await produce(client, [now + 10n, now + 50n])
  assert.deepEqual(await answerTo(client, latest), [ErrorCode.NONE, 5n, -1n, 0])
  assert.deepEqual(await answerTo(client, latest, { isolationLevel: 1 }), [ErrorCode.NONE, 5n, -1n, 0])
  assert.deepEqual(await answerTo(client, earliest), [ErrorCode.NONE, 0n, -1n, 0])
  assert.deepEqual(await answerTo(client, earliestLocal), [ErrorCode.NONE, 0n, -1n, 0])
  assert.deepEqual(await answerTo(client, maxTimestamp), [ErrorCode.NONE, 1n, now + 50n, 0])
  assert.deepEqual(await answerTo(client, latestTiered), nothing)
  assert.deepEqual(await answerTo(client, earliestPendingUpload), nothing)
  assert.deepEqual(await answerTo(client, 0n), [ErrorCode.NONE, 0n, now, 0])
  assert.deepEqual(await answerTo(client, now + 1n), [ErrorCode.NONE, 1n, now + 50n, 0])
  assert.deepEqual(await answerTo(client, now + 51n), nothing)
  assert.deepEqual(await answerTo(client, 0x7fffffffffffffffn), nothing)

  await client.ask(DeleteRecords, 2, {
    timeoutMs: 1000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 2n }] }],
  })
  assert.deepEqual(await answerTo(client, earliest), [ErrorCode.NONE, 2n, -1n, 0])
  assert.deepEqual(await answerTo(client, 0n), [ErrorCode.NONE, 2n, now + 20n, 0])
  client.close()
})

test('a special position is known from its version on', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  for (const [timestamp, since] of [
    [latest, 0],
    [earliest, 0],
    [maxTimestamp, 7],
    [earliestLocal, 8],
    [latestTiered, 9],
    [earliestPendingUpload, 11],
    [-7n, 99],
    [-0x8000000000000000n, 99],
  ] as const)
    for (let version = 0; version <= newest; version++) {
      const expected = version < since ? ErrorCode.UNSUPPORTED_VERSION : ErrorCode.NONE
      assert.equal((await ask(client, timestamp, { version })).errorCode, expected, `${timestamp} in ${version}`)
    }
  client.close()
})

test('unknown partitions, other epochs, and partitions named twice', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const errorOf = async (question: Question) => (await ask(client, latest, question)).errorCode
  assert.equal(await errorOf({ topic: 'none' }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await errorOf({ index: 1 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await errorOf({ index: -1 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await errorOf({ currentLeaderEpoch: 0 }), ErrorCode.NONE)
  assert.equal(await errorOf({ currentLeaderEpoch: 3 }), ErrorCode.UNKNOWN_LEADER_EPOCH)
  const { topics } = await client.ask(ListOffsets, newest, {
    replicaId: -1,
    topics: [
      { name: 't', partitions: [{ partitionIndex: 0, timestamp: latest }] },
      { name: 't', partitions: [{ partitionIndex: 0, timestamp: earliest }] },
      { name: 'none', partitions: [] },
    ],
  })
  const errors = topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  assert.deepEqual(errors, [ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST])
  client.close()
})

test('debugging tools see the end of the log; version 0 is answered with a list', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await produce(
    client,
    [1n, 2n].map((past) => BigInt(Date.now()) + past),
  )
  assert.equal((await ask(client, latest, { replicaId: -2 })).offset, 2n)
  assert.deepEqual((await ask(client, latest, { version: 0 })).oldStyleOffsets, [2n, 0n])
  assert.deepEqual((await ask(client, earliest, { version: 0 })).oldStyleOffsets, [0n])
  client.close()
})

test('OffsetForLeaderEpoch tells where an epoch ends, or that it does not know', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await produce(client, [BigInt(Date.now())])
  const endOf = async (leaderEpoch: number, currentLeaderEpoch = -1, topic = 't') => {
    const { topics } = await client.ask(OffsetForLeaderEpoch, 4, {
      replicaId: -1,
      topics: [{ topic, partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }],
    })
    const { errorCode, leaderEpoch: epoch, endOffset } = topics[0]!.partitions[0]!
    return [errorCode, epoch, endOffset]
  }
  assert.deepEqual(await endOf(0), [ErrorCode.NONE, 0, 1n])
  assert.deepEqual(await endOf(-1), [ErrorCode.NONE, -1, -1n])
  assert.deepEqual(await endOf(7), [ErrorCode.NONE, -1, -1n])
  assert.deepEqual(await endOf(0, 5), [ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1n])
  assert.deepEqual(await endOf(0, -1, 'none'), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1n])
  client.close()
})
