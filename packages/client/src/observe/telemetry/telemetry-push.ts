/**
 * Sends a client's metrics to the cluster, for its operators, when they have asked for some (KIP-714). Begins with the first metadata; a cluster
 * that does not collect metrics is asked no further. Nothing here ever fails the client.
 */
import {
  compress,
  ErrorCode,
  GetTelemetrySubscriptions,
  KafkaError,
  PushTelemetry,
  ZERO_UUID,
  type Response,
} from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Metrics } from '../metrics.ts'
import { encodeMetricsData } from './otlp.ts'
import { Sampler } from './samples.ts'

const DEFAULT_INTERVAL_MS = 300_000
/** The first push comes after 0.5 to 1.5 intervals, so that clients started together do not push together. */
const FIRST_PUSH_JITTER = [0.5, 1.5] as const
/** How long closing waits for the last push. */
const LAST_PUSH_TIMEOUT_MS = 1_000

export interface TelemetryPushOptions {
  readonly cluster: Cluster
  readonly metrics: Metrics
  /** Labels of the client: `group_id`, `transactional_id` … */
  readonly labels: Readonly<Record<string, string>>
}

type Subscription = Response<typeof GetTelemetrySubscriptions>

export class TelemetryPush implements AsyncDisposable {
  readonly #options: TelemetryPushOptions
  readonly #sampler: Sampler
  readonly #closing = new AbortController()
  readonly #firstSubscription = Promise.withResolvers<Subscription>()
  readonly #unusableCodecs = new Set<number>()
  readonly #beginning: Disposable
  #subscription: Subscription | null = null
  #isPushing = false
  #loop: Promise<void> | null = null

