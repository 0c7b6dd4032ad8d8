/** The lines of topics: sends that wait until their topic, or the partition they want of it, is known. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { backoffMs } from '../../cluster/backoff.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { WaitTime } from '../../observe/metrics.ts'
import type { TopicInterest } from './topic-interest.ts'
import type { TopicQueues } from '../batches/topic-queues.ts'
import type { AnyRecord, WaitingSend } from './waiting-send.ts'
import type { Since, Submission, WaitingSends } from './waiting-sends.ts'

export interface TopicLinesOptions {
  readonly cluster: Cluster
  readonly interest: TopicInterest
  readonly waiting: WaitingSends
  readonly metadataWait: WaitTime
  readonly maxBlockMs: number
  readonly allowAutoCreateTopics: boolean
  /** What the send waited for is known; it is out of its line, and waits no more unless it is put into another. */
  readonly go: (topic: TopicQueues, send: WaitingSend) => void
}

export class TopicLines {
  readonly #options: TopicLinesOptions
  readonly #awaited = new Set<TopicQueues>()

  constructor(options: TopicLinesOptions) {
    this.#options = options
  }

  join(topic: TopicQueues, submission: Submission, at: number, since?: Since): void {
    topic.lastUsedMs = this.#nowMs()
    this.#options.waiting.join(topic.line, submission, at, at + 1, since)
    if (this.#awaited.has(topic)) return
    this.#awaited.add(topic)
    void this.#await(topic)
  }

  /** Until nothing waits for the topic. */
  async #await(topic: TopicQueues): Promise<void> {
    const { line } = topic
    for (let attempt = 1; line.length > 0; attempt++) {
      const head = line[0]!
      try {
        await this.#options.metadataWait.of(this.#makeKnown(topic, head, attempt))
      } catch (error) {
        this.#cannotKnow(topic, head, error as Error)
      }
      this.#serve(topic)
    }
    this.#awaited.delete(topic)
  }

  /** Waits for what `head` wants, or a step towards it. @throws when it cannot be had in its time. */
  async #makeKnown(topic: TopicQueues, head: WaitingSend, attempt: number): Promise<void> {
    const { interest, maxBlockMs, allowAutoCreateTopics: allowCreation } = this.#options
    const { metadata, world, signal, settings } = this.#options.cluster
    const timeoutMs = Math.max(0, head.deadlineMs - this.#nowMs())
    interest.renew()
    if (topic.image === null) {
      topic.use(await metadata.topic(topic.name, { timeoutMs, allowCreation, signal }))
      return
    }
    const { partition } = head.records[head.at]!
    if (isKnown(topic, head.records[head.at]!)) return
    if (timeoutMs === 0)
      throw new KafkaError(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `${topic.name} has ${topic.partitionsCount} partitions, numbered from 0; after ${maxBlockMs} ms there still was no partition ${partition}`,
      )
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = settings
    if (attempt > 1)
      await world.clock.sleep(
        Math.min(timeoutMs, backoffMs(attempt - 1, { initialMs, maxMs, random: world.random })),
        signal,
      )
    try {
      await metadata.refresh(signal)
    } catch (error) {
      if (!(error instanceof KafkaError && error.retriable)) throw error
    }
  }

  /** The topic, or the partition that `head` wants, could not be had in its time; the topic is missing for those who came with it too. */
  #cannotKnow(topic: TopicQueues, head: WaitingSend, error: Error): void {
    const { waiting } = this.#options
    const isPassing = error instanceof KafkaError && error.retriable
    const isTopicMissing = topic.image === null
    for (const send of topic.line.slice()) {
      if (!isPassing) waiting.refuse(send, error)
      else if (send === head || (isTopicMissing && send.deadlineMs <= head.deadlineMs))
        waiting.refuse(send, this.#waitedInVain(error))
    }
  }

  #waitedInVain(error: KafkaError): KafkaError {
    const { maxBlockMs } = this.#options
    return new KafkaError(error.code, `${error.message} (gave up after maxBlockMs, ${maxBlockMs} ms)`, { cause: error })
  }

  #serve(topic: TopicQueues): void {
    const { line } = topic
    while (line.length > 0) {
      const send = line[0]!
      if (!isKnown(topic, send.records[send.at]!)) return
      line.shift()
      this.#options.go(topic, send)
    }
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}

/** Whether the partition that the record wants, or any, is known. */
export function isKnown({ partitionsCount }: TopicQueues, { partition }: AnyRecord): boolean {
  return partition === undefined ? partitionsCount > 0 : partition < partitionsCount
}
