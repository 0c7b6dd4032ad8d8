import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import {
  ErrorCode,
  Fetch,
  FindCoordinator,
  forEachBatch,
  OffsetCommit,
  OffsetFetch,
  Produce,
  readRecords,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { MemoryDisk, nodeRuntime, silentLogger, type LogFields, type Logger } from '@millrace/runtime'
import { TestBroker, type RawClient } from './testing/index.ts'

/** Resolves with what the cleaner says of the first log it has cleaned; warnings are collected. */
function cleaningListener(): { logger: Logger; cleaned: Promise<LogFields>; warnings: string[] } {
  const { promise: cleaned, resolve } = Promise.withResolvers<LogFields>()
  const warnings: string[] = []
  const logger: Logger = {
    ...silentLogger,
    info: (message, fields = {}) => {
      if (message === 'cleaned a log') resolve(fields)
    },
    warn: (message) => void warnings.push(message),
    child: () => logger,
  }
  return { logger, cleaned, warnings }
}

async function produce(client: RawClient, key: string | null, value: string): Promise<number> {
  const builder = new RecordBatchBuilder()
  builder.append({
    timestamp: BigInt(Date.now()),
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
  })
  const { responses } = await client.ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records: builder.build() }] }],
  })
  return responses[0]!.partitionResponses[0]!.errorCode
}

async function keysFrom(client: RawClient, fetchOffset: bigint): Promise<[offset: bigint, key: string][]> {
  const { responses } = await client.ask(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 10_000_000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 10_000_000 }] }],
    forgottenTopicsData: [],
    rackId: '',
  })
  const { records, errorCode } = responses[0]!.partitions[0]!
  assert.equal(errorCode, ErrorCode.NONE)
  const found: [bigint, string][] = []
  forEachBatch(records!, (at) => {
    for (const { offset, key } of readRecords(records!, at)) found.push([offset, Buffer.from(key!).toString()])
  })
  return found
}

/** Until the coordinator of the group has loaded. */
async function fetchOffsets(client: RawClient): Promise<bigint[]> {
  for (;;) {
    const { errorCode, topics } = await client.ask(OffsetFetch, 5, {
      groupId: 'group',
      topics: [{ name: 't', partitionIndexes: [0, 1] }],
    })
    if (errorCode === ErrorCode.NONE)
      return topics.flatMap(({ partitions }) => partitions.map(({ committedOffset }) => committedOffset))
  }
}

const configs = { 'cleanup.policy': 'compact', 'internal.segment.bytes': 1000, 'min.cleanable.dirty.ratio': 0.01 }

for (const storage of ['memory', 'disk'])
  test(`a compacted topic keeps the last value of each key, with data in ${storage}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-compaction-'))
    try {
      const { logger, cleaned, warnings } = cleaningListener()
      await using broker = await TestBroker.start({
        logger,
        configs: { 'log.cleaner.backoff.ms': 20, 'log.dirs': directory },
        ...(storage === 'disk' ? { runtime: nodeRuntime() } : undefined),
      })
      await broker.createTopic('t', { configs })
      const client = await broker.connect()
      assert.equal(await produce(client, null, 'x'), ErrorCode.INVALID_RECORD, 'a record without a key is refused')
      // All in one segment, so that one cleaning sees them; then the segment is rolled.
      for (const key of ['a', 'b', 'a', 'c', 'a']) assert.equal(await produce(client, key, 'x'), ErrorCode.NONE)
      assert.equal(await produce(client, 'd', 'y'.repeat(900)), ErrorCode.NONE)
      const { recordsRead, recordsKept } = await cleaned
      assert.deepEqual({ recordsRead, recordsKept }, { recordsRead: 5, recordsKept: 3 })
      const left = [
        [1n, 'b'],
        [3n, 'c'],
        [4n, 'a'],
      ]
      assert.deepEqual(await keysFrom(client, 0n), left, 'offsets stay, gaps are read over')
      assert.deepEqual(await keysFrom(client, 2n), left.slice(1))
      assert.deepEqual(await keysFrom(client, 5n), [[5n, 'd']])
      assert.deepEqual(warnings, [], 'the thread came up')
      client.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

test('__consumer_offsets is compacted, and the offsets that are left are those committed last', async () => {
  const { logger, cleaned } = cleaningListener()
  const real = nodeRuntime()
  const runtime = { ...real, disk: new MemoryDisk({ now: () => real.clock.now() }) }
  await using tree = await EmbeddedTree.open({ clock: real.clock })
  const settings = {
    'offsets.topic.num.partitions': 1,
    'offsets.topic.segment.bytes': 1024 * 1024,
    'log.cleaner.backoff.ms': 20,
  }
  const commits = 160n
  {
    await using broker = await TestBroker.start({ runtime, tree, logger, configs: settings })
    await broker.createTopic('t', { partitions: 2 })
    const client = await broker.connect()
    await client.ask(FindCoordinator, 0, { key: 'group' })
    await fetchOffsets(client)
    // Large ones, so that a segment is soon full.
    const committedMetadata = 'm'.repeat(4000)
    for (let commit = 1n; commit <= commits; commit++) {
      const partitions = [0, 1].map((partitionIndex) => ({
        partitionIndex,
        committedOffset: commit,
        committedMetadata,
      }))
      await client.ask(OffsetCommit, 8, { groupId: 'group', memberId: '', topics: [{ name: 't', partitions }] })
    }
    const { recordsRead, recordsKept } = await cleaned
    assert.ok(Number(recordsRead) > 200 && Number(recordsKept) <= 4, JSON.stringify({ recordsRead, recordsKept }))
    client.close()
  }
  await using broker = await TestBroker.start({ runtime, tree, configs: settings })
  const client = await broker.connect()
  assert.deepEqual(await fetchOffsets(client), [commits, commits])
  client.close()
})
