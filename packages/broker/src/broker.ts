/**
 * One broker: puts its parts together, starts them in the order in which they need each other, and stops them in the reverse.
 *
 * Start: listeners are bound first, so that a port in use is told before anything is touched; then the cluster's metadata is read, the
 * logs are opened, the broker is registered (its partitions get leaders), and only then requests are read.
 */
import type { CoordinationTree } from '@millrace/coordination'
import { CodecWorker } from '@millrace/protocol'
import { BufferPool, type Address, type Logger, type Runtime, type Timer } from '@millrace/runtime'
import { LogManager, type CleanerConfig, type DirectoryFailure } from '@millrace/storage'
import { handlers } from './api/index.ts'
import type { BrokerConfig } from './config/broker-config.ts'
import { readPairs } from './config/listeners.ts'
import { topicLogConfig, validateTopicConfigs } from './config/topic-configs.ts'
import { ShareGroupService } from './coordinators/groups/share/share-group-service.ts'
import { Coordinators } from './coordinators/coordinators.ts'
import { Controller } from './controller/controller.ts'
import { ProducerIds } from './controller/producer-ids.ts'
import { newestLevels, SUPPORTED_FEATURES, type FeatureName } from './metadata/features.ts'
import type { EndpointImage, MetadataDelta, MetadataImage } from './metadata/image.ts'
import { MetadataCache } from './metadata/metadata-cache.ts'
import { FetchSessions } from './partitions/fetch-sessions.ts'
import { Partitions } from './partitions/partitions.ts'
import { ResponseMemory } from './partitions/response-memory.ts'
import type { BrokerServices } from './server/broker-services.ts'
import { Sharing } from './sharing/sharing.ts'
import { SocketServer, type BoundListener } from './server/socket-server.ts'

export interface BrokerOptions {
  readonly runtime: Runtime
  readonly config: BrokerConfig
  /** Not disposed by the broker. */
  readonly tree: CoordinationTree
  readonly logger: Logger
  /** The feature levels a new cluster finalizes, where they shall not be the newest. */
  readonly featureLevels?: Readonly<Partial<Record<FeatureName, number>>>
  /** The broker cannot go on (no log directory is left). Called at most once; the owner stops it. */
  readonly onFatal?: (error: Error) => void
}

const sessionTimeoutMs = 18_000
/** Recoveries of one directory at once, whatever Kafka's default of 2 threads says: here they share one thread and wait for the disk. */
const leastRecoveryConcurrency = 8
/** Buffers kept for reuse; what is not needed for a while is let go. */
const keptBufferBytes = 64 * 1024 * 1024
const trimBuffersMs = 15_000
const responseMemoryBytes = 256 * 1024 * 1024
/** What `queued.max.request.bytes` of -1 means: room for two of the largest requests, and at least this. */
const leastReceiveBytes = 256 * 1024 * 1024

export class Broker implements AsyncDisposable {
  readonly #services: BrokerServices
  readonly #server: SocketServer
  readonly #cleanup: AsyncDisposableStack
  #stopped: Promise<void> | undefined

  private constructor(services: BrokerServices, server: SocketServer, cleanup: AsyncDisposableStack) {
    this.#services = services
    this.#server = server
    this.#cleanup = cleanup
  }

  /** Resolves when requests are served. @throws Error when a listener cannot be bound, or the log directories cannot be used. */
  static async start(options: BrokerOptions): Promise<Broker> {
    await using cleanup = new AsyncDisposableStack()
    const { runtime, config, logger } = options
    const buffers = new BufferPool({ maxKeptBytes: keptBufferBytes })
    const services = {
      nodeId: config.nodeId,
      config,
      logger,
      clock: runtime.clock,
      random: runtime.random,
      buffers,
      responseMemory: new ResponseMemory(responseMemoryBytes),
      codecWorker: cleanup.use(new CodecWorker({ onTrouble: ({ message }) => logger.warn(message) })),
      metadata: new MetadataCache(runtime.clock),
      handlers,
      fetchSessions: new FetchSessions({
        clock: runtime.clock,
        random: runtime.random,
        maxSessions: config.get('max.incremental.fetch.session.cache.slots'),
      }),
    } as Mutable<BrokerServices>
    keepTrimmed(buffers, options, cleanup)

    const server = new SocketServer(services, serverOptions(options, buffers))
    cleanup.use(server)
    for (const listener of config.listeners) await server.bind(listener)

    const controller = await openController(options, services.metadata)
    cleanup.use(controller)
    services.controller = controller
    services.clusterId = controller.clusterId
    services.producerIds = new ProducerIds({
      brokerId: config.nodeId,
      allocate: (brokerId) => controller.allocateProducerIds(brokerId),
    })
    applyDynamicConfig(config, services.metadata.image, logger)

    const logs = await openLogs(options, services)
    cleanup.defer(() => logs.close(services.metadata.image.brokers.get(config.nodeId)?.epoch))
    services.logs = logs
    openPartitions(services)
    cleanup.defer(() => services.coordinators.close())

    const endpoints = endpointsOf(config, server.bound)
    await controller.register({ rack: config.get('broker.rack'), endpoints, features: SUPPORTED_FEATURES })
    server.open()
    return new Broker(services, server, cleanup.move())
  }

