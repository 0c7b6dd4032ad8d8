/**
 * One client's connection: frames in, answers out in the same order.
 *
 * Requests run strictly one after the other, unless the one before has said that its changes are made (`letNextStart`): then the
 * next begins while the former still waits for its answer. Reading goes on while a request waits, so a client that leaves is
 * noticed; what it has sent ahead is bounded by pausing the read.
 */
import {
  ApiVersions,
  encodeResponseFrame,
  MalformedMessageError,
  Reader,
  readRequestHeader,
  type Api,
  type RequestHeader,
} from '@millrace/protocol'
import type { Address, Logger, TransportConnection } from '@millrace/runtime'
import { FrameReceiver, FrameSender, type Frame, type ReceiveMemory } from '@millrace/network'
import type { BrokerImage } from '../metadata/image.ts'
import { unsupportedApiVersions } from '../api/api-versions.ts'
import type { BrokerServices } from './broker-services.ts'
import type { Answer, Handler } from './handler.ts'
import type { ConnectionContext, RequestContext } from './request-context.ts'

/** Frames read ahead of the one being served; more are left with the client. */
const maxQueuedFrames = 64
/** Requests begun and not answered. */
const maxExchanges = 64
/** A client that leaves this much unread gets nothing new until it reads. */
const maxUnsentBytes = 1 << 20

/** A request that has begun, until its answer is on its way. */
interface Exchange {
  readonly frame: Frame
  readonly header: RequestHeader
  readonly api: Api
  letsNextStart: boolean
  isAnswered: boolean
  /** null: the request wants no answer. */
  answer: Uint8Array[] | null
  /** To be called when the answer has been sent. */
  readonly releases: (() => void)[]
  closeReason: string | null
}

export interface ClientConnectionOptions {
  readonly id: number
  readonly listenerName: string
  /** Where clients of this listener are told to find this broker; null: where they found it. */
  readonly advertised: Address | null
  readonly connection: TransportConnection
  readonly memory: ReceiveMemory
  /** `socket.request.max.bytes` */
  readonly maxRequestBytes: number
  readonly services: BrokerServices
  readonly onClosed: (connection: ClientConnection) => void
}

export class ClientConnection implements ConnectionContext {
  readonly id: number
  readonly listenerName: string
  readonly principal = 'User:ANONYMOUS'
  readonly services: BrokerServices
  readonly #advertised: Address | null
  readonly #connection: TransportConnection
  readonly #receiver: FrameReceiver
  readonly #sender: FrameSender
  readonly #logger: Logger
  readonly #onClosed: (connection: ClientConnection) => void
  readonly #queue: Frame[] = []
  readonly #exchanges: Exchange[] = []
  readonly #leaveListeners = new Set<() => void>()
  #hasLeft = false
  #isDraining = false
  #isClosed = false
  #isReadingStopped = false
  #lastActivityMs: number
  #isPumping = false

