/** Connects to a broker, agrees on versions and authenticates. */

import { ApiVersions, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import type {
  Address,
  Clock,
  Logger,
  Random,
  TlsClientOptions,
  Transport,
  TransportConnection,
} from '@millrace/runtime'
import { answerMemory } from './answer-memory.ts'
import { BrokerConnection } from './broker-connection.ts'
import type { ConnectionObserver } from './connection-observer.ts'
import { connectFailure, nameOf, networkFailure } from './failures.ts'
import type { ReceiveMemory } from './receive-memory.ts'
import { authenticate } from './sasl/authenticate.ts'
import { beginExchange } from './sasl/begin-exchange.ts'
import type { SaslCredentials } from './sasl/credentials.ts'
import { keepAuthenticated } from './sasl/keep-authenticated.ts'
import { VersionRanges } from './version-ranges.ts'

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_FRAME_BYTES = 512 * 1024 * 1024
const DEFAULT_MAX_IN_FLIGHT = 1000

export interface ConnectToBrokerOptions {
  readonly clock: Clock
  readonly clientId: string | null
  /** For connecting, agreeing and authenticating together. Default 30 s. */
  readonly connectTimeoutMs?: number
  /** For each request, unless it says otherwise. Default 30 s. */
  readonly requestTimeoutMs?: number
  readonly tls?: TlsClientOptions
  readonly signal?: AbortSignal
  readonly logger?: Logger
  /** Shared by connections of one client. Default: this connection's own. */
  readonly memory?: ReceiveMemory
  /** Longest answer. Default 512 MiB. */
  readonly maxFrameBytes?: number
  /** Default 1000. */
  readonly maxInFlight?: number
  /** How the client names itself to the broker (KIP-511): letters, digits, dots and dashes. */
  readonly software?: { readonly name: string; readonly version: string }
  /** To authenticate with, for brokers that ask for SASL. Default: not at all. Needs `random`. */
  readonly sasl?: SaslCredentials
  /** Where nonces and jitter come from. */
  readonly random?: Random
  /**
   * A request without an answer in time ends the connection, as it does in Kafka's own client: the way to the broker may be cut without
   * anybody saying so. The others on their way fail with NETWORK_EXCEPTION. Default false.
   */
  readonly closeOnTimeout?: boolean
  /** Told what passes over the connection. Default: nobody. */
  readonly observer?: ConnectionObserver
}

/**
 * Resolves when requests can be sent: connected, agreed on versions and authenticated.
 * @throws KafkaError whose message says what to do, and `retriable` whether trying again makes sense: NETWORK_EXCEPTION, REQUEST_TIMED_OUT,
 * SASL_AUTHENTICATION_FAILED, UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, UNSUPPORTED_VERSION; the signal's reason; TypeError or
 * RangeError for options that are none.
 */
export async function connectToBroker(
  transport: Transport,
  address: Address,
  options: ConnectToBrokerOptions,
): Promise<BrokerConnection> {
  const { clock, sasl, signal = new AbortController().signal } = options
  const deadline = clock.monotonicMs() + (options.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS)
  const timeLeftMs = (): number => Math.max(0, deadline - clock.monotonicMs())
  const broker = await connect(transport, address, options)
  const onAbort = (): void => broker.fail(networkFailure(`${nameOf(address)}: connecting was given up`))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    await agreeOnVersions(broker, options.software ?? { name: 'millrace', version: '0' }, timeLeftMs)
    if (sasl !== undefined) await logIn(broker, sasl, { ...options, signal }, timeLeftMs)
    broker.stage = 'ready'
    return broker
  } catch (error) {
    await broker[Symbol.asyncDispose]()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function connect(
  transport: Transport,
  address: Address,
  options: ConnectToBrokerOptions,
): Promise<BrokerConnection> {
  const { clock, clientId, tls, signal, logger = silentLogger } = options
  if (tls !== undefined) checkPem(tls)
  let connection: TransportConnection
  try {
    connection = await transport.connect({
      host: address.host,
      port: address.port,
      timeoutMs: options.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      ...(tls === undefined ? {} : { tls }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted === true || error instanceof TypeError || error instanceof RangeError) throw error
    throw connectFailure(address, tls !== undefined, error)
  }
  return new BrokerConnection({
    connection,
    clock,
    logger,
    clientId,
    memory: options.memory ?? answerMemory(clock, logger),
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxFrameBytes: options.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES,
    maxInFlight: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
    closeOnTimeout: options.closeOnTimeout ?? false,
    authenticates: options.sasl !== undefined,
    observer: options.observer ?? null,
  })
}

/** Node passes over authorities that it cannot read, and then trusts nobody. */
function checkPem({ ca, certificate, key }: TlsClientOptions): void {
  for (const [name, text] of Object.entries({ ca, certificate, key })) {
    if (typeof text === 'string' && !text.includes('-----BEGIN '))
      throw new TypeError(`ssl.${name}: expected a PEM text, which has a line -----BEGIN …, not the name of a file`)
  }
}

async function logIn(
  broker: BrokerConnection,
  credentials: SaslCredentials,
  { clock, random, signal, requestTimeoutMs }: ConnectToBrokerOptions & { readonly signal: AbortSignal },
  timeLeftMs: () => number,
): Promise<void> {
  if (random === undefined) throw new TypeError('sasl needs random')
  broker.stage = 'authenticating'
  const exchange = await beginExchange({ credentials, clock, random, timeoutMs: timeLeftMs(), signal })
  const lifetimeMs = await authenticate(broker, exchange, { credentials, timeLeftMs })
  if (lifetimeMs === null) return
  const timeoutMs = requestTimeoutMs ?? DEFAULT_TIMEOUT_MS
  keepAuthenticated(broker, { credentials, clock, random, timeoutMs, lifetimeMs })
}

/**
 * Asks with our newest version. A broker that does not know it answers in version 0, since 2.4 naming its own range (KIP-511): then
 * again with the newest that both know, version 0 if it named none.
 */
async function agreeOnVersions(
  broker: BrokerConnection,
  software: { readonly name: string; readonly version: string },
  timeLeftMs: () => number,
): Promise<void> {
  const ask = (version: number): Promise<Response<typeof ApiVersions>> =>
    broker.send(
      ApiVersions,
      { clientSoftwareName: software.name, clientSoftwareVersion: software.version },
      { version, timeoutMs: timeLeftMs() },
    )
  let response = await ask(ApiVersions.versions[1])
  if (response.errorCode === ErrorCode.UNSUPPORTED_VERSION) {
    const named = response.apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key)
    response = await ask(named === undefined ? 0 : new VersionRanges([named]).newestOf(ApiVersions))
  }
  if (response.errorCode !== ErrorCode.NONE) {
    throw new KafkaError(response.errorCode, `the broker refused ApiVersions with error ${response.errorCode}`)
  }
  const { apiKeys, finalizedFeaturesEpoch: epoch, finalizedFeatures } = response
  const levels = new Map(finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]))
  broker.useVersions(new VersionRanges(apiKeys, { epoch, levels }))
}
