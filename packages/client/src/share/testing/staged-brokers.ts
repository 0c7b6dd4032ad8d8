/**
 * Brokers for tests of share consumers, whose answers are what the test makes of them, in time that passes when the test lets it: for what real brokers
 * do too seldom to be waited for. There is one topic `t`, and a membership that is assigned what the test says.
 */
import assert from 'node:assert/strict'
import {
  ErrorCode,
  RecordBatchBuilder,
  type Api,
  type Request,
  type RequestInput,
  type Response,
  type ShareAcknowledge,
  type ShareFetch,
} from '@millrace/protocol'
import { SeededRandom, SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { emptyImage, type ClusterImage } from '../../cluster/cluster-image.ts'
import type { Cluster, RequestOf } from '../../cluster/cluster.ts'
import { settingsFrom } from '../../config/settings.ts'
import { Metrics } from '../../observe/metrics.ts'
import { serde } from '../../serde/serdes.ts'
import { shareConsumerOptions } from '../options.ts'
import type { AcknowledgementResult } from '../share-consumer.ts'
import { ShareMetrics } from '../share-metrics.ts'
import { ShareReading } from '../share-reading.ts'

const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'

type FetchedPartition = Response<typeof ShareFetch>['responses'][number]['partitions'][number]
type AcknowledgedPartition = Response<typeof ShareAcknowledge>['responses'][number]['partitions'][number]

/** A request that is not answered yet. */
export interface Asked {
  readonly nodeId: number
  readonly api: string
  readonly request: RequestInput<typeof ShareFetch>
  /** By partition: what differs from an answer that all is well, and nothing there. */
  readonly answer: (
    partitions?: Readonly<Record<number, Partial<FetchedPartition & AcknowledgedPartition>>>,
    whole?: { readonly errorCode?: number; readonly acquisitionLockTimeoutMs?: number },
  ) => Promise<void>
  readonly fail: (error: Error) => Promise<void>
}

/** What an answer says of a partition in which these offsets were acquired. */
export function acquired(firstOffset: bigint, lastOffset: bigint, deliveryCount = 1): Partial<FetchedPartition> {
  const builder = new RecordBatchBuilder({ baseOffset: firstOffset })
  for (let offset = firstOffset; offset <= lastOffset; offset++) builder.add(0, null, String(offset), [])
  return { records: builder.build(), acquiredRecords: [{ firstOffset, lastOffset, deliveryCount }] }
}

export class StagedBrokers {
  readonly time = new SimulatedTime()
  readonly clock = new SimulatedClock(this.time)
  /** Oldest first. */
  readonly asked: Asked[] = []
  readonly errors: Error[] = []
  readonly results: AcknowledgementResult[] = []
  readonly reading: ShareReading<Uint8Array, string>
  /** Of the APIs of share groups. */
  version = 2
  /** To which no connection is open yet. */
  readonly #connecting = new Map<number, PromiseWithResolvers<void>>()
  #image: ClusterImage = emptyImage
  #imageChanged: () => void = () => {}

  constructor(options: Record<string, unknown> = {}) {
    const settings = settingsFrom(
      shareConsumerOptions,
      {
        groupId: 'g',
        topics: ['t'],
        value: serde.string,
        onError: (error: Error) => void this.errors.push(error),
        onAcknowledged: (results: readonly AcknowledgementResult[]) => void this.results.push(...results),
        ...options,
      },
      'test',
    )
    const cluster = {
      world: { clock: this.clock, random: new SeededRandom(1) },
      settings,
      metadata: this.#metadata(),
      send: <A extends Api>(destination: { node: number }, api: A, request: RequestOf<A>, { signal }: SendOptions) =>
        this.#send(destination.node, api, request, signal),
      holdProcess: () => this.clock.holdProcess(),
    } as unknown as Cluster
    this.reading = new ShareReading({
      cluster,
      settings,
      metrics: new ShareMetrics(new Metrics(this.clock, {})),
      openMembership: () => ({
        memberId: 'AAAAAAAAAAAAAAAAAAAAAg',
        join() {},
        subscriptionChanged() {},
        polled() {},
        waiting() {},
        leave: () => Promise.resolve(),
        async [Symbol.asyncDispose]() {},
      }),
    })
    this.reading.subscribe(['t'])
  }

  /** The leaders of partitions 0, 1, …, as metadata say from now on; there are no other brokers than those. */
  leaders(...nodeIds: readonly number[]): void {
    const partitions = nodeIds.map((leaderId) => ({
      leaderId,
      leaderEpoch: 1,
      replicas: [],
      isr: [],
      offlineReplicas: [],
      errorCode: 0,
    }))
    this.#image = {
      ...emptyImage,
      brokers: new Map(nodeIds.map((id) => [id, { id, host: `broker-${id}`, port: 9092, rack: null }])),
      topics: new Map([['t', { name: 't', id: topicId, isInternal: false, partitions }]]),
      topicNames: new Map([[topicId, 't']]),
    }
    this.#imageChanged()
  }

  assign(...partitions: readonly number[]): void {
    this.reading.assigned(partitions.map((partition) => ({ topicId, partition })))
  }

  /** Requests to the broker wait for a connection, until the function returned is called. */
  connectSlowly(nodeId: number): () => void {
    const connecting = Promise.withResolvers<void>()
    this.#connecting.set(nodeId, connecting)
    return connecting.resolve
  }

  /** Lets happen what needs no time, and gives the only request under way. */
  async request(api: 'ShareFetch' | 'ShareAcknowledge', nodeId = 1): Promise<Asked> {
    await this.time.advance(0)
    const asked = this.asked.filter((one) => one.nodeId === nodeId)
    assert.deepEqual(
      asked.map((one) => one.api),
      [api],
    )
    return asked[0]!
  }

  #metadata() {
    const image = (): ClusterImage => this.#image
    return {
      get image() {
        return image()
      },
      watch: () => ({ set() {}, [Symbol.dispose]() {} }),
      onChange: (listener: () => void) => {
        this.#imageChanged = listener
        return { [Symbol.dispose]() {} }
      },
      refreshSoon() {},
      leaderMoved: () => false,
    }
  }

  async #send<A extends Api>(
    nodeId: number,
    api: A,
    request: RequestOf<A>,
    signal: AbortSignal | undefined,
  ): Promise<Response<A>> {
    await this.#connecting.get(nodeId)?.promise
    return new Promise((resolve, reject) => {
      const body = (typeof request === 'function' ? request(this.version) : request) as Asked['request']
      const settled = async (settle: () => void): Promise<void> => {
        this.asked.splice(this.asked.indexOf(asked), 1)
        settle()
        await this.time.advance(0)
      }
      const asked: Asked = {
        nodeId,
        api: api.name,
        request: body,
        answer: (partitions = {}, whole = {}) =>
          settled(() => resolve(answerOf(body, partitions, whole) as unknown as Response<A>)),
        fail: (error) => settled(() => reject(error)),
      }
      this.asked.push(asked)
      signal?.addEventListener('abort', () => void asked.fail(signal.reason as Error), { once: true })
    })
  }
}

