/**
 * What a client's parts send requests through: it knows which broker a request is for, has a connection to it, and a version both
 * understand. One per client; nothing here knows producers or consumers.
 */
import type { BrokerConnection, FinalizedFeatures } from '@millrace/network'
import {
  ErrorCode,
  FindCoordinator,
  KafkaError,
  Metadata as MetadataApi,
  type Api,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { Address } from '@millrace/runtime'
import type { ClientSettings } from '../config/client-options.ts'
import type { Metrics } from '../observe/metrics.ts'
import { Traffic } from '../observe/traffic.ts'
import type { World } from '../world.ts'
import { bootstrapAddresses } from './bootstrap.ts'
import type { Node } from './cluster-image.ts'
import { abortable, Connections } from './connections.ts'
import { Coordinators } from './coordinators.ts'
import type { CoordinatorKind, Destination, Lane } from './destination.ts'
import { Metadata } from './metadata.ts'
import { retrying } from './retrying.ts'
import { CLIENT_SOFTWARE } from './software.ts'

/** Brokers before Kafka 2.4 may tell epochs of the past, with which they then refuse what is asked of the leader (KAFKA-9212). */
const RELIABLE_EPOCHS_SINCE = 9

export interface ClusterOptions {
  readonly settings: ClientSettings
  readonly world: World
  readonly metrics: Metrics
  /** Kafka's name for the metrics of such clients, as `producer-metrics`. */
  readonly metricsGroup: string
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  /** For the answer. Default `requestTimeoutMs`. */
  readonly timeoutMs?: number
  /** The newest version to use, where newer ones mean something else. */
  readonly maxVersion?: number
}

/** For APIs whose versions differ in shape. */
export type RequestOf<A extends Api> = RequestInput<A> | ((version: number) => RequestInput<A>)

export class Cluster implements AsyncDisposable {
  readonly metadata: Metadata
  readonly settings: ClientSettings
  readonly world: World
  readonly #bootstrap: readonly Address[]
  readonly #connections: Connections
  readonly #coordinators: Coordinators
  readonly #closing = new AbortController()
  /** On the monotonic clock: since when metadata are asked for in vain; null: they could be had. */
  #askedInVainSinceMs: number | null = null

  constructor({ settings, world, metrics, metricsGroup }: ClusterOptions) {
    this.settings = settings
    this.world = world
    this.#bootstrap = bootstrapAddresses(settings.brokers)
    const { ssl, sasl } = settings
    this.#connections = new Connections({
      ...settings,
      world,
      traffic: new Traffic({
        metrics,
        group: metricsGroup,
        clientId: settings.clientId,
        authenticates: ssl !== false || sasl !== null,
      }),
      connect: {
        clientId: settings.clientId,
        requestTimeoutMs: settings.requestTimeoutMs,
        software: CLIENT_SOFTWARE,
        random: world.random,
        // Whatever swallowed a request may swallow the next: a NAT that forgot the connection, a broker that hangs.
        closeOnTimeout: true,
        ...(ssl === false ? {} : { tls: ssl === true ? {} : ssl }),
        ...(sasl === null ? {} : { sasl }),
      },
    })
    metrics.gauge({ group: metricsGroup, name: 'metadata-age' }, () => this.metadata.ageMs / 1000)
    this.#coordinators = new Coordinators((request, signal) => this.send('any', FindCoordinator, request, { signal }))
    this.metadata = new Metadata({
      ...settings,
      world,
      ask: (topics, { allowAutoTopicCreation, signal }) => this.#askMetadata(topics, allowAutoTopicCreation, signal),
    })
  }

  /** Aborted when the client closes. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  /** Requests that wait for their answer. */
  get requestsInFlight(): number {
    return this.#connections.inFlight
  }

  /** What the cluster has agreed to do, as far as brokers connected to have told. */
  get features(): FinalizedFeatures {
    return this.#connections.features
  }

  /**
   * Sends the request, once, and resolves with its answer, whatever error codes that carries. Opens the connection when there is none.
   * @throws KafkaError (see `retriable`): LEADER_NOT_AVAILABLE, COORDINATOR_NOT_AVAILABLE and the like when there is no such destination now,
   * NETWORK_EXCEPTION, REQUEST_TIMED_OUT, UNSUPPORTED_VERSION, errors of authentication. The signal's reason.
   */
  async send<A extends Api>(
    destination: Destination,
    api: A,
    request: RequestOf<A>,
    options: RequestOptions = {},
  ): Promise<Response<A>> {
    const lane = laneOf(destination)
    const address = await this.#addressOf(destination, options.signal)
    try {
      const connection = await this.#connections.open(address, lane, options.signal)
      const version = Math.min(connection.versionOf(api), options.maxVersion ?? Infinity)
      const body = typeof request === 'function' ? request(version) : request
      const sent = connection.send(api, body, {
        version,
        ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      })
      const answer = await abortable(sent, options.signal)
      const { throttleTimeMs } = answer as { readonly throttleTimeMs?: number }
      if (throttleTimeMs !== undefined && throttleTimeMs > 0) this.#connections.throttle(address, lane, throttleTimeMs)
      return answer
    } catch (error) {
      if (error instanceof KafkaError) this.#drawConclusions(destination, error)
      throw error
    }
  }

  /** The connection itself, for those who send much. What its answers say of leaders and throttling they have to tell. */
  connection(nodeId: number, lane: Lane, signal?: AbortSignal): Promise<BrokerConnection> {
    return this.#connections.open(this.node(nodeId), lane, signal)
  }

  /** The same if it is open and may be used now, else null. */
  openConnection(nodeId: number, lane: Lane): BrokerConnection | null {
    const node = this.metadata.image.brokers.get(nodeId)
    return node === undefined ? null : this.#connections.openNow(node, lane)
  }

  /** The broker wants no requests for so long. */
  throttle(nodeId: number, lane: Lane, durationMs: number): void {
    const node = this.metadata.image.brokers.get(nodeId)
    if (node !== undefined) this.#connections.throttle(node, lane, durationMs)
  }

  /** @throws KafkaError LEADER_NOT_AVAILABLE, and asks for metadata, when the cluster has no such broker now. */
  node(nodeId: number): Node {
    const node = this.metadata.image.brokers.get(nodeId)
    if (node !== undefined) return node
    this.metadata.refreshSoon()
    throw new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, `broker ${nodeId} is not among the cluster's brokers now`)
  }

  /** Where the coordinator is. @throws KafkaError as `Coordinators.find`. */
  coordinator(kind: CoordinatorKind, key: string, signal?: AbortSignal): Promise<Node> {
    return this.#coordinators.find(kind, key, signal)
  }

  /** The same for many keys. @throws KafkaError as `Coordinators.findAll`. */
  coordinators(
    kind: CoordinatorKind,
    keys: Iterable<string>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Node | KafkaError>> {
    return this.#coordinators.findAll(kind, keys, signal)
  }

  /** An answer said NOT_COORDINATOR or the like: it is looked for anew. */
  coordinatorLost(kind: CoordinatorKind, key: string): void {
    this.#coordinators.lost(kind, key)
  }

  /** Repeats `attempt` while it throws retriable KafkaErrors; see `retrying`. Default time: `defaultApiTimeoutMs`. */
  withRetries<T>(
    operation: string,
    attempt: (signal: AbortSignal) => Promise<T>,
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined } = {},
  ): Promise<T> {
    const { signal, timeoutMs = this.settings.defaultApiTimeoutMs } = options
    return retrying(operation, attempt, {
      world: this.world,
      retryBackoffMs: this.settings.retryBackoffMs,
      retryBackoffMaxMs: this.settings.retryBackoffMaxMs,
      timeoutMs,
      signal: signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]),
    })
  }

  /** Keeps the process alive until disposed: for what a user waits for. */
  holdProcess(): Disposable {
    return this.world.clock.holdProcess()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new Error('the client is closed')
    this.#closing.abort(reason)
    this.metadata.close(reason)
    await this.#connections.close(reason)
  }

  async #addressOf(destination: Destination, signal: AbortSignal | undefined): Promise<Address> {
    if (destination === 'any') return this.#leastLoaded()
    if (destination === 'controller') return await this.#controller(signal)
    if ('node' in destination) return this.node(destination.node)
    if ('coordinatorOf' in destination) return this.coordinator(destination.kind, destination.coordinatorOf, signal)
    const { topic, partition } = destination.leaderOf
    const leaderId = (await this.metadata.topic(topic, { signal })).partitions[partition]?.leaderId ?? -1
    if (leaderId >= 0) return this.node(leaderId)
    this.metadata.refreshSoon()
    throw new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, `partition ${topic}-${partition} has no leader now`)
  }

  async #controller(signal: AbortSignal | undefined): Promise<Address> {
    const { controllerId } =
      this.metadata.image.controllerId < 0 ? await this.metadata.refresh(signal) : this.metadata.image
    if (controllerId >= 0) return this.node(controllerId)
    this.metadata.refreshSoon()
    throw new KafkaError(ErrorCode.NOT_CONTROLLER, 'the cluster has no controller now')
  }

  /** An open connection with little to do; else a broker that has not refused lately; else one of those. */
  #leastLoaded(): Address {
    const known = [...this.metadata.image.brokers.values()]
    const candidates: readonly Address[] = known.length > 0 ? known : this.#bootstrap
    let best: Address | null = null
    let bestLoad = Infinity
    for (const address of candidates) {
      const load = this.#connections.load(address, 'requests')
      if (load !== null && load < bestLoad) {
        best = address
        bestLoad = load
      }
    }
    if (best !== null) return best
    const willing = candidates.filter((address) => !this.#connections.isAvoided(address, 'requests'))
    const choices = willing.length > 0 ? willing : candidates
    return choices[this.world.random.integer(choices.length)]!
  }

  /** Every known broker, then (when the strategy allows) every bootstrap address, until one answers. */
  async #askMetadata(
    topics: readonly string[] | null,
    allowAutoTopicCreation: boolean,
    signal: AbortSignal,
  ): Promise<Response<typeof MetadataApi>> {
    const request: RequestInput<typeof MetadataApi> = {
      topics: topics === null ? null : topics.map((name) => ({ name })),
      allowAutoTopicCreation,
    }
    const failures: KafkaError[] = []
    const nowMs = this.world.clock.monotonicMs()
    const inVainSinceMs = (this.#askedInVainSinceMs ??= nowMs)
    for (const address of this.#metadataSources(nowMs - inVainSinceMs)) {
      signal.throwIfAborted()
      try {
        const connection = await this.#connections.open(address, 'requests', signal)
        const version = connection.versionOf(MetadataApi)
        const answer = await connection.send(MetadataApi, request, { version })
        if (answer.errorCode === ErrorCode.REBOOTSTRAP_REQUIRED) {
          failures.push(new KafkaError(answer.errorCode))
          this.#askedInVainSinceMs = -Infinity
          continue
        }
        // As one answers that is just starting. What was known of the cluster is worth more.
        if (answer.brokers.length === 0 && answer.errorCode === ErrorCode.NONE) {
          failures.push(new KafkaError(ErrorCode.BROKER_NOT_AVAILABLE, `${addressText(address)}: knows no brokers yet`))
          continue
        }
        this.#askedInVainSinceMs = null
        return version < RELIABLE_EPOCHS_SINCE ? withoutLeaderEpochs(answer) : answer
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable) throw error
        failures.push(error)
      }
    }
    throw new KafkaError(
      ErrorCode.NETWORK_EXCEPTION,
      `no broker answers: ${failures.map(({ message }) => message).join('; ')}`,
      { cause: new AggregateError(failures) },
    )
  }

  *#metadataSources(inVainForMs: number): Generator<Address> {
    const known = [...this.metadata.image.brokers.values()]
    const { metadataRecoveryStrategy, metadataRecoveryRebootstrapTriggerMs } = this.settings
    const isOverdue = inVainForMs > metadataRecoveryRebootstrapTriggerMs
    const mayRebootstrap = metadataRecoveryStrategy === 'rebootstrap'
    if (known.length > 0 && !(mayRebootstrap && isOverdue)) {
      const first = this.#leastLoaded()
      yield first
      for (const address of known) if (address !== first) yield address
    }
    if (known.length === 0 || mayRebootstrap) yield* this.#shuffled(this.#bootstrap)
  }

  #shuffled(addresses: readonly Address[]): Address[] {
    return addresses
      .map((address) => ({ address, order: this.world.random.next() }))
      .toSorted((one, other) => one.order - other.order)
      .map(({ address }) => address)
  }

  #drawConclusions(destination: Destination, error: KafkaError): void {
    if (!error.retriable) return
    if (typeof destination !== 'string' && 'coordinatorOf' in destination)
      this.coordinatorLost(destination.kind, destination.coordinatorOf)
    else this.metadata.refreshSoon()
  }
}

function laneOf(destination: Destination): Lane {
  if (typeof destination === 'string') return 'requests'
  if ('coordinatorOf' in destination) return destination.lane ?? 'coordinator'
  return destination.lane ?? 'requests'
}

function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function withoutLeaderEpochs(answer: Response<typeof MetadataApi>): Response<typeof MetadataApi> {
  const topics = answer.topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({ ...partition, leaderEpoch: -1 })),
  }))
  return { ...answer, topics }
}
