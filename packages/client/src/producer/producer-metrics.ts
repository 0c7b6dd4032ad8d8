/** What a producer counts, under the names of Kafka's. One call per batch or request, none per record. */
import { channels } from '../observe/channels.ts'
import type { Distribution, Meter, Metrics } from '../observe/metrics.ts'
import type { ProducerBatch } from './producer-batch.ts'

const group = 'producer-metrics'

export interface ProducerGauges {
  readonly bufferTotalBytes: () => number
  readonly bufferAvailableBytes: () => number
  /** Sends that wait for metadata or memory. */
  readonly waitingSends: () => number
}

export class ProducerMetrics {
  readonly #clientId: string | null
  readonly #metrics: Metrics
  readonly #sent: Meter
  readonly #errors: Meter
  readonly #retries: Meter
  readonly #splits: Meter
  readonly #batchSize: Distribution
  readonly #compressionRate: Distribution
  readonly #queueTime: Distribution
  readonly #recordsPerRequest: Distribution
  readonly #throttleTime: Distribution
  /** By topic. */
  readonly #topics = new Map<string, { readonly records: Meter; readonly bytes: Meter }>()

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
    this.#batchSize = metrics.distribution({ group, name: 'batch-size' })
    this.#compressionRate = metrics.distribution({ group, name: 'compression-rate' })
    this.#queueTime = metrics.distribution({ group, name: 'record-queue-time' })
    this.#recordsPerRequest = metrics.distribution({ group, name: 'records-per-request' })
    this.#throttleTime = metrics.distribution({ group, name: 'produce-throttle-time' })
    metrics.gauge({ group, name: 'buffer-total-bytes' }, gauges.bufferTotalBytes)
    metrics.gauge({ group, name: 'buffer-available-bytes' }, gauges.bufferAvailableBytes)
    metrics.gauge({ group, name: 'waiting-threads' }, gauges.waitingSends)
  }

  /** A request goes out. */
  sent(batches: readonly ProducerBatch[], nowMs: number): void {
    let records = 0
    for (const batch of batches) {
      const { recordsCount, sizeBytes } = batch
      records += recordsCount
      this.#batchSize.record(sizeBytes)
      this.#compressionRate.record(batch.compressionRatio)
      this.#queueTime.record(nowMs - batch.createdMs)
      const topic = this.#topic(batch.queue.topic.name)
      topic.records.record(recordsCount)
      topic.bytes.record(sizeBytes)
    }
    this.#sent.record(records)
    this.#recordsPerRequest.record(records)
  }

  answered(throttleTimeMs: number): void {
    this.#throttleTime.record(throttleTimeMs)
  }

  acknowledged(batch: ProducerBatch, baseOffset: bigint): void {
    if (channels.producedBatch.hasSubscribers) this.#tell(batch, baseOffset, null)
  }

  failed(batch: ProducerBatch, error: Error): void {
    this.#errors.record(batch.recordsCount)
    if (channels.producedBatch.hasSubscribers) this.#tell(batch, -1n, error)
  }

  /** A record never got into a batch. */
  refused(): void {
    this.#errors.record()
  }

  retried({ recordsCount }: ProducerBatch): void {
    this.#retries.record(recordsCount)
  }

  split(): void {
    this.#splits.record()
  }

  #topic(topic: string): { readonly records: Meter; readonly bytes: Meter } {
    let meters = this.#topics.get(topic)
    if (meters === undefined) {
      const definition = { group: 'producer-topic-metrics', tags: { topic } }
      meters = {
        records: this.#metrics.meter({ ...definition, name: 'record-send' }),
        bytes: this.#metrics.meter({ ...definition, name: 'byte' }),
      }
      this.#topics.set(topic, meters)
    }
    return meters
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