  constructor(options: TelemetryPushOptions) {
    this.#options = options
    this.#sampler = new Sampler(options.metrics, options.cluster.world.clock.now())
    this.#firstSubscription.promise.catch(() => {})
    this.#beginning = options.cluster.metadata.onChange(() => {
      this.#beginning[Symbol.dispose]()
      this.#loop = this.#run().catch((error: unknown) => this.#stopped(error as Error))
    })
  }

  /** The id that the cluster gave this client (22 characters). @throws KafkaError when it gives none, or not in time. */
  async clientInstanceId(timeoutMs: number): Promise<string> {
    const { metadata, world } = this.#options.cluster
    const { clock } = world
    // Telemetry begins with the first metadata. That there are none is told by the time-out.
    if (this.#loop === null) metadata.refreshSoon()
    using _awake = clock.holdProcess()
    const late = Promise.withResolvers<never>()
    const timer = clock.after(timeoutMs, () =>
      late.reject(new KafkaError(ErrorCode.REQUEST_TIMED_OUT, `no client instance id within ${timeoutMs} ms`)),
    )
    try {
      const { clientInstanceId } = await Promise.race([this.#firstSubscription.promise, late.promise])
      return clientInstanceId
    } finally {
      timer.cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#beginning[Symbol.dispose]()
    this.#closing.abort(new Error('the client is closed'))
    await this.#loop
    this.#firstSubscription.reject(this.#closing.signal.reason as Error)
    if (this.#subscription === null || !this.#isPushing) return
    // The time is for the connection as well, if there is none.
    const late = new AbortController()
    const timer = this.#options.cluster.world.clock.after(LAST_PUSH_TIMEOUT_MS, () => late.abort())
    await this.#push(this.#subscription, { terminating: true, signal: late.signal }).catch(() => {})
    timer.cancel()
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    for (;;) {
      const subscription = await this.#subscribe()
      if (subscription.requestedMetrics.length === 0) {
        await this.#sleep(subscription.pushIntervalMs)
        continue
      }
      this.#isPushing = true
      await this.#sleep(subscription.pushIntervalMs * this.#firstJitter())
      for (let refused = false; !refused;) {
        signal.throwIfAborted()
        const code = await this.#pushOrPause(subscription)
        const pauseMs = pauseAfter(code, subscription.pushIntervalMs)
        refused = code !== ErrorCode.NONE
        await this.#sleep(pauseMs)
      }
      this.#isPushing = false
    }
  }

  /** The cluster's wishes. Waits for the cluster; throws when it has none to tell. */
  async #subscribe(): Promise<Subscription> {
    const { cluster } = this.#options
    for (;;) {
      const clientInstanceId = this.#subscription?.clientInstanceId ?? ZERO_UUID
      const answer = await this.#reach((signal) =>
        cluster.send('any', GetTelemetrySubscriptions, { clientInstanceId }, { signal }),
      )
      if (answer.errorCode === ErrorCode.NONE) {
        const pushIntervalMs = answer.pushIntervalMs > 0 ? answer.pushIntervalMs : DEFAULT_INTERVAL_MS
        const subscription = { ...answer, pushIntervalMs }
        if (this.#subscription?.deltaTemporality !== subscription.deltaTemporality)
          this.#sampler.reset(cluster.world.clock.now())
        this.#subscription = subscription
        this.#firstSubscription.resolve(subscription)
        return subscription
      }
      await this.#sleep(pauseAfter(answer.errorCode, this.#subscription?.pushIntervalMs ?? DEFAULT_INTERVAL_MS))
    }
  }

  #pushOrPause(subscription: Subscription): Promise<number> {
    return this.#reach((signal) => this.#push(subscription, { terminating: false, signal }))
  }

  /** The error code of the answer. */
  async #push(
    subscription: Subscription,
    { terminating, signal }: { readonly terminating: boolean; readonly signal: AbortSignal },
  ): Promise<number> {
    const { cluster, labels } = this.#options
    const timeMs = cluster.world.clock.now()
    const samples = this.#sampler.samples(subscription.requestedMetrics, subscription.deltaTemporality, timeMs)
    const plain = encodeMetricsData(samples, { resource: labels, timeMs })
    const { compressionType, metrics } = this.#compressed(plain, subscription.acceptedCompressionTypes)
    const answer = await cluster.send(
      'any',
      PushTelemetry,
      {
        clientInstanceId: subscription.clientInstanceId,
        subscriptionId: subscription.subscriptionId,
        terminating,
        compressionType,
        metrics,
      },
      { signal },
    )
    return answer.errorCode
  }

  /** By the first codec the broker accepts that works here. */
  #compressed(plain: Uint8Array, accepted: readonly number[]): { compressionType: number; metrics: Uint8Array } {
    for (const codec of accepted) {
      if (this.#unusableCodecs.has(codec)) continue
      try {
        return { compressionType: codec, metrics: compress(codec, plain) }
      } catch {
        this.#unusableCodecs.add(codec)
      }
    }
    return { compressionType: 0, metrics: plain }
  }

  /** Repeats while the cluster cannot be reached: telemetry has time. */
  async #reach<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt(this.#closing.signal)
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        if (!(error instanceof KafkaError) || !error.retriable) throw error
        await this.#sleep(this.#options.cluster.settings.retryBackoffMaxMs)
      }
    }
  }

  #firstJitter(): number {
    const [low, high] = FIRST_PUSH_JITTER
    return low + (high - low) * this.#options.cluster.world.random.next()
  }

  #sleep(delayMs: number): Promise<void> {
    return this.#options.cluster.world.clock.sleep(delayMs, this.#closing.signal)
  }

  #stopped(error: Error): void {
    this.#firstSubscription.reject(error)
    if (this.#closing.signal.aborted) return
    this.#isPushing = false
    this.#options.cluster.settings.logger.debug('no metrics are pushed to the cluster', { error })
  }
}

/** How long to wait after an answer with this code. @throws KafkaError when there is nothing to wait for. */
function pauseAfter(code: number, intervalMs: number): number {
  switch (code) {
    case ErrorCode.NONE:
    case ErrorCode.TELEMETRY_TOO_LARGE:
    case ErrorCode.THROTTLING_QUOTA_EXCEEDED:
      return intervalMs
    case ErrorCode.UNKNOWN_SUBSCRIPTION_ID:
    case ErrorCode.UNSUPPORTED_COMPRESSION_TYPE:
      return 0
  }
  throw new KafkaError(code)
}

/** What `clientInstanceId` of a client does; `telemetry` is null in clients with `enableMetricsPush: false`. */
export async function clientInstanceIdOf(telemetry: TelemetryPush | null, timeoutMs: number): Promise<string> {
  if (telemetry === null) throw new Error('clientInstanceId: this client has enableMetricsPush: false')
  return await telemetry.clientInstanceId(timeoutMs)
}
