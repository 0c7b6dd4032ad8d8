/** A broker that leads every partition of topic `t`, and answers Produce as the test says. */
import {
  InitProducerId,
  Metadata,
  Produce,
  readRecords,
  baseSequence,
  producerEpoch,
  recordsCount,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import { answers, ScriptedBroker, type Script } from '../../testing/scripted-broker.ts'

export const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

export type ProduceAnswer = Partial<ResponseInput<typeof Produce>['responses'][number]['partitionResponses'][number]>

/** A batch as the leader sees it. */
export interface SeenBatch {
  readonly partition: number
  readonly values: readonly string[]
  readonly baseSequence: number
  readonly epoch: number
  /** How many batches were seen before it. */
  readonly index: number
}

export interface LeaderOptions {
  readonly partitions?: number
  /** What metadata say; the broker itself is 1. */
  readonly leaderId?: number
  /** What to answer; null: nothing. Default: written at the next offset. */
  readonly answer?: (batch: SeenBatch) => ProduceAnswer | null | Promise<ProduceAnswer | null>
  readonly scripts?: readonly Script[]
  /** Beside `responses`. */
  readonly around?: Partial<ResponseInput<typeof Produce>>
}

export class ScriptedLeader implements AsyncDisposable {
  readonly broker: ScriptedBroker
  readonly seen: SeenBatch[]
  /** Partitions in each request. */
  readonly requests: Request<typeof Produce>[]

  private constructor(broker: ScriptedBroker, seen: SeenBatch[], requests: Request<typeof Produce>[]) {
    this.broker = broker
    this.seen = seen
    this.requests = requests
  }

  get address(): string {
    return this.broker.address
  }

  static async start({
    partitions = 1,
    leaderId = 1,
    answer,
    scripts = [],
    around = {},
  }: LeaderOptions = {}): Promise<ScriptedLeader> {
    const seen: SeenBatch[] = []
    const requests: Request<typeof Produce>[] = []
    const ends: number[] = []
    const own = [
      answers(InitProducerId, () => ({ throttleTimeMs: 0, errorCode: 0, producerId: 7n, producerEpoch: 0 })),
      answers(Metadata, () => ({
        brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
        controllerId: 1,
        topics: [
          {
            errorCode: 0,
            name: 't',
            topicId: TOPIC_ID,
            isInternal: false,
            partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
              errorCode: 0,
              partitionIndex,
              leaderId,
              leaderEpoch: 5,
              replicaNodes: [1],
              isrNodes: [1],
              offlineReplicas: [],
            })),
          },
        ],
      })),
      answers(Produce, async (request) => {
        requests.push(request)
        let isUnanswered = false
        const responses = []
        for (const { name, topicId, partitionData } of request.topicData) {
          const partitionResponses = []
          for (const { index: partition, records } of partitionData) {
            const batch = {
              partition,
              values: [...readRecords(records!, 0)].map(({ value }) => Buffer.from(value ?? []).toString()),
              baseSequence: baseSequence(records!, 0),
              epoch: producerEpoch(records!, 0),
              index: seen.length,
            }
            seen.push(batch)
            const own = answer === undefined ? {} : await answer(batch)
            if (own === null) {
              isUnanswered = true
              continue
            }
            const baseOffset = BigInt(ends[partition] ?? 0)
            if ((own.errorCode ?? 0) === 0) ends[partition] = (ends[partition] ?? 0) + recordsCount(records!, 0)
            partitionResponses.push({ index: partition, errorCode: 0, baseOffset, ...own })
          }
          responses.push({ name, topicId, partitionResponses })
        }
        return isUnanswered ? null : { responses, throttleTimeMs: 0, ...around }
      }),
      ...scripts,
    ]
    const broker: ScriptedBroker = await ScriptedBroker.start(own)
    return new ScriptedLeader(broker, seen, requests)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.broker[Symbol.asyncDispose]()
  }
}
