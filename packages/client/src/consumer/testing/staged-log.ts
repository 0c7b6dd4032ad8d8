/**
 * A broker for tests with one topic `t` and one partition, whose log, leader epoch and answers are what the test makes of them: for what real brokers do
 * too seldom to be waited for.
 */
import type { TestContext } from 'node:test'
import {
  ErrorCode,
  Fetch,
  FindCoordinator,
  ListOffsets,
  Metadata,
  OffsetCommit,
  OffsetFetch,
  OffsetForLeaderEpoch,
  RecordBatchBuilder,
  ZERO_UUID,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import { Kafka } from '../../kafka.ts'
import { answers, ScriptedBroker, type Script } from '../../testing/scripted-broker.ts'

type FetchRequest = Request<typeof Fetch>
type FetchedPartition = ResponseInput<typeof Fetch>['responses'][number]['partitions'][number]

export const t0 = { topic: 't', partition: 0 }

export class StagedLog {
  readonly kafka: Kafka
  readonly broker: ScriptedBroker
  /** What came, by API name. */
  readonly requests: { readonly api: string; readonly version: number; readonly request: unknown }[]
  topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  leaderEpoch = 0
  /** Where epochs end, for OffsetForLeaderEpoch; -1n: not known. */
  epochEnd: (epoch: number) => { readonly leaderEpoch: number; readonly endOffset: bigint }
  /** What is answered to a fetch of the partition, instead of what the log holds. */
  onFetch: ((fetchOffset: bigint, request: FetchRequest) => Partial<FetchedPartition> | null) | null = null
  /** For the whole answer. */
  fetchError = 0
  /** Null: the answer leaves the partition out. */
  onCommitted: (attempt: number) => { readonly errorCode: number; readonly offset?: bigint } | null = () => ({
    errorCode: 0,
  })
  onCommit: (attempt: number) => number = () => 0
  startOffset = 0n
  #batches: { readonly bytes: Uint8Array; readonly lastOffset: bigint }[] = []
  #wake: (() => void)[] = []
  #committedAsked = 0
  #commits = 0

  private constructor(broker: ScriptedBroker, requests: StagedLog['requests']) {
    this.broker = broker
    this.requests = requests
    this.epochEnd = () => ({ leaderEpoch: this.leaderEpoch, endOffset: this.endOffset })
    this.kafka = new Kafka({
      brokers: broker.address,
      enableMetricsPush: false,
      retryBackoffMs: 5,
      retryBackoffMaxMs: 10,
      metadataMaxAgeMs: 60_000,
      defaultApiTimeoutMs: 5_000,
    })
  }

  static async stage(context: TestContext, { withIds = true } = {}): Promise<StagedLog> {
    let log: StagedLog | null = null
    const requests: StagedLog['requests'] = []
    const script = <A extends Parameters<typeof answers>[0]>(
      api: A,
      handle: (log: StagedLog, request: Request<A>, version: number) => ResponseInput<A> | Promise<ResponseInput<A>>,
    ): Script =>
      answers(api, (request, version) => {
        requests.push({ api: api.name, version, request })
        return handle(log!, request as Request<A>, version) as never
      })
    const broker = await ScriptedBroker.start([
      script(Metadata, (one) => one.#metadata(withIds)),
      script(ListOffsets, (one, { topics }) => one.#listOffsets(topics[0]!.partitions[0]!.timestamp)),
      script(OffsetForLeaderEpoch, (one, { topics }) => one.#epochEnds(topics[0]!.partitions[0]!.leaderEpoch)),
      script(FindCoordinator, (one) => ({
        coordinators: [
          { key: 'g', nodeId: 1, host: '127.0.0.1', port: one.broker.port, errorCode: 0, errorMessage: null },
        ],
      })),
      script(OffsetFetch, (one, request) => one.#committed(request)),
      script(OffsetCommit, (one, request) => one.#commit(request)),
      script(Fetch, (one, request) => one.#fetch(request)),
    ])
    context.after(() => broker[Symbol.asyncDispose]())
    log = new StagedLog(broker, requests)
    return log
  }

  get endOffset(): bigint {
    return (this.#batches.at(-1)?.lastOffset ?? this.startOffset - 1n) + 1n
  }

  count(api: string): number {
    return this.requests.filter((one) => one.api === api).length
  }

  /** The offsets that were committed, in order. */
  committed(): bigint[] {
    return this.requests
      .filter(({ api }) => api === 'OffsetCommit')
      .map(({ request }) => (request as Request<typeof OffsetCommit>).topics[0]!.partitions[0]!.committedOffset)
  }

  /** A batch with these values, of the present epoch. */
  append(...values: readonly string[]): void {
    const builder = new RecordBatchBuilder({ baseOffset: this.endOffset, partitionLeaderEpoch: this.leaderEpoch })
    for (const value of values) builder.append({ timestamp: 0n, value: Buffer.from(value) })
    this.appendBytes(builder.build(), values.length)
  }

  /** As it is: `count` records. */
  appendBytes(bytes: Uint8Array, count: number): void {
    this.#batches.push({ bytes, lastOffset: this.endOffset + BigInt(count) - 1n })
    this.wake()
  }

  truncate(endOffset: bigint): void {
    this.#batches = this.#batches.filter(({ lastOffset }) => lastOffset < endOffset)
  }

  /** Fetches that wait are answered. */
  wake(): void {
    for (const resolve of this.#wake.splice(0)) resolve()
  }

  #metadata(withIds: boolean): ResponseInput<typeof Metadata> {
    return {
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: this.broker.port }],
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 't',
          topicId: withIds ? this.topicId : ZERO_UUID,
          partitions: [
            {
              errorCode: 0,
              partitionIndex: 0,
              leaderId: 1,
              leaderEpoch: this.leaderEpoch,
              replicaNodes: [1],
              isrNodes: [1],
              offlineReplicas: [],
            },
          ],
        },
      ],
    }
  }

  #listOffsets(timestamp: bigint): ResponseInput<typeof ListOffsets> {
    const offset = timestamp === -2n ? this.startOffset : timestamp === -1n ? this.endOffset : -1n
    const { leaderEpoch } = this
    return {
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0, errorCode: 0, oldStyleOffsets: [], offset, leaderEpoch }] },
      ],
    }
  }

  #epochEnds(epoch: number): ResponseInput<typeof OffsetForLeaderEpoch> {
    return { topics: [{ topic: 't', partitions: [{ partition: 0, errorCode: 0, ...this.epochEnd(epoch) }] }] }
  }

  #committed({ groups }: Request<typeof OffsetFetch>): ResponseInput<typeof OffsetFetch> {
    const { groupId, topics } = groups[0]!
    const committed = this.onCommitted(++this.#committedAsked)
    if (committed === null) return { topics: [], groups: [{ groupId, topics: [] }] }
    const { errorCode, offset = -1n } = committed
    const partitions = [{ partitionIndex: 0, committedOffset: offset, metadata: '', errorCode }]
    const { name, topicId } = topics![0]!
    return { topics: [], groups: [{ groupId, topics: [{ name, topicId, partitions }] }] }
  }

  #commit({ topics }: Request<typeof OffsetCommit>): ResponseInput<typeof OffsetCommit> {
    const errorCode = this.onCommit(++this.#commits)
    const { name, topicId } = topics[0]!
    return { topics: [{ name, topicId, partitions: [{ partitionIndex: 0, errorCode }] }] }
  }

  async #fetch(request: FetchRequest): Promise<ResponseInput<typeof Fetch>> {
    const asked = request.topics[0]?.partitions[0]
    if (asked === undefined || this.fetchError !== 0) {
      if (this.fetchError === 0) await this.#somethingNew(request.maxWaitMs)
      return { errorCode: this.fetchError, sessionId: 0, responses: [] }
    }
    let partition = this.onFetch?.(asked.fetchOffset, request) ?? null
    if (partition === null) {
      partition = this.#read(asked.fetchOffset, asked.partitionMaxBytes)
      if ((partition.records ?? null) === null && request.maxWaitMs > 0) {
        await this.#somethingNew(request.maxWaitMs)
        partition = this.onFetch?.(asked.fetchOffset, request) ?? this.#read(asked.fetchOffset, asked.partitionMaxBytes)
      }
    }
    const { topic, topicId } = request.topics[0]!
    return {
      errorCode: 0,
      sessionId: 0,
      responses: [
        {
          topic,
          topicId,
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: this.endOffset,
              lastStableOffset: this.endOffset,
              logStartOffset: this.startOffset,
              abortedTransactions: null,
              records: null,
              ...partition,
            },
          ],
        },
      ],
    }
  }

  #read(fetchOffset: bigint, maxBytes: number): Partial<FetchedPartition> {
    if (fetchOffset < this.startOffset || fetchOffset > this.endOffset)
      return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }
    const found: Uint8Array[] = []
    let sizeBytes = 0
    for (const { bytes, lastOffset } of this.#batches) {
      if (lastOffset < fetchOffset) continue
      if (found.length > 0 && sizeBytes + bytes.length > maxBytes) break
      found.push(bytes)
      sizeBytes += bytes.length
    }
    return { records: found.length === 0 ? null : Buffer.concat(found) }
  }

  #somethingNew(maxWaitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(maxWaitMs, 50))
      this.#wake.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
