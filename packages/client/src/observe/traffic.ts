/** Counts and tells what passes between a client and its brokers. */
import type { ConnectionObserver } from '@millrace/network'
import type { Address } from '@millrace/runtime'
import { channels } from './channels.ts'
import type { Distribution, Meter, Metrics } from './metrics.ts'

export interface TrafficOptions {
  readonly metrics: Metrics
  readonly group: string
  readonly clientId: string | null
}

export class Traffic {
  readonly #clientId: string | null
  readonly #created: Meter
  readonly #closed: Meter
  readonly #requests: Meter
  readonly #responses: Meter
  readonly #outgoingBytes: Meter
  readonly #incomingBytes: Meter
  readonly #requestSize: Distribution
  readonly #latency: Distribution
  #open = 0

  constructor({ metrics, group, clientId }: TrafficOptions) {
    this.#clientId = clientId
    this.#created = metrics.meter({ group, name: 'connection-creation' })
    this.#closed = metrics.meter({ group, name: 'connection-close' })
    this.#requests = metrics.meter({ group, name: 'request' })
    this.#responses = metrics.meter({ group, name: 'response' })
    this.#outgoingBytes = metrics.meter({ group, name: 'outgoing-byte' })
    this.#incomingBytes = metrics.meter({ group, name: 'incoming-byte' })
    this.#requestSize = metrics.distribution({ group, name: 'request-size' })
    this.#latency = metrics.distribution({ group, name: 'request-latency' })
    metrics.gauge({ group, name: 'connection-count' }, () => this.#open)
  }

  opened(broker: Address): void {
    this.#open++
    this.#created.record()
    this.#tell(broker, 'opened', null)
  }

  failed(broker: Address, error: Error): void {
    this.#tell(broker, 'failed', error)
  }

  closed(broker: Address, error: Error | null): void {
    this.#open--
    this.#closed.record()
    this.#tell(broker, 'closed', error)
  }

  observer({ host, port }: Address): ConnectionObserver {
    const broker = { host, port }
    return {
      requestSent: (_api, sizeBytes) => {
        this.#requests.record()
        this.#outgoingBytes.record(sizeBytes)
        this.#requestSize.record(sizeBytes)
      },
      requestEnded: ({ api, version, durationMs, answerBytes, error }) => {
        if (error === null) {
          this.#responses.record()
          this.#incomingBytes.record(answerBytes)
          this.#latency.record(durationMs)
        }
        if (channels.request.hasSubscribers)
          channels.request.publish({ clientId: this.#clientId, api: api.name, version, broker, durationMs, error })
      },
    }
  }

  #tell({ host, port }: Address, event: 'opened' | 'failed' | 'closed', error: Error | null): void {
    if (channels.connection.hasSubscribers)
      channels.connection.publish({ clientId: this.#clientId, broker: { host, port }, event, error })
  }
}
