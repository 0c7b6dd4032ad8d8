import type { ClientContext } from '../client-context.ts'
import type { ReadOptions } from '../consumer/consumer.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import { clientInstanceIdOf, TelemetryPush } from '../observe/telemetry/telemetry-push.ts'
import { tracedHandler } from '../observe/traced-handler.ts'
import { checkShareRunOptions } from './check-run-options.ts'
import { HeartMembership } from './membership/heart-membership.ts'
import { ShareGroupMetrics } from './membership/share-group-metrics.ts'
import type { shareConsumerOptions } from './options.ts'
import { AcquiredRecord, type AcquiredBatch } from './records/acquired-record.ts'
import type {
  Acknowledgement,
  AcknowledgementResult,
  ShareBatch,
  ShareConsumer,
  ShareRecord,
  ShareRunOptions,
} from './share-consumer.ts'
import { ShareMetrics } from './share-metrics.ts'
import { ShareReading } from './share-reading.ts'
import { ShareRunner } from './share-runner.ts'

export const SHARE_CONSUMER_METRICS = 'consumer-share-metrics'
const defaultCloseTimeoutMs = 30_000

/** Connects to nobody before records are asked for. */
export function openShareConsumer<K, V>(context: ClientContext<typeof shareConsumerOptions>): ShareConsumer<K, V> {
  return new OpenShareConsumer<K, V>(context)
}

class OpenShareConsumer<K, V> implements ShareConsumer<K, V> {
  readonly #context: ClientContext<typeof shareConsumerOptions>
  readonly #reading: ShareReading<K, V>
  readonly #telemetry: TelemetryPush | null
  /** Handed out by a loop, and not all acknowledged for sure: what the next request for records accepts, or insists on. */
  #handed: readonly AcquiredRecord<K, V>[] = []
  #isBeingRead = false
  #runner: ShareRunner<K, V> | null = null
  #closing: Promise<void> | null = null

