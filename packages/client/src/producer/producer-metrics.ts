/** What a producer counts, under the names of Kafka's. One call per batch or request, none per record. */
import { channels } from '../observe/channels.ts'
import type { Distribution, Meter, Metrics, WaitTime } from '../observe/metrics.ts'
import type { ProducerBatch } from './batches/producer-batch.ts'

const group = 'producer-metrics'

export interface ProducerGauges {
  readonly bufferTotalBytes: () => number
  readonly bufferAvailableBytes: () => number
  /** Sends that wait for metadata or memory. */
  readonly waitingSends: () => number
  readonly requestsInFlight: () => number
}

interface TopicCounts {
  readonly records: Meter
  readonly bytes: Meter
  readonly compressionRate: Distribution
  readonly errors: Meter
  readonly retries: Meter
}

export class ProducerMetrics {
  readonly flush: WaitTime
  /** While topics of records are asked for. */
  readonly metadataWait: WaitTime
  /** Of sends that wait for memory. */
  readonly memoryWait: WaitTime
  readonly transactions: Readonly<Record<'init' | 'sendOffsets' | 'commit' | 'abort', WaitTime>>
  readonly #clientId: string | null
  readonly #metrics: Metrics
  readonly #sent: Meter
  readonly #errors: Meter
  readonly #retries: Meter
  readonly #splits: Meter
  readonly #exhausted: Meter
  readonly #batchSize: Distribution
  readonly #recordSize: Distribution
  readonly #compressionRate: Distribution
  readonly #queueTime: Distribution
  readonly #recordsPerRequest: Distribution
  readonly #throttleTime: Distribution
  /** By topic. */
  readonly #topics = new Map<string, TopicCounts>()

  constructor(
    metrics: Metrics,
    { clientId, gauges }: { readonly clientId: string | null; readonly gauges: ProducerGauges },
  ) {
    this.#clientId = clientId
    this.#metrics = metrics
    this.#sent = metrics.meter({ group, name: 'record-send' })
    this.#errors = metrics.meter({ group, name: 'record-error' })
    this.#retries = metrics.meter({ group, name: 'record-retry' })
    this.#splits = metrics.meter({ group, name: 'batch-split' })
    this.#exhausted = metrics.meter({ group, name: 'buffer-exhausted' })
    this.#batchSize = metrics.distribution({ group, name: 'batch-size' })
    this.#recordSize = metrics.distribution({ group, name: 'record-size' })
    this.#compressionRate = metrics.distribution({ group, name: 'compression-rate' })
    this.#queueTime = metrics.distribution({ group, name: 'record-queue-time' })
    this.#recordsPerRequest = metrics.distribution({ group, name: 'records-per-request' })
    this.#throttleTime = metrics.distribution({ group, name: 'produce-throttle-time' })
    metrics.gauge({ group, name: 'buffer-total-bytes' }, gauges.bufferTotalBytes)
    metrics.gauge({ group, name: 'buffer-available-bytes' }, gauges.bufferAvailableBytes)
    metrics.gauge({ group, name: 'waiting-threads' }, gauges.waitingSends)
    metrics.gauge({ group, name: 'requests-in-flight' }, gauges.requestsInFlight)
    const waitTime = (name: string): WaitTime => metrics.waitTime({ group, name })
    this.flush = waitTime('flush')
    this.metadataWait = waitTime('metadata-wait')
    this.memoryWait = waitTime('bufferpool-wait')
    metrics.gauge({ group, name: 'bufferpool-wait-ratio' }, (nowMs) => this.memoryWait.ratio(nowMs))
    this.transactions = {
      init: waitTime('txn-init'),
      sendOffsets: waitTime('txn-send-offsets'),
      commit: waitTime('txn-commit'),
      abort: waitTime('txn-abort'),
    }
  }

  /** A request goes out. */
  sent(batches: readonly ProducerBatch[], nowMs: number): void {
    let records = 0
    for (const batch of batches) {
      const { recordsCount, sizeBytes } = batch
      records += recordsCount
      this.#batchSize.record(sizeBytes, nowMs)
      this.#recordSize.record(batch.largestRecordBytes, nowMs)
      this.#compressionRate.record(batch.compressionRatio, nowMs)
      this.#queueTime.record(nowMs - batch.createdMs, nowMs)
      const topic = this.#topic(batch)
      topic.records.record(recordsCount, nowMs)
      topic.bytes.record(sizeBytes, nowMs)
      topic.compressionRate.record(batch.compressionRatio, nowMs)
    }
    this.#sent.record(records, nowMs)
    this.#recordsPerRequest.record(records, nowMs)
  }

  answered(throttleTimeMs: number): void {
    this.#throttleTime.record(throttleTimeMs)
  }

  acknowledged(batch: ProducerBatch, baseOffset: bigint): void {
    if (channels.producedBatch.hasSubscribers) this.#tell(batch, baseOffset, null)
  }

  failed(batch: ProducerBatch, error: Error): void {
    this.#errors.record(batch.recordsCount)
    this.#topic(batch).errors.record(batch.recordsCount)
    if (channels.producedBatch.hasSubscribers) this.#tell(batch, -1n, error)
  }

  /** A record never got into a batch. */
  refused(): void {
    this.#errors.record()
  }

  /** Records found no memory in their time; they are `refused` besides. */
  foundNoMemory(recordsCount: number): void {
    this.#exhausted.record(recordsCount)
  }

  retried(batch: ProducerBatch): void {
    this.#retries.record(batch.recordsCount)
    this.#topic(batch).retries.record(batch.recordsCount)
  }

  split(): void {
    this.#splits.record()
  }

  #topic({ queue }: ProducerBatch): TopicCounts {
    const topic = queue.topic.name
    let counts = this.#topics.get(topic)
    if (counts === undefined) {
      const metrics = this.#metrics
      const definition = { group: 'producer-topic-metrics', tags: { topic } }
      counts = {
        records: metrics.meter({ ...definition, name: 'record-send' }),
        bytes: metrics.meter({ ...definition, name: 'byte' }),
        compressionRate: metrics.average({ ...definition, name: 'compression-rate' }),
        errors: metrics.meter({ ...definition, name: 'record-error' }),
        retries: metrics.meter({ ...definition, name: 'record-retry' }),
      }
      this.#topics.set(topic, counts)
    }
    return counts
  }

  #tell({ queue, recordsCount, sizeBytes }: ProducerBatch, baseOffset: bigint, error: Error | null): void {
    const { topic, partition } = queue
    const message = {
      clientId: this.#clientId,
      topic: topic.name,
      partition,
      recordsCount,
      sizeBytes,
      baseOffset,
      error,
    }
    channels.producedBatch.publish(message)
  }
}
