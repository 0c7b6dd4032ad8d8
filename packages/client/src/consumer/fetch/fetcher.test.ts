import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Frame, type BrokerConnection } from '@millrace/network'
import {
  CodecWorker,
  encodeResponseFrame,
  ErrorCode,
  Fetch,
  RecordBatchBuilder,
  type RequestInput,
  type ResponseInput,
} from '@millrace/protocol'
import { SeededRandom, SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { emptyImage, type ClusterImage } from '../../cluster/cluster-image.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { settingsFrom } from '../../config/settings.ts'
import { consumerOptions } from '../options.ts'
import { AssignedPartition } from '../positions/assigned-partition.ts'
import { Assignment } from '../positions/assignment.ts'
import { Fetcher } from './fetcher.ts'

type FetchedPartition = ResponseInput<typeof Fetch>['responses'][number]['partitions'][number]

const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
const codecs = new CodecWorker()

/** Partitions of a topic `t` with brokers that answer when the test says so. */
class Scene {
  readonly time = new SimulatedTime()
  readonly clock = new SimulatedClock(this.time)
  readonly assignment = new Assignment<Uint8Array, Uint8Array>()
  readonly errors: Error[] = []
  readonly outOfRange: number[] = []
  refreshes = 0
  throttledMs = 0
  readonly #metadata: { image: ClusterImage; readonly refreshSoon: () => void; readonly leaderMoved: () => boolean }
  /** Requests that are not answered yet, oldest first. */
  readonly asked: {
    readonly node: number
    readonly request: RequestInput<typeof Fetch>
    readonly answer: (partitions: readonly Partial<FetchedPartition>[], throttleTimeMs?: number) => Promise<void>
    readonly fail: (error: Error) => Promise<void>
  }[] = []
  readonly fetcher: Fetcher<Uint8Array, Uint8Array>

  constructor(options: Record<string, unknown> = {}) {
    this.#metadata = {
      image: imageWithout([]),
      refreshSoon: () => void this.refreshes++,
      leaderMoved: () => false,
    }
    const settings = settingsFrom(consumerOptions, { maxPartitionFetchBytes: 1000, ...options }, 'test')
    const cluster = {
      world: { clock: this.clock, random: new SeededRandom(1) },
      settings,
      metadata: this.#metadata,
      openConnection: (node: number) => this.#connection(node),
      throttle: (_node: number, _lane: string, ms: number) => void (this.throttledMs += ms),
    }
    this.fetcher = new Fetcher({
      cluster: cluster as unknown as Cluster,
      settings,
      assignment: this.assignment,
      codecs,
      signal: new AbortController().signal,
      onRecords: () => {},
      counts: { answered() {}, brought() {}, broughtOf() {} },
      onError: (error) => void this.errors.push(error),
      onOutOfRange: ({ partition }) => void this.outOfRange.push(partition),
      onDiverged: () => {},
    })
  }

  goOffline(nodeId: number): void {
    this.#metadata.image = imageWithout([nodeId])
  }

  add(number: number): AssignedPartition<Uint8Array, Uint8Array> {
    const partition = new AssignedPartition<Uint8Array, Uint8Array>({
      topic: 't',
      partition: number,
      deserializers: { key: null, value: null },
    })
    partition.topicId = topicId
    partition.ledBy({ id: 1, epoch: 0 })
    partition.moveTo({ offset: 0n, leaderEpoch: -1 })
    this.assignment.add(partition)
    return partition
  }

  /** The only request under way: to whom, of which partitions, and how long it waits. */
  get under(): { readonly node: number; readonly partitions: readonly number[]; readonly maxWaitMs: number } {
    assert.equal(this.asked.length, 1, `${this.asked.length} requests are under way`)
    const { node, request } = this.asked[0]!
    const partitions = request.topics.flatMap((topic) => topic.partitions.map(({ partition }) => partition))
    return { node, partitions: partitions.toSorted((one, other) => one - other), maxWaitMs: request.maxWaitMs }
  }

  #connection(node: number): BrokerConnection {
    return {
      versionOf: () => Fetch.versions[1],
      exchange: (_api: unknown, request: RequestInput<typeof Fetch>, { version }: { version: number }) =>
        new Promise<Frame>((resolve, reject) => {
          const answered = async (settle: () => void): Promise<void> => {
            this.asked.splice(
              this.asked.findIndex((one) => one.request === request),
              1,
            )
            settle()
            await this.time.advance(0)
          }
          this.asked.push({
            node,
            request,
            answer: (partitions, throttleTimeMs = 0) =>
              answered(() => {
                const response = {
                  throttleTimeMs,
                  errorCode: 0,
                  sessionId: 0,
                  responses: [{ topicId, partitions: partitions.map(whole) }],
                }
                const frame = Buffer.concat(encodeResponseFrame(Fetch, version, 0, response)).subarray(4)
                resolve(new Frame(frame, { release() {}, keep: (bytes) => bytes }))
              }),
            fail: (error) => answered(() => reject(error)),
          })
        }),
    } as unknown as BrokerConnection
  }
}