  constructor(options: ClientConnectionOptions) {
    this.id = options.id
    this.listenerName = options.listenerName
    this.services = options.services
    this.#advertised = options.advertised
    this.#connection = options.connection
    this.#logger = options.services.logger
    this.#onClosed = options.onClosed
    this.#lastActivityMs = options.services.clock.monotonicMs()
    this.#receiver = new FrameReceiver({
      memory: options.memory,
      connection: options.connection,
      maxFrameBytes: options.maxRequestBytes,
      logger: this.#logger,
      owner: {
        frameReceived: (frame) => this.#receive(frame),
        ended: () => this.#leave(),
        closed: (error) => this.#closed(error),
      },
    })
    this.#sender = new FrameSender({
      connection: options.connection,
      congestedBytes: maxUnsentBytes,
      congested: () => {},
      drained: () => this.#pump(),
    })
  }

  /** Begins to read. */
  start(): void {
    this.#connection.start(this.#receiver)
  }

  get remoteAddress(): Address {
    return this.#connection.remoteAddress
  }

  get connectedTo(): Address {
    return this.#connection.localAddress
  }

  /** Since when nothing has come in and nothing is being served; null while something is. */
  get idleSinceMs(): number | null {
    return this.#exchanges.length === 0 && this.#queue.length === 0 ? this.#lastActivityMs : null
  }

  onLeave(listener: () => void): () => void {
    if (this.#hasLeft) listener()
    else this.#leaveListeners.add(listener)
    return () => this.#leaveListeners.delete(listener)
  }

  endpointOf(broker: BrokerImage): Address | null {
    if (broker.id !== this.services.nodeId) return broker.endpoints.get(this.listenerName) ?? null
    return this.#advertised ?? this.connectedTo
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#connection.destroy()
  }

  /** Takes no more requests, ends waits, and closes when what has begun is answered. */
  drain(): void {
    this.#isDraining = true
    this.#leave()
    this.#pump()
  }

  #receive(frame: Frame): void {
    this.#lastActivityMs = this.services.clock.monotonicMs()
    this.#queue.push(frame)
    this.#pump()
    if (!this.#isReadingStopped && this.#queue.length >= maxQueuedFrames) {
      this.#isReadingStopped = true
      this.#receiver.stop()
    }
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#queue.length > 0 && this.#mayStartNext()) this.#start(this.#queue.shift()!)
    this.#isPumping = false
    if (this.#isReadingStopped && this.#queue.length < maxQueuedFrames / 2) {
      this.#isReadingStopped = false
      this.#receiver.resume()
    }
    if (this.#hasLeft && this.#exchanges.length === 0) this.#finish()
  }

  /** The client has ended its side, or the broker stops: what is begun has been answered. */
  #finish(): void {
    if (this.#isClosed || (this.#queue.length > 0 && !this.#isDraining)) return
    if (!this.#isDraining) this.#connection.end()
    else if (this.#sender.queuedBytes === 0) this.destroy()
  }

  #mayStartNext(): boolean {
    if (this.#isClosed || this.#isDraining || this.#sender.isCongested) return false
    const last = this.#exchanges.at(-1)
    return last === undefined || (last.letsNextStart && this.#exchanges.length < maxExchanges)
  }

  #start(frame: Frame): void {
    let exchange: Exchange | undefined
    try {
      const reader = new Reader(frame.bytes)
      const header = readRequestHeader(reader)
      const handler = this.services.handlers.get(header.apiKey)
      if (handler === undefined || header.apiVersion < handler.versions[0] || header.apiVersion > handler.versions[1])
        return this.#refuse(frame, header)
      const request = handler.api.request.decode(reader, header.apiVersion)
      exchange = newExchange(frame, header, handler.api)
      this.#exchanges.push(exchange)
      this.#serve(handler, request, exchange)
    } catch (error) {
      if (error instanceof MalformedMessageError)
        this.#drop(frame, `sent a request that cannot be read: ${error.message}`)
      else this.#failed(exchange, frame, error)
    }
  }

  #serve(handler: Handler, request: unknown, exchange: Exchange): void {
    const context = new ExchangeContext(this, exchange, () => this.#pump())
    const answer = handler.handle(request as never, context)
    if (answer instanceof Promise)
      answer.then(
        (settled) => this.#answer(exchange, settled),
        (error: unknown) => this.#failed(exchange, exchange.frame, error),
      )
    else this.#answer(exchange, answer)
  }

  /** A version or API not served. ApiVersions alone has an answer for that (KIP-511); anything else ends the connection. */
  #refuse(frame: Frame, header: RequestHeader): void {
    if (header.apiKey !== ApiVersions.key)
      return this.#drop(
        frame,
        `sent API key ${header.apiKey} version ${header.apiVersion}, which this broker does not serve`,
      )
    const exchange = newExchange(frame, { ...header, apiVersion: 0 }, ApiVersions)
    this.#exchanges.push(exchange)
    this.#answer(exchange, unsupportedApiVersions(this.services.handlers))
  }

  #answer(exchange: Exchange, answer: Answer<Api>): void {
    try {
      if (answer !== null && !this.#isClosed)
        exchange.answer = encodeResponseFrame(
          exchange.api,
          exchange.header.apiVersion,
          exchange.header.correlationId,
          answer,
        )
      exchange.isAnswered = true
      this.#sendReady()
      this.#pump()
    } catch (error) {
      this.#failed(exchange, exchange.frame, error)
    }
  }

  #sendReady(): void {
    while (this.#exchanges[0]?.isAnswered) {
      const { frame, answer, releases, closeReason } = this.#exchanges.shift()!
      frame.release()
      this.#lastActivityMs = this.services.clock.monotonicMs()
      if (answer === null || this.#isClosed) for (const release of releases) release()
      else
        this.#sender.send(answer, () => {
          for (const release of releases) release()
          this.#pump()
        })
      if (closeReason !== null) {
        this.#logger.info(`closing the connection of ${this.#peer()}: ${closeReason}`)
        this.destroy()
      }
    }
  }

  /** A bug or a failure without an answer of its own: said in full, and the client sees its connection close. */
  #failed(exchange: Exchange | undefined, frame: Frame, error: unknown): void {
    const what = exchange === undefined ? 'a request' : `${exchange.api.name} version ${exchange.header.apiVersion}`
    this.#logger.error(`cannot serve ${what} of ${this.#peer()}`, { error })
    if (exchange === undefined) frame.release()
    else exchange.isAnswered = true
    this.destroy()
  }

  #drop(frame: Frame, reason: string): void {
    frame.release()
    this.#logger.warn(`closing the connection of ${this.#peer()}, which ${reason}`)
    this.destroy()
  }

  #leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    for (const listener of [...this.#leaveListeners]) listener()
    this.#leaveListeners.clear()
    this.#pump()
  }

  #closed(error: Error | null): void {
    this.#isClosed = true
    if (error !== null) this.#logger.debug(`the connection of ${this.#peer()} broke: ${error.message}`)
    for (const frame of this.#queue.splice(0)) frame.release()
    this.#leave()
    this.#onClosed(this)
  }

  #peer(): string {
    const { host, port } = this.remoteAddress
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }
}

function newExchange(frame: Frame, header: RequestHeader, api: Api): Exchange {
  return { frame, header, api, letsNextStart: false, isAnswered: false, answer: null, releases: [], closeReason: null }
}

class ExchangeContext implements RequestContext {
  readonly connection: ClientConnection
  readonly #exchange: Exchange
  readonly #pump: () => void

  constructor(connection: ClientConnection, exchange: Exchange, pump: () => void) {
    this.connection = connection
    this.#exchange = exchange
    this.#pump = pump
  }

  get version(): number {
    return this.#exchange.header.apiVersion
  }

  get clientId(): string | null {
    return this.#exchange.header.clientId
  }

  get broker(): BrokerServices {
    return this.connection.services
  }

  endpointOf(broker: BrokerImage): Address | null {
    return this.connection.endpointOf(broker)
  }

  letNextStart(): void {
    this.#exchange.letsNextStart = true
    this.#pump()
  }

  onSent(release: () => void): void {
    this.#exchange.releases.push(release)
  }

  closeConnection(reason: string): void {
    this.#exchange.closeReason = reason
  }
}
