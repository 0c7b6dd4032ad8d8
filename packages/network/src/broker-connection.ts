/**
 * The requesting side of a connection to a broker: requests go out at once, one behind the other, and each answer finds its request by
 * its correlation id. No routing and no retries: a request either gets its answer or fails with a KafkaError that says whether
 * trying again makes sense.
 */

import { ApiVersions, encodeRequestFrame, ErrorCode, KafkaError, Reader, readResponseHeader } from '@millrace/protocol'
import type { Api, RequestInput, Response } from '@millrace/protocol'
import type { Address, Clock, Logger, TransportConnection } from '@millrace/runtime'
import { carriesRecords } from './carries-records.ts'
import { connectionLost, nameOf, networkFailure, noAnswer, notKafka, unreadable } from './failures.ts'
import type { ConnectionObserver } from './connection-observer.ts'
import type { ConnectionFacts, Stage } from './failures.ts'
import type { Frame } from './frame.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { InFlight } from './in-flight.ts'
import type { PendingRequest } from './in-flight.ts'
import type { ReceiveMemory } from './receive-memory.ts'
import { VersionRanges } from './version-ranges.ts'
import { WriteGate } from './write-gate.ts'

/** Longest answer of a broker that has not yet shown to be one: what is no length would announce hundreds of megabytes. */
const MAX_GREETING_BYTES = 1024 * 1024

export interface BrokerConnectionOptions {
  readonly connection: TransportConnection
  readonly clock: Clock
  readonly logger: Logger
  readonly memory: ReceiveMemory
  readonly clientId: string | null
  /** Default of `SendOptions.timeoutMs`. */
  readonly requestTimeoutMs: number
  readonly maxFrameBytes: number
  /** Requests sent and not answered above which `send` fails. */
  readonly maxInFlight: number
  readonly closeOnTimeout: boolean
  /** Whether SASL is configured: for messages. */
  readonly authenticates: boolean
  readonly observer: ConnectionObserver | null
}

export interface SendOptions {
  /** Default: the newest that both sides know. */
  readonly version?: number
  /** How long to wait for the answer. When it comes later it is dropped. */
  readonly timeoutMs?: number
  /** Goes out also while others are held back: for those who hold them back. */
  readonly passesHeld?: boolean
}

export class BrokerConnection implements AsyncDisposable {
  readonly #connection: TransportConnection
  readonly #receiver: FrameReceiver
  readonly #options: BrokerConnectionOptions
  readonly #inFlight: InFlight
  readonly #gate: WriteGate
  readonly #closing = Promise.withResolvers<void>()
  #versions = VersionRanges.onlyApiVersions
  #stage: Stage = 'greeting'
  #answered = 0
  #failure: KafkaError | null = null
  /** Who waits for a bare token: then the next frame is one. */
  #onToken: ((token: Uint8Array | null, error: KafkaError | null) => void) | null = null