function imageWithout(offlineReplicas: readonly number[]): ClusterImage {
  const partition = { leaderId: 1, leaderEpoch: 0, replicas: [1, 2], isr: [1, 2], offlineReplicas, errorCode: 0 }
  return {
    ...emptyImage,
    brokers: new Map([1, 2].map((id) => [id, { id, host: `host-${id}`, port: 9092, rack: null }])),
    topics: new Map([
      ['t', { name: 't', id: topicId, isInternal: false, partitions: [partition, partition, partition] }],
    ]),
  }
}

function whole(partition: Partial<FetchedPartition>): FetchedPartition {
  return {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 100n,
    abortedTransactions: null,
    records: null,
    ...partition,
  }
}

function records(baseOffset: bigint, sizeBytes: number): Uint8Array {
  const builder = new RecordBatchBuilder({ baseOffset, partitionLeaderEpoch: 0 })
  builder.append({ timestamp: 0n, value: Buffer.alloc(sizeBytes) })
  return builder.build()
}

test('one request to a broker is under way, and waits for data when all of its partitions are in it', async () => {
  const scene = new Scene({ fetchMaxWaitMs: 500 })
  scene.add(0)
  scene.add(1)
  scene.fetcher.wake()
  scene.fetcher.wake()
  assert.deepEqual(scene.under, { node: 1, partitions: [0, 1], maxWaitMs: 500 })
  await scene.asked[0]!.answer([])
  assert.deepEqual(scene.under, { node: 1, partitions: [0, 1], maxWaitMs: 500 })
})

test('a partition with enough at hand is left out, and holds up nobody by waiting', async () => {
  const scene = new Scene({ fetchMaxWaitMs: 500 })
  const full = scene.add(0)
  scene.add(1)
  scene.fetcher.wake()
  await scene.asked[0]!.answer([{ partitionIndex: 0, records: records(0n, 2000) }])
  assert.deepEqual(scene.under, { node: 1, partitions: [1], maxWaitMs: 0 })
  await scene.asked[0]!.answer([])
  assert.equal(scene.asked.length, 0, 'what brought nothing is not repeated at once')
  scene.fetcher.wake()
  assert.equal(scene.asked.length, 0)
  await scene.time.advance(400)
  assert.equal(scene.asked.length, 0)
  await scene.time.advance(150)
  assert.deepEqual(scene.under.partitions, [1], 'it is when fetchMaxWaitMs are over')
  await scene.asked[0]!.answer([])
  full.take(10)
  scene.fetcher.takenFrom(full)
  assert.deepEqual(scene.under, { node: 1, partitions: [0, 1], maxWaitMs: 500 })
})