interface SendOptions {
  readonly signal?: AbortSignal
}

/** What is not told of is well, if it was acknowledged; other partitions are left out. */
function answerOf(
  { topics }: Pick<Request<typeof ShareFetch>, 'topics'> | Asked['request'],
  partitions: Parameters<Asked['answer']>[0] & object,
  whole: Parameters<Asked['answer']>[1],
): object {
  const told = new Map(Object.entries(partitions).map(([partition, differs]) => [Number(partition), differs]))
  for (const { partitions: named } of topics)
    for (const { partitionIndex, acknowledgementBatches } of named)
      if (acknowledgementBatches.length > 0 && !told.has(partitionIndex)) told.set(partitionIndex, {})
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    acquisitionLockTimeoutMs: 30_000,
    nodeEndpoints: [],
    responses: [
      {
        topicId,
        partitions: [...told].map(([partitionIndex, differs]) => ({
          partitionIndex,
          errorCode: ErrorCode.NONE,
          errorMessage: null,
          acknowledgeErrorCode: ErrorCode.NONE,
          acknowledgeErrorMessage: null,
          currentLeader: { leaderId: 0, leaderEpoch: 0 },
          records: null,
          acquiredRecords: [],
          ...differs,
        })),
      },
    ],
    ...whole,
  }
}
