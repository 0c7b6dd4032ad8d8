/**
 * One client's connection: frames in, answers out in the same order.
 *
 * Requests run strictly one after the other, unless the one before has said that its changes are made (`letNextStart`): then the
 * next begins while the former still waits for its answer. Reading goes on while a request waits, so a client that leaves is
 * noticed; what it has sent ahead is bounded, in frames and in bytes, by pausing the read. Who sends that much behind a request that
 * waits (a Fetch) gets its answer early: memory for requests is everybody's.
 *
 * Once it is decided that the connection closes nothing more is begun or sent; what is under way ends and gives its memory back.
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
import { Exchange, type ExchangeOwner } from './exchange.ts'
import type { Answer, Handler } from './handler.ts'

/** Frames read ahead of the one being served; more are left with the client. */
const maxQueuedFrames = 64
/** The same in bytes. */
const maxQueuedBytes = 2 << 20
/** Requests begun and not answered. */
const maxExchanges = 64
/** A client that leaves this much unread gets nothing new until it reads. */
const maxUnsentBytes = 1 << 20

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

export class ClientConnection implements ExchangeOwner {
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
  #queuedBytes = 0
  readonly #exchanges: Exchange[] = []
  readonly #hurryListeners = new Set<() => void>()
  readonly #closeListeners = new Set<() => void>()
  #hasLeft = false
  #isDraining = false
  #isClosed = false
  /** It will be closed, whatever comes. */
  #isDoomed = false
  #isReadingStopped = false
  #lastActivityMs: number
  /** Bytes of an incomplete frame that had arrived when last looked at. */
  #arrivedBytes = 0
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

  /** Since when nothing has come in and no answer was taken; null while a request is being served. A client that does not read is idle. */
  idleSinceMs(nowMs: number): number | null {
    const { arrivedBytes } = this.#receiver
    if (arrivedBytes !== this.#arrivedBytes) {
      this.#arrivedBytes = arrivedBytes
      this.#lastActivityMs = nowMs
    }
    return this.#exchanges.length === 0 ? this.#lastActivityMs : null
  }

  onHurry(listener: () => void): () => void {
    if (this.#hasLeft || this.#isFull) listener()
    else this.#hurryListeners.add(listener)
    return () => this.#hurryListeners.delete(listener)
  }

  onClosed(listener: () => void): () => void {
    if (this.#isClosed) listener()
    else this.#closeListeners.add(listener)
    return () => this.#closeListeners.delete(listener)
  }

  endpointOf(broker: BrokerImage): Address | null {
    if (broker.id !== this.services.nodeId) return broker.endpoints.get(this.listenerName) ?? null
    return this.#advertised ?? this.connectedTo
  }

  mayStartNext(): void {
    this.#pump()
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#isDoomed = true
    this.#connection.destroy()
  }

  /** Takes no more requests, ends waits, and closes when what has begun is answered. */
  drain(): void {
    this.#isDraining = true
    this.#leave()
    this.#pump()
  }

  #receive(frame: Frame): void {
    if (this.#isDoomed) return frame.release()
    this.#lastActivityMs = this.services.clock.monotonicMs()
    this.#queue.push(frame)
    this.#queuedBytes += frame.bytes.length
    this.#pump()
    if (!this.#isFull || this.#isReadingStopped || this.#isClosed) return
    this.#isReadingStopped = true
    this.#receiver.stop()
    if (this.#queuedBytes >= maxQueuedBytes) this.#hurry()
  }

  /** As much is read ahead as may be. */
  get #isFull(): boolean {
    return this.#queue.length >= maxQueuedFrames || this.#queuedBytes >= maxQueuedBytes
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#queue.length > 0 && this.#mayStartNext()) {
      const frame = this.#queue.shift()!
      this.#queuedBytes -= frame.bytes.length
      this.#start(frame)
    }
    this.#isPumping = false
    if (this.#isReadingStopped && this.#queue.length < maxQueuedFrames / 2 && this.#queuedBytes < maxQueuedBytes / 2) {
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
    if (this.#isDoomed || this.#isClosed || this.#isDraining || this.#sender.isCongested) return false
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
      exchange = new Exchange(this, frame, header, handler.api)
      this.#exchanges.push(exchange)
      if (!handler.keepsFrame) exchange.releaseRequest()
      this.#serve(handler, request, exchange)
    } catch (error) {
      if (exchange !== undefined) this.#failed(exchange, error)
      else if (error instanceof MalformedMessageError)
        this.#drop(frame, `sent a request that cannot be read: ${error.message}`)
      else {
        this.#logger.error(`cannot serve a request of ${this.#peer()}`, { error })
        frame.release()
        this.destroy()
      }
    }
  }

  #serve(handler: Handler, request: unknown, exchange: Exchange): void {
    const answer = handler.handle(request as never, exchange)
    if (answer instanceof Promise)
      answer.then(
        (settled) => this.#answer(exchange, settled),
        (error: unknown) => this.#failed(exchange, error),
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
    const exchange = new Exchange(this, frame, { ...header, apiVersion: 0 }, ApiVersions)
    this.#exchanges.push(exchange)
    this.#answer(exchange, unsupportedApiVersions(this.services.handlers))
  }

  #answer(exchange: Exchange, answer: Answer<Api>): void {
    try {
      if (answer !== null && !this.#isDoomed && !this.#isClosed)
        exchange.answer = encodeResponseFrame(
          exchange.api,
          exchange.header.apiVersion,
          exchange.header.correlationId,
          answer,
        )
    } catch (error) {
      return this.#failed(exchange, error)
    }
    exchange.isAnswered = true
    this.#sendReady()
    this.#pump()
  }

  #sendReady(): void {
    while (this.#exchanges[0]?.isAnswered) {
      const exchange = this.#exchanges.shift()!
      const { answer, releases, closeReason } = exchange
      exchange.releaseRequest()
      this.#lastActivityMs = this.services.clock.monotonicMs()
      if (answer === null || this.#isDoomed || this.#isClosed) for (const release of releases) release()
      else
        this.#sender.send(answer, () => {
          for (const release of releases) release()
          this.#lastActivityMs = this.services.clock.monotonicMs()
          this.#pump()
        })
      if (closeReason !== null && !this.#isDoomed) {
        this.#logger.info(`closing the connection of ${this.#peer()}: ${closeReason}`)
        this.destroy()
      }
    }
  }

  /** A bug or a failure without an answer of its own: said in full, and the client sees its connection close. */
  #failed(exchange: Exchange, error: unknown): void {
    this.#logger.error(`cannot serve ${exchange.api.name} version ${exchange.header.apiVersion} of ${this.#peer()}`, {
      error,
    })
    this.destroy()
    exchange.isAnswered = true
    this.#sendReady()
    this.#pump()
  }

  #drop(frame: Frame, reason: string): void {
    frame.release()
    this.#logger.warn(`closing the connection of ${this.#peer()}, which ${reason}`)
    this.destroy()
  }

  #leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#hurry()
    this.#pump()
  }

  #hurry(): void {
    for (const listener of this.#hurryListeners) listener()
    this.#hurryListeners.clear()
  }

  #closed(error: Error | null): void {
    this.#isClosed = true
    if (error !== null) this.#logger.debug(`the connection of ${this.#peer()} broke: ${error.message}`)
    for (const frame of this.#queue.splice(0)) frame.release()
    this.#queuedBytes = 0
    this.#leave()
    for (const listener of this.#closeListeners) listener()
    this.#closeListeners.clear()
    this.#onClosed(this)
  }

  #peer(): string {
    const { host, port } = this.remoteAddress
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }
}
