/**
 * The requesting side of a connection to a broker: requests go out at once, one behind the other, and each answer finds its request by
 * its correlation id. No routing and no retries: a request either gets its answer or fails with a KafkaError that says whether
 * trying again makes sense.
 */

import { strict as assert } from 'node:assert'
import { ApiVersions, encodeRequestFrame, ErrorCode, KafkaError, Reader, readResponseHeader } from '@millrace/protocol'
import type { Api, RequestInput, Response } from '@millrace/protocol'
import type { Address, Clock, Logger, Timer, TransportConnection } from '@millrace/runtime'
import type { Frame } from './frame.ts'
import { FrameReceiver } from './frame-receiver.ts'
import type { ReceiveMemory } from './receive-memory.ts'
import { carriesRecords } from './carries-records.ts'
import { VersionRanges } from './version-ranges.ts'

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
}

export interface SendOptions {
  /** Default: the newest that both sides know. */
  readonly version?: number
  /** How long to wait for the answer. When it comes later it is dropped. */
  readonly timeoutMs?: number
}

/** A request on its way. `settle` gets the answer's frame, which is its own then, or why there is none. */
interface InFlight {
  readonly correlationId: number
  readonly settle: (frame: Frame | null, error: KafkaError | null) => void
  timer: Timer | null
}

export class BrokerConnection implements AsyncDisposable {
  readonly #connection: TransportConnection
  readonly #options: BrokerConnectionOptions
  readonly #inFlight = new Map<number, InFlight>()
  readonly #closing = Promise.withResolvers<void>()
  #nextCorrelationId = 0
  #versions = VersionRanges.onlyApiVersions
  #failure: KafkaError | null = null

  constructor(options: BrokerConnectionOptions) {
    this.#options = options
    this.#connection = options.connection
    this.#connection.start(
      new FrameReceiver({
        memory: options.memory,
        connection: options.connection,
        maxFrameBytes: options.maxFrameBytes,
        logger: options.logger,
        owner: {
          frameReceived: (frame) => this.#answered(frame),
          ended: () => this.#fail('the broker closed the connection'),
          closed: (error) => {
            this.#fail(error === null ? 'the connection is closed' : `the connection broke: ${error.message}`, error)
            this.#closing.resolve()
          },
        },
      }),
    )
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

  /** The newest version of `api` that both sides know. @throws KafkaError UNSUPPORTED_VERSION when there is none. */
  versionOf(api: Api): number {
    return this.#versions.newestOf(api)
  }

  /**
   * Sends the request and resolves with its answer, whatever error codes that carries. The answer is the caller's: records in it are a copy.
   * @throws KafkaError UNSUPPORTED_VERSION, REQUEST_TIMED_OUT, NETWORK_EXCEPTION; CORRUPT_MESSAGE for an answer that cannot be read;
   * RangeError or TypeError for a request that cannot be written.
   */
  async send<A extends Api>(api: A, request: RequestInput<A>, options: SendOptions = {}): Promise<Response<A>> {
    const version = options.version ?? this.versionOf(api)
    const frame = await this.exchange(api, request, { ...options, version })
    const bytes = carriesRecords(api) ? frame.bytes.slice() : frame.bytes
    try {
      return this.#decode(api, version, bytes)
    } finally {
      frame.release()
    }
  }