test('what is at hand is bounded over all partitions, but one can always be fetched', async () => {
  const scene = new Scene({ fetchMaxBytes: 2500 })
  scene.add(0)
  scene.add(1)
  scene.add(2)
  scene.fetcher.wake()
  assert.equal(scene.asked[0]!.request.maxBytes, 2500)
  await scene.asked[0]!.answer([
    { partitionIndex: 0, records: records(0n, 1200) },
    { partitionIndex: 1, records: records(0n, 1000) },
  ])
  assert.deepEqual(scene.under.partitions, [2])
  assert.equal(scene.asked[0]!.request.maxBytes, 1000)
})

test('paused partitions are left out, and keep what they have', async () => {
  const scene = new Scene()
  const paused = scene.add(0)
  scene.add(1)
  scene.fetcher.wake()
  await scene.asked[0]!.answer([{ partitionIndex: 0, records: records(0n, 10) }])
  paused.isPaused = true
  await scene.asked[0]!.answer([])
  assert.deepEqual(scene.under, { node: 1, partitions: [1], maxWaitMs: 500 })
  assert.ok(paused.hasRecords)
})

test('a replica nearby is read from as long as it is recommended, there, and has the offset', async () => {
  const scene = new Scene({ metadataMaxAgeMs: 10_000 })
  const partition = scene.add(0)
  scene.fetcher.wake()
  await scene.asked[0]!.answer([{ preferredReadReplica: 2 }])
  assert.equal(scene.under.node, 2)
  await scene.asked[0]!.answer([{ records: records(0n, 10) }])
  assert.equal(scene.under.node, 2)
  // It lags behind: the leader is asked at once.
  await scene.asked[0]!.answer([{ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }])
  assert.deepEqual(scene.outOfRange, [])
  assert.equal(scene.under.node, 1)
  await scene.asked[0]!.answer([{ preferredReadReplica: 2 }])
  assert.equal(scene.under.node, 2)
  // The recommendation ends.
  await scene.time.advance(10_001)
  await scene.asked[0]!.answer([{ records: records(1n, 10) }])
  assert.equal(scene.under.node, 1)
  await scene.asked[0]!.answer([{ preferredReadReplica: 2 }])
  // A broker that fails is not asked again at once; the leader is.
  await scene.asked[0]!.fail(new Error('gone'))
  assert.equal(scene.under.node, 1)
  await scene.asked[0]!.answer([{ preferredReadReplica: 2 }])
  await scene.time.advance(1_500)
  assert.equal(scene.under.node, 2)
  // Metadata have it among those that are gone.
  scene.goOffline(2)
  await scene.asked[0]!.answer([])
  assert.equal(scene.under.node, 1)
  assert.equal(partition.preferredReplica, -1)
})

test('an offset out of range at the leader is told, once nothing is at hand any more', async () => {
  const scene = new Scene()
  const partition = scene.add(0)
  scene.fetcher.wake()
  await scene.asked[0]!.answer([{ records: records(0n, 10) }])
  await scene.asked[0]!.answer([{ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }])
  assert.deepEqual(scene.outOfRange, [], 'what is at hand can be read all the same')
  partition.take(1)
  await scene.time.advance(1_500)
  await scene.asked[0]!.answer([{ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }])
  assert.deepEqual(scene.outOfRange, [0])
})

test('a broker that fails is left alone for longer and longer', async () => {
  const scene = new Scene({ retryBackoffMs: 100, retryBackoffMaxMs: 1000 })
  scene.add(0)
  scene.fetcher.wake()
  let attempts = 0
  for (let ms = 0; ms < 5_000; ms += 10) {
    if (scene.asked.length > 0) {
      attempts++
      await scene.asked[0]!.fail(new Error('no'))
    }
    await scene.time.advance(10)
  }
  assert.ok(attempts >= 6 && attempts <= 12, `${attempts} attempts in 5 s`)
  assert.equal(scene.refreshes, attempts)
})

test('what a broker says of throttling is passed on', async () => {
  const scene = new Scene()
  scene.add(0)
  scene.fetcher.wake()
  await scene.asked[0]!.answer([], 250)
  assert.equal(scene.throttledMs, 250)
})