  constructor(context: ClientContext<typeof shareConsumerOptions>) {
    this.#context = context
    const { cluster, settings, heartbeats, metrics, world } = context
    const groupMetrics = new ShareGroupMetrics(metrics, world.clock)
    const labels = {
      group_id: settings.groupId,
      ...(settings.clientRack === '' ? {} : { client_rack: settings.clientRack }),
    }
    this.#telemetry = settings.enableMetricsPush ? new TelemetryPush({ cluster, metrics, labels }) : null
    this.#reading = new ShareReading({
      cluster,
      settings,
      metrics: new ShareMetrics(metrics),
      openMembership: (owner) => new HeartMembership({ cluster, settings, owner, heartbeats, metrics: groupMetrics }),
    })
    if (settings.topics !== null) this.#reading.subscribe(settings.topics)
  }

  get acquisitionLockTimeoutMs(): number | null {
    return this.#reading.acknowledgements.lockTimeoutMs
  }

  subscribe(topics: readonly string[]): void {
    this.#reading.subscribe(topics)
  }

  subscription(): readonly string[] {
    return this.#reading.subscription
  }

  [Symbol.asyncIterator](): AsyncIterator<ShareRecord<K, V>> {
    return this.records()[Symbol.asyncIterator]()
  }

  async *records({ signal }: ReadOptions = {}): AsyncGenerator<ShareRecord<K, V>, void, undefined> {
    using _reading = this.#beginReading()
    for (;;) {
      this.#settleHanded()
      const batch = await this.#reading.next(this.#context.settings.maxPollRecords, signal)
      if (batch === null) return
      let next = 0
      try {
        for (const record of batch.records) {
          if (signal?.aborted === true || this.#closing !== null) return
          next++
          // Those before it took too long.
          if (!this.#reading.isLocked(record)) continue
          this.#handed = [record]
          yield record
          this.#settleHanded()
          this.#reading.polled()
        }
      } finally {
        this.#reading.putBack(batch.records.slice(next))
      }
    }
  }

  async *batches({ signal }: ReadOptions = {}): AsyncGenerator<ShareBatch<K, V>, void, undefined> {
    using _reading = this.#beginReading()
    for (;;) {
      this.#settleHanded()
      const batch: AcquiredBatch<K, V> | null = await this.#reading.next(this.#context.settings.maxPollRecords, signal)
      if (batch === null) return
      this.#handed = batch.records
      yield batch
    }
  }

  async run(options: ShareRunOptions<K, V>): Promise<void> {
    checkShareRunOptions(options)
    using _reading = this.#beginReading()
    const { settings, world } = this.#context
    this.#runner = new ShareRunner({
      ...options,
      eachRecord: tracedHandler(options.eachRecord, settings),
      reading: this.#reading,
      clock: world.clock,
      maxPollRecords: settings.maxPollRecords,
      handlerFailed: (error) => this.#reading.troubled(error),
    })
    try {
      await this.#runner.run()
    } finally {
      this.#runner = null
    }
  }

  acknowledge(record: ShareRecord<K, V>, acknowledgement: Acknowledgement = 'accept'): void {
    this.#reading.acknowledgements.acknowledge(own(record), acknowledgement)
  }

  renew(records: readonly ShareRecord<K, V>[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#reading.acknowledgements.renew(records.map(own), signal)
  }

  commit({ signal }: { readonly signal?: AbortSignal } = {}): Promise<readonly AcknowledgementResult[]> {
    return this.#reading.acknowledgements.commit(signal)
  }

  commitAsync(): void {
    this.#reading.acknowledgements.flush()
  }

  metrics(): readonly ClientMetric[] {
    return this.#context.metrics.all()
  }

  clientInstanceId({
    timeoutMs = this.#context.settings.defaultApiTimeoutMs,
  }: { readonly timeoutMs?: number } = {}): Promise<string> {
    return clientInstanceIdOf(this.#telemetry, timeoutMs)
  }

  close({ timeoutMs = defaultCloseTimeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#close(timeoutMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const { world, cluster } = this.#context
    using _awake = cluster.holdProcess()
    const deadline = new AbortController()
    const timer = world.clock.after(timeoutMs, () =>
      deadline.abort(new Error(`the share consumer could not be closed in good order within ${timeoutMs} ms`)),
    )
    try {
      this.#reading.stop()
      // What handlers say on their way out is still sent.
      if (this.#runner !== null) await Promise.race([this.#runner.abort(), aborted(deadline.signal)])
      await this.#reading.close(deadline.signal)
    } finally {
      timer.cancel()
      await this.#telemetry?.[Symbol.asyncDispose]()
      await cluster[Symbol.asyncDispose]()
    }
  }

  #beginReading(): Disposable {
    if (this.#closing !== null) throw new Error('the share consumer is closed')
    if (this.#isBeingRead) throw new Error('the share consumer is being read already: one loop or run() at a time')
    this.#isBeingRead = true
    return {
      [Symbol.dispose]: () => {
        this.#isBeingRead = false
      },
    }
  }

  /** More records are asked for. */
  #settleHanded(): void {
    const handed = this.#handed
    this.#handed = []
    for (const record of handed) {
      if (record.isAcknowledged) continue
      if (this.#context.settings.shareAcknowledgementMode === 'implicit') {
        this.#reading.acknowledgements.acknowledge(record, 'accept')
        continue
      }
      this.#handed = handed
      throw new Error(
        `record ${record.topic}-${record.partition} at offset ${record.offset} is not acknowledged yet; ` +
          "with shareAcknowledgementMode 'explicit' every record is, before more are asked for",
      )
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function own<K, V>(record: ShareRecord<K, V>): AcquiredRecord<K, V> {
  if (record instanceof AcquiredRecord) return record as AcquiredRecord<K, V>
  throw new TypeError('this is not a record of a share consumer')
}
