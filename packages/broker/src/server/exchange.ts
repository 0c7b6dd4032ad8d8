/** A request that has begun, until its answer is on its way: what its handler sees of it, and what becomes of it. */
import type { Api, RequestHeader } from '@millrace/protocol'
import type { Frame } from '@millrace/network'
import type { Address } from '@millrace/runtime'
import type { BrokerImage } from '../metadata/image.ts'
import type { BrokerServices } from './broker-services.ts'
import type { ConnectionContext, RequestContext } from './request-context.ts'

/** The connection it belongs to. */
export interface ExchangeOwner extends ConnectionContext {
  readonly services: BrokerServices
  endpointOf(broker: BrokerImage): Address | null
  /** The exchange has made its changes. */
  mayStartNext(): void
}

export class Exchange implements RequestContext {
  readonly connection: ExchangeOwner
  readonly header: RequestHeader
  readonly api: Api
  letsNextStart = false
  isAnswered = false
  /** null: the request wants no answer. */
  answer: Uint8Array[] | null = null
  /** To be called when the answer has been sent. */
  readonly releases: (() => void)[] = []
  /** Why the connection is to be closed after it. */
  closeReason: string | null = null
  /** null when nothing looks into it any more, and it was released. */
  #frame: Frame | null

  constructor(connection: ExchangeOwner, frame: Frame, header: RequestHeader, api: Api) {
    this.connection = connection
    this.#frame = frame
    this.header = header
    this.api = api
  }

  get version(): number {
    return this.header.apiVersion
  }

  get clientId(): string | null {
    return this.header.clientId
  }

  get broker(): BrokerServices {
    return this.connection.services
  }

  endpointOf(broker: BrokerImage): Address | null {
    return this.connection.endpointOf(broker)
  }

  letNextStart(): void {
    this.letsNextStart = true
    this.connection.mayStartNext()
  }

  releaseRequest(): void {
    this.#frame?.release()
    this.#frame = null
  }

  onSent(release: () => void): void {
    this.releases.push(release)
  }

  closeConnection(reason: string): void {
    this.closeReason = reason
  }
}
