import type { Address } from '@millrace/runtime'
import type { BrokerImage } from '../metadata/image.ts'
import type { BrokerServices } from './broker-services.ts'

/** The connection a request came in on, as far as a handler may know it. */
export interface ConnectionContext {
  /** Unique within this broker process. */
  readonly id: number
  readonly listenerName: string
  readonly remoteAddress: Address
  /** The address the client dialled. */
  readonly connectedTo: Address
  /** `User:ANONYMOUS` on a plaintext listener. */
  readonly principal: string
  /**
   * Calls `listener` once when a request should wait no longer for more to happen: the client is gone, has ended its side, or has sent
   * so much behind the request that it ties up memory; or the broker stops. At once when it is so already. Returns how to take it back.
   */
  onHurry(listener: () => void): () => void
  /** Calls `listener` once when the connection is closed; at once when it is so already. Returns how to take it back. */
  onClosed(listener: () => void): () => void
}

/** What a handler knows besides the request itself. One per request. */
export interface RequestContext {
  /** The request's API version. */
  readonly version: number
  readonly clientId: string | null
  readonly connection: ConnectionContext
  readonly broker: BrokerServices

  /**
   * Where this client reaches `broker` on the listener it is using; null when that broker lacks the listener.
   * For this broker without `advertised.listeners` it is the address the client has connected to.
   */
  endpointOf(broker: BrokerImage): Address | null

  /**
   * Says that this request has made its changes, so the next one on the connection may begin before this one is answered. Answers
   * keep their order. Without it, requests of a connection run strictly one after the other.
   */
  letNextStart(): void

  /** Says that the records of the request are not looked at any more, so its memory is free for others. Without it that is so when it is answered. */
  releaseRequest(): void

  /** Calls `release` once, when the response has been handed to the system or the connection is gone: the place to return pooled buffers. */
  onSent(release: () => void): void

  /** Drops the connection after this request, with a line in the log: for what the protocol has no answer for. */
  closeConnection(reason: string): void
}