  /** Sends a request that is not answered: Produce with acks 0. Resolves when the system has taken its bytes. @throws as `send`. */
  sendUnanswered<A extends Api>(api: A, request: RequestInput<A>, options: { version?: number } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure
      const version = options.version ?? this.versionOf(api)
      const frame = encodeRequestFrame(api, version, this.#newCorrelationId(), this.#options.clientId, request)
      this.#connection.write(frame, (error) => {
        if (error === null) resolve()
        else reject(networkFailure('the request could not be sent', error))
      })
    })
  }

  /**
   * Sends the request and resolves with the frame of its answer, header included; to be released. For those who decode in place; `send` is for
   * all others. @throws as `send`.
   */
  exchange<A extends Api>(
    api: A,
    request: RequestInput<A>,
    options: SendOptions & { readonly version: number },
  ): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure
      const { maxInFlight, clientId, requestTimeoutMs, clock } = this.#options
      if (this.#inFlight.size >= maxInFlight)
        throw networkFailure(`${maxInFlight} requests on this connection have no answer yet`)
      const correlationId = this.#newCorrelationId()
      const buffers = encodeRequestFrame(api, options.version, correlationId, clientId, request)
      const timeoutMs = options.timeoutMs ?? requestTimeoutMs
      const inFlight: InFlight = {
        correlationId,
        timer: null,
        settle: (frame, error) => {
          if (frame === null) reject(error!)
          else resolve(frame)
        },
      }
      this.#inFlight.set(correlationId, inFlight)
      inFlight.timer = clock.after(timeoutMs, () => {
        // The id stays taken: the answer may still come, and must not be taken for another's.
        this.#inFlight.set(correlationId, { correlationId, timer: null, settle: dropAnswer })
        reject(new KafkaError(ErrorCode.REQUEST_TIMED_OUT, `no answer to ${api.name} within ${timeoutMs} ms`))
      })
      // What fails here fails the connection, which settles all requests.
      this.#connection.write(buffers, ignore)
    })
  }

  /** Ends the connection; what has no answer fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail('the connection was closed by its owner')
    await this.closed
  }

  #decode<A extends Api>(api: A, version: number, bytes: Uint8Array): Response<A> {
    const reader = new Reader(bytes)
    try {
      readResponseHeader(reader, api, version)
      // A broker that does not know the version says so in version 0 (KIP-511).
      const isRefusal = api.key === ApiVersions.key && readsAsRefusal(bytes)
      return api.response.decode(reader, isRefusal ? 0 : version) as Response<A>
    } catch (error) {
      throw new KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        `the answer to ${api.name} version ${version} cannot be read: ${(error as Error).message}`,
        { cause: error },
      )
    }
  }

  /** From 0 up; after 2^31 - 1 negative ones follow, as on the wire it is an int32. Those still waiting are passed over. */
  #newCorrelationId(): number {
    let id = this.#nextCorrelationId
    while (this.#inFlight.has(id)) id = (id + 1) | 0
    this.#nextCorrelationId = (id + 1) | 0
    return id
  }

  #answered(frame: Frame): void {
    if (this.#failure !== null) {
      frame.release()
      return
    }
    const { bytes } = frame
    const correlationId = bytes.length < 4 ? null : (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!
    const inFlight = correlationId === null ? undefined : this.#inFlight.get(correlationId)
    if (inFlight === undefined) {
      frame.release()
      this.#fail(`the broker answered a request that was not made, with correlation id ${correlationId}`)
      return
    }
    this.#inFlight.delete(inFlight.correlationId)
    inFlight.timer?.cancel()
    inFlight.settle(frame, null)
  }

  #fail(reason: string, cause?: Error | null): void {
    if (this.#failure !== null) return
    const { host, port } = this.remoteAddress
    this.#failure = networkFailure(`${host}:${port}: ${reason}`, cause)
    const waiting = [...this.#inFlight.values()]
    this.#inFlight.clear()
    for (const inFlight of waiting) {
      inFlight.timer?.cancel()
      inFlight.settle(null, this.#failure)
    }
    this.#connection.destroy()
  }

  /** For tests: the next correlation id. */
  set nextCorrelationId(id: number) {
    assert(id === (id | 0))
    this.#nextCorrelationId = id
  }
}

/** Error 35 right behind the correlation id: in every version of ApiVersions the error comes first, with header version 0. */
function readsAsRefusal(bytes: Uint8Array): boolean {
  return bytes.length >= 6 && ((bytes[4]! << 8) | bytes[5]!) === ErrorCode.UNSUPPORTED_VERSION
}

function networkFailure(message: string, cause?: Error | null): KafkaError {
  return new KafkaError(ErrorCode.NETWORK_EXCEPTION, message, cause === undefined || cause === null ? {} : { cause })
}

/** The answer came after its time-out. */
function dropAnswer(frame: Frame | null): void {
  frame?.release()
}

function ignore(): void {}
