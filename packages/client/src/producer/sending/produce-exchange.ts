/** Produce, request and answer: which version a broker gets, and which batch an answer is for. */
import {
  Compression,
  ErrorCode,
  KafkaError,
  Produce,
  ZERO_UUID,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { ProducerBatch } from '../batches/producer-batch.ts'

/** Records in batches of magic 2, which is all we write (Kafka 0.11). */
const OLDEST_VERSION = 3
const ZSTD_SINCE = 7
/** From the next one on a request adds its partitions to the transaction by itself (KIP-890). */
const NEWEST_WITHOUT_IMPLICIT_PARTITIONS = 11
const TOPIC_IDS_SINCE = 13

type Answer = Response<typeof Produce>
export type PartitionAnswer = Answer['responses'][number]['partitionResponses'][number]

/** How requests of a producer are to be written. */
export interface ProduceOptions {
  readonly acks: -1 | 0 | 1
  readonly timeoutMs: number
  readonly compression: number
  readonly transactionalId: string | null
  /** Transactions by the protocol of `transaction.version` 2. */
  readonly isVersion2: boolean
}

/**
 * The version for a broker whose newest is `newest`.
 * @throws KafkaError UNSUPPORTED_VERSION, UNSUPPORTED_COMPRESSION_TYPE for brokers that are too old.
 */
export function produceVersion(newest: number, batches: readonly ProducerBatch[], options: ProduceOptions): number {
  if (newest < OLDEST_VERSION)
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_VERSION,
      `the broker knows Produce up to version ${newest} only; Kafka 0.11 is the oldest that this client can write to`,
    )
  if (options.compression === Compression.ZSTD && newest < ZSTD_SINCE)
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      'brokers take zstd since Kafka 2.1, this one is older; choose another compressionType',
    )
  if (options.transactionalId !== null && !options.isVersion2)
    return Math.min(newest, NEWEST_WITHOUT_IMPLICIT_PARTITIONS)
  return batches.every(hasTopicId) ? newest : Math.min(newest, TOPIC_IDS_SINCE - 1)
}

/** Batches of a topic are to stand together; they do when they were drained so. */
export function produceRequest(
  batches: readonly ProducerBatch[],
  { acks, timeoutMs, transactionalId }: ProduceOptions,
): RequestInput<typeof Produce> {
  const topicData: { name: string; topicId: string; partitionData: { index: number; records: Uint8Array }[] }[] = []
  for (const batch of batches) {
    const { topic, partition } = batch.queue
    const data = { index: partition, records: batch.finish(transactionalId !== null) }
    const own = topicData.find(({ name }) => name === topic.name)
    if (own === undefined) topicData.push({ name: topic.name, topicId: idOf(topic.image), partitionData: [data] })
    else own.partitionData.push(data)
  }
  return { transactionalId, acks, timeoutMs, topicData }
}

/** Calls back with each batch and what the answer says of it, null when it says nothing. */
export function matchAnswer(
  batches: readonly ProducerBatch[],
  {
    request,
    answer,
    version,
  }: { readonly request: RequestInput<typeof Produce>; readonly answer: Answer; readonly version: number },
  settle: (batch: ProducerBatch, answer: PartitionAnswer | null) => void,
): void {
  const left = [...batches]
  for (const { name, topicId, partitionResponses } of answer.responses) {
    // By the ids of the request, as a topic may have got another since.
    const topicName = version >= TOPIC_IDS_SINCE ? nameIn(request, topicId) : name
    for (const partition of partitionResponses) {
      const at = left.findIndex((batch) => isFor(batch, topicName, partition.index))
      if (at >= 0) settle(left.splice(at, 1)[0]!, partition)
    }
  }
  for (const batch of left) settle(batch, null)
}

function nameIn({ topicData }: RequestInput<typeof Produce>, wanted: string): string | undefined {
  return topicData.find(({ topicId }) => topicId === wanted)?.name
}

function isFor({ queue }: ProducerBatch, topicName: string | undefined, partition: number): boolean {
  return queue.partition === partition && queue.topic.name === topicName
}

function hasTopicId({ queue }: ProducerBatch): boolean {
  return idOf(queue.topic.image) !== ZERO_UUID
}

function idOf(image: { readonly id: string } | null): string {
  return image?.id ?? ZERO_UUID
}
