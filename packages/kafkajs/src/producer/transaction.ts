/** A transaction of KafkaJS's producer. */
import type { Producer as ClientProducer } from '@millrace/client'
import { committableFrom } from '../consumer/places.ts'
import { KafkaJSNonRetriableError } from '../errors.ts'
import { translated } from '../translate-error.ts'
import type { ProducerBatch, ProducerRecord, RecordMetadata, Sender, TopicMessages } from './producer.ts'

export interface PartitionOffset {
  partition: number
  offset: string
}

export interface TopicOffsets {
  topic: string
  partitions: PartitionOffset[]
}

export interface Offsets {
  topics: TopicOffsets[]
}

export interface Transaction extends Sender {
  sendOffsets(offsets: Offsets & { consumerGroupId: string }): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
  isActive(): boolean
}

export interface TransactionOptions {
  readonly producer: Pick<ClientProducer<never>, 'sendOffsetsToTransaction' | 'commitTransaction' | 'abortTransaction'>
  readonly send: (topicMessages: readonly TopicMessages[]) => Promise<RecordMetadata[]>
  /** Called once, when it is committed or aborted. */
  readonly ended: () => void
}

export function createTransaction({ producer, send, ended }: TransactionOptions): Transaction {
  let isActive = true
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!isActive) throw new KafkaJSNonRetriableError('Cannot continue to use transaction once ended')
    return await translated(work())
  }
  const end = (work: () => Promise<void>) => (): Promise<void> =>
    guarded(async () => {
      await work()
      isActive = false
      ended()
    })
  const sendBatch = ({ topicMessages = [] }: ProducerBatch): Promise<RecordMetadata[]> =>
    guarded(() => send(topicMessages))
  return {
    send: ({ topic, messages }: ProducerRecord) => sendBatch({ topicMessages: [{ topic, messages }] }),
    sendBatch,
    sendOffsets: ({ consumerGroupId, topics }) =>
      guarded(() => producer.sendOffsetsToTransaction(flat(topics), consumerGroupId)),
    commit: end(() => producer.commitTransaction()),
    abort: end(() => producer.abortTransaction()),
    isActive: () => isActive,
  }
}

/** One entry per partition. Of metadata KafkaJS's types say nothing, but it commits them. */
export function flat(topics: readonly TopicOffsets[]): ReturnType<typeof committableFrom>[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map((one: PartitionOffset & { metadata?: string }) => committableFrom({ topic, ...one })),
  )
}
