/** Counts and tells what passes between a client and its brokers. */
import type { ConnectionObserver } from '@millrace/network'
import { ErrorCode, type KafkaError } from '@millrace/protocol'
import type { Address } from '@millrace/runtime'
import { channels } from './channels.ts'
import type { Meter, Metrics } from './metrics.ts'
import { RequestCounts } from './request-counts.ts'

export interface TrafficOptions {
  readonly metrics: Metrics
  /** As `producer-metrics`; `producer-node-metrics` are counted beside. */
  readonly group: string
  readonly clientId: string | null
  /** By TLS or SASL. */
  readonly authenticates: boolean
}

/** Where a connection goes, as far as that is known by now: metadata tell which broker has the address. */
export interface Place {
  readonly address: Address & { readonly id?: number }
}

/** Kafka's number for brokers that are known by their bootstrap address only. */
const UNKNOWN_NODE = -1

export class Traffic {
  readonly #options: TrafficOptions
  readonly #created: Meter
  readonly #closed: Meter
  readonly #authenticated: Meter
  readonly #refused: Meter
  readonly #all: RequestCounts
  readonly #byNode = new Map<number, RequestCounts>()
  #open = 0

  constructor(options: TrafficOptions) {
    this.#options = options
    const { metrics, group } = options
    this.#created = metrics.meter({ group, name: 'connection-creation' })
    this.#closed = metrics.meter({ group, name: 'connection-close' })
    this.#authenticated = metrics.meter({ group, name: 'successful-authentication' })
    this.#refused = metrics.meter({ group, name: 'failed-authentication' })
    this.#all = new RequestCounts(metrics, { group })
    metrics.gauge({ group, name: 'connection-count' }, () => this.#open)
  }

  opened(broker: Address): void {
    this.#open++
    this.#created.record()
    if (this.#options.authenticates) this.#authenticated.record()
    this.#tell(broker, 'opened', null)
  }

  failed(broker: Address, error: KafkaError): void {
    // What stays wrong however often one tries is that one side does not trust the other, or that they have no version in common.
    if (!error.retriable && error.code !== ErrorCode.UNSUPPORTED_VERSION) this.#refused.record()
    this.#tell(broker, 'failed', error)
  }

  closed(broker: Address, error: Error | null): void {
    this.#open--
    this.#closed.record()
    this.#tell(broker, 'closed', error)
  }

  observer(place: Place): ConnectionObserver {
    const { host, port } = place.address
    const broker = { host, port }
    const { metrics, clientId } = this.#options
    return {
      requestSent: (_api, sizeBytes) => {
        const nowMs = metrics.nowMs()
        this.#all.sent(sizeBytes, nowMs)
        this.#of(place).sent(sizeBytes, nowMs)
      },
      requestEnded: ({ api, version, correlationId, durationMs, answerBytes, error }) => {
        if (error === null) {
          const nowMs = metrics.nowMs()
          this.#all.answered(answerBytes, durationMs, nowMs)
          this.#of(place).answered(answerBytes, durationMs, nowMs)
        }
        if (!channels.request.hasSubscribers) return
        channels.request.publish({
          clientId,
          api: api.name,
          apiKey: api.key,
          version,
          correlationId,
          broker,
          durationMs,
          answerBytes,
          error,
        })
      },
    }
  }

  #of({ address: { id = UNKNOWN_NODE } }: Place): RequestCounts {
    let counts = this.#byNode.get(id)
    if (counts === undefined) {
      const { metrics, group } = this.#options
      counts = new RequestCounts(metrics, {
        group: group.replace(/-metrics$/, '-node-metrics'),
        tags: { 'node-id': `node-${id}` },
      })
      this.#byNode.set(id, counts)
    }
    return counts
  }

  #tell({ host, port }: Address, event: 'opened' | 'failed' | 'closed', error: Error | null): void {
    if (channels.connection.hasSubscribers)
      channels.connection.publish({ clientId: this.#options.clientId, broker: { host, port }, event, error })
  }
}