  constructor(options: BrokerConnectionOptions) {
    this.#options = options
    this.#connection = options.connection
    this.#inFlight = new InFlight(options.clock, (request) => this.#timedOut(request))
    this.#gate = new WriteGate(options.connection, this.#inFlight)
    this.#receiver = new FrameReceiver({
      memory: options.memory,
      connection: options.connection,
      maxFrameBytes: Math.min(MAX_GREETING_BYTES, options.maxFrameBytes),
      receives: 'answers',
      logger: options.logger,
      owner: {
        frameReceived: (frame) => this.#received(frame),
        ended: () => this.#fail(connectionLost(this.#facts(), null)),
        closed: (error) => {
          this.#fail(connectionLost(this.#facts(), error))
          this.#closing.resolve()
        },
      },
    })
    this.#connection.start(this.#receiver)
  }

  get remoteAddress(): Address {
    return this.#connection.remoteAddress
  }

  /** Requests that wait for their answer. */
  get inFlight(): number {
    return this.#inFlight.size
  }

  /** False when every further request would fail. */
  get isOpen(): boolean {
    return this.#failure === null
  }

  /** Why it is not open; null when it is. */
  get failure(): KafkaError | null {
    return this.#failure
  }

  /** Resolves when the connection is gone, whoever ended it. */
  get closed(): Promise<void> {
    return this.#closing.promise
  }

  /** What the broker serves, as it said in answer to ApiVersions. */
  get versions(): VersionRanges {
    return this.#versions
  }

  /** What the broker said that it serves. */
  useVersions(versions: VersionRanges): void {
    this.#versions = versions
  }

  /** How far the connection has come: for messages, and for how long an answer may be. */
  set stage(stage: Stage) {
    this.#stage = stage
    if (stage === 'ready') this.#receiver.maxFrameBytes = this.#options.maxFrameBytes
  }

  /** The newest version of `api` that both sides know. @throws KafkaError UNSUPPORTED_VERSION when there is none. */
  versionOf(api: Api): number {
    return this.#versions.newestOf(api)
  }

  /**
   * Sends the request and resolves with its answer, whatever error codes that carries. The answer is the caller's, records in it included.
   * @throws KafkaError UNSUPPORTED_VERSION, REQUEST_TIMED_OUT, NETWORK_EXCEPTION; CORRUPT_MESSAGE for an answer that cannot be read;
   * RangeError or TypeError for a request that cannot be written.
   */
  send<A extends Api>(api: A, request: RequestInput<A>, options: SendOptions = {}): Promise<Response<A>> {
    return new Promise((resolve, reject) => {
      this.#request(api, request, options.version ?? this.versionOf(api), options, false, resolve, reject)
    })
  }

  /**
   * Sends the request and resolves with the frame of its answer, header included; to be released or kept. For those who decode in place; `send`
   * is for all others. @throws as `send`.
   */
  exchange<A extends Api>(
    api: A,
    request: RequestInput<A>,
    options: SendOptions & { readonly version: number },
  ): Promise<Frame> {
    return new Promise((resolve, reject) => {
      this.#request(api, request, options.version, options, true, resolve, reject)
    })
  }

  /** Sends a request that is not answered: Produce with acks 0. Resolves when the system has taken its bytes. @throws as `send`. */
  sendUnanswered<A extends Api>(api: A, request: RequestInput<A>, options: { version?: number } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure
      const version = options.version ?? this.versionOf(api)
      const { clientId, observer } = this.#options
      const buffers = encodeRequestFrame(api, version, this.#inFlight.newId(), clientId, request)
      observer?.requestSent(api, sizeOf(buffers))
      const onDone = (error: Error | null): void => {
        if (error === null) resolve()
        else reject(this.#failure ?? networkFailure(`${this.#name}: the request could not be sent`, error))
      }
      this.#gate.write(buffers, onDone)
    })
  }

  /**
   * Sends a bare token, length-prefixed and without header, and resolves with the next frame: what follows SaslHandshake version 0. No requests
   * meanwhile. @throws KafkaError REQUEST_TIMED_OUT, NETWORK_EXCEPTION
   */
  exchangeToken(token: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure
      const timer = this.#options.clock.after(timeoutMs, () => {
        this.#fail(
          new KafkaError(
            ErrorCode.REQUEST_TIMED_OUT,
            `${this.#name}: no answer to a SASL token within ${timeoutMs} ms`,
          ),
        )
      })
      this.#onToken = (answer, error) => {
        this.#onToken = null
        timer.cancel()
        if (answer === null) reject(error!)
        else resolve(answer)
      }
      const length = new Uint8Array(4)
      new DataView(length.buffer).setInt32(0, token.length)
      this.#connection.write([length, token], ignore)
    })
  }

  /**
   * Holds back the requests of others until `sendHeld`: their time runs, but they are not sent. Resolves when those sent before have their
   * answers, or no time left. @throws KafkaError when the connection ends first.
   */
  holdBack(): Promise<void> {
    return this.#failure === null ? this.#gate.shut() : Promise.reject(this.#failure)
  }

  /** Sends what was held back, in its order. */
  sendHeld(): void {
    this.#gate.open()
  }

  /** Ends the connection for `error`, with which fails what has no answer. */
  fail(error: KafkaError): void {
    this.#fail(error)
  }

  /** Ends the connection; what has no answer fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(networkFailure(`${this.#name}: the connection was closed by its owner`))
    await this.closed
  }

  get #name(): string {
    return nameOf(this.remoteAddress)
  }

  #request(
    api: Api,
    request: RequestInput<Api>,
    version: number,
    options: SendOptions,
    wantsFrame: boolean,
    resolve: (answer: never) => void,
    reject: (error: Error) => void,
  ): void {
    if (this.#failure !== null) throw this.#failure
    const { maxInFlight, clientId, requestTimeoutMs, clock } = this.#options
    const inFlight = this.#inFlight
    if (inFlight.size >= maxInFlight)
      throw networkFailure(`${this.#name}: ${maxInFlight} requests on this connection have no answer yet`)
    const correlationId = inFlight.newId()
    const buffers = encodeRequestFrame(api, version, correlationId, clientId, request)
    const timeoutMs = options.timeoutMs ?? requestTimeoutMs
    const pending: PendingRequest = {
      correlationId,
      api,
      version,
      timeoutMs,
      deadlineMs: clock.monotonicMs() + timeoutMs,
      resolve,
      reject,
      wantsFrame,
      isExpired: false,
      isHeld: this.#gate.isShut && options.passesHeld !== true,
    }
    inFlight.add(pending)
    const { observer } = this.#options
    if (observer !== null) observer.requestSent(api, sizeOf(buffers))
    // What fails here fails the connection, which settles all requests.
    this.#gate.write(buffers, ignore, pending)
  }

  #received(frame: Frame): void {
    if (this.#failure !== null) {
      frame.release()
      return
    }
    if (this.#onToken !== null) {
      const token = frame.bytes.slice()
      frame.release()
      this.#onToken(token, null)
      return
    }
    const { bytes } = frame
    const correlationId = bytes.length < 4 ? null : (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!
    const request = correlationId === null ? undefined : this.#inFlight.take(correlationId)
    if (request === undefined || request.isHeld) {
      frame.release()
      // A held one has been taken out, and must fail with the others.
      const error = notKafka(
        this.#facts(),
        correlationId === null
          ? `expected an answer with a correlation id, got ${bytes.length} bytes`
          : `the broker answered a request that was not made, with correlation id ${correlationId}`,
      )
      if (request !== undefined) this.#reject(request, error)
      this.#fail(error)
      return
    }
    if (request.isExpired) frame.release()
    else {
      this.#ended(request, bytes.length, null)
      if (this.#stage === 'ready') this.#answered++
      if (request.wantsFrame) request.resolve(frame as never)
      else this.#decode(request, frame)
    }
    this.#gate.requestEnded()
  }

  #decode({ api, version, resolve, reject }: PendingRequest, frame: Frame): void {
    const keeps = carriesRecords(api)
    const bytes = keeps ? frame.keep() : frame.bytes
    try {
      const reader = new Reader(bytes)
      readResponseHeader(reader, api, version)
      // A broker that does not know the version says so in version 0 (KIP-511). More bytes than the version has are passed over, as by Kafka's
      // own clients: brokers of others are known to send some.
      const isRefusal = api.key === ApiVersions.key && readsAsRefusal(bytes)
      resolve(api.response.decode(reader, isRefusal ? 0 : version) as never)
    } catch (error) {
      reject(unreadable(this.#facts(), `the answer to ${api.name} version ${version}`, error as Error))
    }
    if (!keeps) frame.release()
  }

  #timedOut(request: PendingRequest): void {
    const error = noAnswer(this.#facts(), request.api.name, request.timeoutMs)
    this.#reject(request, error)
    // One that was held back tells nothing of the connection.
    if (this.#options.closeOnTimeout && !request.isHeld)
      this.#fail(networkFailure(`the connection is taken for dead: ${error.message}`, error))
    else this.#gate.requestEnded()
  }

  #reject(request: PendingRequest, error: KafkaError): void {
    this.#ended(request, 0, error)
    request.reject(error)
  }

  #ended(request: PendingRequest, answerBytes: number, error: Error | null): void {
    const { observer, clock } = this.#options
    if (observer === null) return
    const { api, version, correlationId, deadlineMs, timeoutMs } = request
    observer.requestEnded({
      api,
      version,
      correlationId,
      durationMs: clock.monotonicMs() - (deadlineMs - timeoutMs),
      answerBytes,
      error,
    })
  }

  #facts(): ConnectionFacts {
    return {
      address: this.remoteAddress,
      encrypted: this.#connection.encrypted,
      stage: this.#stage,
      authenticates: this.#options.authenticates,
      answered: this.#answered,
    }
  }

  #fail(error: KafkaError): void {
    if (this.#failure !== null) return
    this.#failure = error
    for (const request of this.#inFlight.takeAll()) if (!request.isExpired) this.#reject(request, error)
    this.#gate.fail(error)
    this.#onToken?.(null, error)
    this.#connection.destroy()
  }

  /** For tests: the next correlation id. */
  set nextCorrelationId(id: number) {
    this.#inFlight.nextId = id
  }
}

/** Error 35 right behind the correlation id: in every version of ApiVersions the error comes first, with header version 0. */
function readsAsRefusal(bytes: Uint8Array): boolean {
  return bytes.length >= 6 && ((bytes[4]! << 8) | bytes[5]!) === ErrorCode.UNSUPPORTED_VERSION
}

function sizeOf(buffers: readonly Uint8Array[]): number {
  let size = 0
  for (const { length } of buffers) size += length
  return size
}

function ignore(): void {}