  get clusterId(): string {
    return this.#services.clusterId
  }

  get nodeId(): number {
    return this.#services.nodeId
  }

  /** What is bound, in the order of the configuration. */
  get listeners(): readonly BoundListener[] {
    return this.#server.bound
  }

  /** Open connections of clients. */
  get connectionCount(): number {
    return this.#server.connectionCount
  }

  /** Answers what has begun, flushes, and leaves a clean-shutdown marker. The second call waits for the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Clients first, while what they wait for still works, except for other members of a group; then logs and controller. */
  async #stop(): Promise<void> {
    const drained = this.#server[Symbol.asyncDispose]()
    this.#services.coordinators.close()
    await drained
    this.#services.sharing.close()
    await this.#cleanup.disposeAsync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

function serverOptions({ runtime, config, logger }: BrokerOptions, buffers: BufferPool) {
  const maxRequestBytes = config.get('socket.request.max.bytes')
  const queuedBytes = config.get('queued.max.request.bytes')
  return {
    transport: runtime.transport,
    logger,
    buffers,
    maxRequestBytes,
    maxReceiveBytes: queuedBytes > 0 ? queuedBytes : Math.max(leastReceiveBytes, 2 * maxRequestBytes),
    maxIdleMs: config.get('connections.max.idle.ms'),
    backlog: config.get('socket.listen.backlog.size'),
    limits: {
      maxConnections: config.get('max.connections'),
      maxConnectionsPerIp: config.get('max.connections.per.ip'),
      perIpOverrides: new Map(
        readPairs('max.connections.per.ip.overrides', config.get('max.connections.per.ip.overrides'), []).map(
          ([host, count]) => [host, Number(count)],
        ),
      ),
    },
  }
}

function keepTrimmed(buffers: BufferPool, { runtime }: BrokerOptions, cleanup: AsyncDisposableStack): void {
  let timer: Timer
  const schedule = (): void => {
    timer = runtime.clock.after(trimBuffersMs, () => {
      buffers.trim()
      schedule()
    })
  }
  schedule()
  cleanup.defer(() => timer.cancel())
}

function openController(
  { runtime, config, tree, logger, featureLevels }: BrokerOptions,
  metadata: MetadataCache,
): Promise<Controller> {
  return Controller.open({
    nodeId: config.nodeId,
    tree,
    sessionTimeoutMs,
    wishedClusterId: null,
    initialLevels: newestLevels(featureLevels),
    metadata,
    clock: runtime.clock,
    random: runtime.random,
    logger,
    settings: {
      defaultPartitions: () => config.get('num.partitions'),
      defaultReplicationFactor: () => config.get('default.replication.factor'),
      allowsUncleanElection: (image, topic) =>
        topicLogConfig(config, image.configs('topics', topic)).uncleanLeaderElectionEnable,
      validateTopicConfigs: (_topic, configs) => validateTopicConfigs(config, configs),
    },
  })
}

function openLogs({ runtime, config, logger, onFatal }: BrokerOptions, services: BrokerServices): Promise<LogManager> {
  const { metadata } = services
  return LogManager.open({
    disk: runtime.disk,
    clock: runtime.clock,
    random: runtime.random,
    logger,
    directories: config.logDirectories,
    nodeId: config.nodeId,
    clusterId: services.clusterId,
    configFor: (topic) => topicLogConfig(config, metadata.image.configs('topics', topic)),
    intervals: {
      initialTaskDelayMs: config.get('log.initial.task.delay.ms'),
      retentionCheckMs: config.get('log.retention.check.interval.ms'),
      flushCheckMs: config.get('log.flush.scheduler.interval.ms'),
      recoveryPointCheckpointMs: config.get('log.flush.offset.checkpoint.interval.ms'),
      logStartOffsetCheckpointMs: config.get('log.flush.start.offset.checkpoint.interval.ms'),
      highWatermarkCheckpointMs: config.get('replica.high.watermark.checkpoint.interval.ms'),
      producerIdExpirationCheckMs: config.get('producer.id.expiration.check.interval.ms'),
    },
    concurrencyPerDirectory: Math.max(leastRecoveryConcurrency, config.get('num.recovery.threads.per.data.dir')),
    moveBytesPerSecond: config.get('replica.alter.log.dirs.io.max.bytes.per.second'),
    producerIdExpirationMs: config.get('producer.id.expiration.ms'),
    maxTransactionTimeoutMs: config.get('transaction.max.timeout.ms'),
    ...(config.get('log.cleaner.enable') ? { cleaner: () => cleanerConfig(config) } : undefined),
    onDirectoryFailure: (failure) => {
      // Not there yet when a directory fails while it is opened; then none of its partitions are either.
      services.partitions?.goOffline(failure.lost)
      services.coordinators?.directoryFailed()
      reportDirectoryFailure(failure, logger, onFatal)
    },
    onLogReplaced: (log) => services.partitions.replaceLog(log),
  })
}

function cleanerConfig(config: BrokerConfig): CleanerConfig {
  return {
    threads: config.get('log.cleaner.threads'),
    dedupeBufferBytes: config.get('log.cleaner.dedupe.buffer.size'),
    loadFactor: config.get('log.cleaner.io.buffer.load.factor'),
    ioBufferBytes: config.get('log.cleaner.io.buffer.size'),
    maxBytesPerSecond: config.get('log.cleaner.io.max.bytes.per.second'),
    backoffMs: config.get('log.cleaner.backoff.ms'),
  }
}

function reportDirectoryFailure(
  { directory, error, lost, remaining }: DirectoryFailure,
  logger: Logger,
  onFatal: BrokerOptions['onFatal'],
): void {
  logger.error(
    `log directory ${directory} has failed: ${error.message}. ${lost.length} replicas are offline until a restart, ${remaining} directories remain`,
  )
  if (remaining === 0) onFatal?.(new Error(`no log directory is left: ${directory} has failed: ${error.message}`))
}

/** Brings replicas and settings in step with the metadata, now and at every change. */
function openPartitions(services: Mutable<BrokerServices>): void {
  const { metadata, logs, logger, nodeId, config } = services
  const { image } = metadata
  logs.setCordoned(config.cordonedLogDirectories)
  config.onChange(() => {
    logs.setCordoned(config.cordonedLogDirectories)
    logs.updateConfig()
    logs.cleanerConfigChanged()
  })
  logs.reconcile(({ topic, partition, topicId }) => {
    const wanted = image.topics.get(topic)
    const isOurs = wanted?.partitions[partition]?.replicas.includes(nodeId) === true
    return isOurs && (topicId === null || topicId === wanted.id)
  })
  const partitions = new Partitions({ nodeId, logs, logger, image })
  services.partitions = partitions
  partitions.apply(image, image.topics.keys())
  const coordinators = new Coordinators(services)
  services.coordinators = coordinators
  coordinators.apply(image, null)
  services.sharing = new Sharing(services)
  services.shareGroups = new ShareGroupService({
    ...services,
    groups: coordinators.groups,
    persister: services.sharing.persister,
  })
  metadata.onChange((changed, delta) => {
    if (delta.topics !== undefined) partitions.apply(changed, delta.topics.keys())
    coordinators.apply(changed, new Set(delta.topics?.keys()))
    services.sharing.apply(changed)
    applyConfigChanges(services, changed, delta)
  })
}

function applyConfigChanges(services: BrokerServices, image: MetadataImage, delta: MetadataDelta): void {
  for (const key of delta.configs?.keys() ?? []) {
    if (key.startsWith('topics/')) services.logs.updateConfig(key.slice('topics/'.length))
    else if (key.startsWith('brokers/')) applyDynamicConfig(services.config, image, services.logger)
  }
}

function applyDynamicConfig(config: BrokerConfig, image: MetadataImage, logger: Logger): void {
  const warnings = config.setDynamic(image.configs('brokers', ''), image.configs('brokers', String(config.nodeId)))
  for (const warning of warnings) logger.warn(warning)
}

/** What other brokers and the metadata are told; clients of this broker are told what they connected to. */
function endpointsOf(config: BrokerConfig, bound: readonly BoundListener[]): Map<string, EndpointImage> {
  const endpoints = new Map<string, EndpointImage>()
  for (const { name, advertised, host, securityProtocol } of config.listeners) {
    const address: Address | undefined = advertised ?? bound.find((one) => one.name === name)?.address
    if (address === undefined) continue
    endpoints.set(name, { host: advertised?.host ?? host ?? address.host, port: address.port, securityProtocol })
  }
  return endpoints
}
