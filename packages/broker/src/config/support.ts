/**
 * What this version does with each property: honours it, keeps it without effect, or refuses it. A property that has no effect is
 * accepted, so that a Kafka server.properties starts, and named in a warning, so that nobody relies on it.
 */
import { brokerConfigs, brokerDefinition, type BrokerConfigName } from './broker-configs.ts'
import { kraftConfigs } from './definitions/kraft.ts'
import type { Properties } from './properties.ts'

/** Read by this version of the broker; a test holds the list against the sources. */
const honoured: ReadonlySet<BrokerConfigName> = new Set<BrokerConfigName>([
  'node.id',
  'broker.id',
  'broker.rack',
  'listeners',
  'advertised.listeners',
  'listener.security.protocol.map',
  'inter.broker.listener.name',
  'security.inter.broker.protocol',
  'controller.listener.names',
  'socket.request.max.bytes',
  'socket.listen.backlog.size',
  'queued.max.request.bytes',
  'max.connections',
  'max.connections.per.ip',
  'max.connections.per.ip.overrides',
  'connections.max.idle.ms',
  'log.dir',
  'log.dirs',
  'cordoned.log.dirs',
  'num.partitions',
  'default.replication.factor',
  'auto.create.topics.enable',
  'delete.topic.enable',
  'min.insync.replicas',
  'unclean.leader.election.enable',
  'message.max.bytes',
  'fetch.max.bytes',
  'max.incremental.fetch.session.cache.slots',
  'max.request.partition.size.limit',
  'compression.type',
  'compression.gzip.level',
  'compression.lz4.level',
  'compression.zstd.level',
  'log.segment.bytes',
  'log.roll.ms',
  'log.roll.hours',
  'log.roll.jitter.ms',
  'log.roll.jitter.hours',
  'log.index.size.max.bytes',
  'log.index.interval.bytes',
  'log.retention.ms',
  'log.retention.minutes',
  'log.retention.hours',
  'log.retention.bytes',
  'log.retention.check.interval.ms',
  'log.cleanup.policy',
  'log.cleaner.backoff.ms',
  'log.cleaner.dedupe.buffer.size',
  'log.cleaner.delete.retention.ms',
  'log.cleaner.enable',
  'log.cleaner.io.buffer.load.factor',
  'log.cleaner.io.buffer.size',
  'log.cleaner.io.max.bytes.per.second',
  'log.cleaner.max.compaction.lag.ms',
  'log.cleaner.min.cleanable.ratio',
  'log.cleaner.min.compaction.lag.ms',
  'log.cleaner.threads',
  'log.segment.delete.delay.ms',
  'log.flush.interval.messages',
  'log.flush.interval.ms',
  'log.flush.scheduler.interval.ms',
  'log.flush.offset.checkpoint.interval.ms',
  'log.flush.start.offset.checkpoint.interval.ms',
  'log.message.timestamp.type',
  'log.message.timestamp.before.max.ms',
  'log.message.timestamp.after.max.ms',
  'log.initial.task.delay.ms',
  'replica.high.watermark.checkpoint.interval.ms',
  'producer.id.expiration.ms',
  'producer.id.expiration.check.interval.ms',
  'transaction.max.timeout.ms',
  'transactional.id.expiration.ms',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms',
  'transaction.remove.expired.transaction.cleanup.interval.ms',
  'transaction.partition.verification.enable',
  'add.partitions.to.txn.retry.backoff.ms',
  'add.partitions.to.txn.retry.backoff.max.ms',
  'request.timeout.ms',
  'offsets.topic.num.partitions',
  'offsets.topic.replication.factor',
  'offsets.topic.segment.bytes',
  'offsets.topic.compression.codec',
  'offsets.load.buffer.size',
  'offsets.commit.timeout.ms',
  'group.initial.rebalance.delay.ms',
  'group.max.size',
  'group.min.session.timeout.ms',
  'group.max.session.timeout.ms',
  'group.coordinator.rebalance.protocols',
  'group.consumer.assignors',
  'group.consumer.max.size',
  'group.consumer.migration.policy',
  'group.consumer.regex.refresh.interval.ms',
  'group.consumer.session.timeout.ms',
  'group.consumer.min.session.timeout.ms',
  'group.consumer.max.session.timeout.ms',
  'group.consumer.heartbeat.interval.ms',
  'group.consumer.min.heartbeat.interval.ms',
  'group.consumer.max.heartbeat.interval.ms',
  'group.consumer.assignment.interval.ms',
  'group.consumer.min.assignment.interval.ms',
  'group.consumer.max.assignment.interval.ms',
  'offset.metadata.max.bytes',
  'offsets.retention.minutes',
  'offsets.retention.check.interval.ms',
  'transaction.state.log.load.buffer.size',
  'transaction.state.log.num.partitions',
  'transaction.state.log.replication.factor',
  'transaction.state.log.min.isr',
  'transaction.state.log.segment.bytes',
  'share.coordinator.state.topic.num.partitions',
  'share.coordinator.state.topic.replication.factor',
  'share.coordinator.state.topic.min.isr',
  'share.coordinator.state.topic.segment.bytes',
  'share.coordinator.state.topic.compression.codec',
  'share.coordinator.state.topic.prune.interval.ms',
  'share.coordinator.snapshot.update.records.per.snapshot',
  'share.coordinator.cold.partition.snapshot.interval.ms',
  'share.coordinator.load.buffer.size',
  'share.coordinator.write.timeout.ms',
  'group.share.max.share.sessions',
  'group.share.max.size',
  'group.share.session.timeout.ms',
  'group.share.min.session.timeout.ms',
  'group.share.max.session.timeout.ms',
  'group.share.heartbeat.interval.ms',
  'group.share.min.heartbeat.interval.ms',
  'group.share.max.heartbeat.interval.ms',
  'group.share.assignment.interval.ms',
  'group.share.min.assignment.interval.ms',
  'group.share.max.assignment.interval.ms',
  'group.share.initialize.retry.interval.ms',
  'group.share.partition.max.record.locks',
  'group.share.delivery.count.limit',
  'group.share.record.lock.duration.ms',
  'group.share.min.partition.max.record.locks',
  'group.share.max.partition.max.record.locks',
  'group.share.min.delivery.count.limit',
  'group.share.max.delivery.count.limit',
  'group.share.min.record.lock.duration.ms',
  'group.share.max.record.lock.duration.ms',
  'num.recovery.threads.per.data.dir',
  'replica.alter.log.dirs.io.max.bytes.per.second',
  'millrace.batch.max.decompressed.bytes',
])

/** Without meaning here, but harmless: they size threads, buffers and sweeps that Millrace does not have, or can have one value only. Not worth a warning. */
const harmless: ReadonlySet<BrokerConfigName> = new Set<BrokerConfigName>([
  'background.threads',
  'num.io.threads',
  'num.network.threads',
  'num.replica.alter.log.dirs.threads',
  'queued.max.requests',
  'log.preallocate',
  'group.coordinator.threads',
  'group.coordinator.background.threads',
  'group.coordinator.append.linger.ms',
  'group.coordinator.cached.buffer.max.bytes',
  'group.share.assignors',
  'share.coordinator.threads',
  'share.coordinator.append.linger.ms',
  'share.coordinator.cached.buffer.max.bytes',
  'delete.records.purgatory.purge.interval.requests',
  'fetch.purgatory.purge.interval.requests',
  'producer.purgatory.purge.interval.requests',
  'share.fetch.purgatory.purge.interval.requests',
])

/** Of Kafka 3.9 and older. */
const removed: ReadonlySet<string> = new Set([
  'advertised.host.name',
  'advertised.port',
  'broker.id.generation.enable',
  'control.plane.listener.name',
  'controlled.shutdown.max.retries',
  'controlled.shutdown.retry.backoff.ms',
  'delegation.token.master.key',
  'host.name',
  'inter.broker.protocol.version',
  'leader.imbalance.per.broker.percentage',
  'log.message.downconversion.enable',
  'log.message.format.version',
  'log.message.timestamp.difference.max.ms',
  'max.incremental.fetch.session.cache.evict.min.ms',
  'offsets.commit.required.acks',
  'port',
  'quota.consumer.default',
  'quota.producer.default',
  'reserved.broker.max.id',
])
const removedPrefixes = ['password.encoder.', 'zookeeper.']

/** Properties of Kafka's authorizer, without effect while there is none. */
const authorizerProperties: readonly string[] = ['super.users', 'allow.everyone.if.no.acl.found']

export type Support = 'honoured' | 'harmless' | 'no effect yet' | 'KRaft only' | 'removed from Kafka' | 'unknown'

/** What this version does with a property. */
export function supportOf(name: string): Support {
  if (honoured.has(name as BrokerConfigName)) return 'honoured'
  if (harmless.has(name as BrokerConfigName)) return 'harmless'
  if (Object.hasOwn(kraftConfigs, name)) return 'KRaft only'
  if (brokerDefinition(name) !== undefined || authorizerProperties.includes(name)) return 'no effect yet'
  return removed.has(name) || removedPrefixes.some((prefix) => name.startsWith(prefix))
    ? 'removed from Kafka'
    : 'unknown'
}

/** Properties with which starting would do something else than what they ask for, each with the reason. */
export function refusedProperties(properties: Properties): string[] {
  const problems: string[] = []
  const zookeeper = properties.get('zookeeper.connect')
  if (zookeeper !== undefined && zookeeper.value.trim() !== '')
    problems.push(
      `zookeeper.connect: a ZooKeeper ensemble is not supported yet; leave it out to run on the embedded engine (${zookeeper.source})`,
    )
  for (const [name, { source }] of properties)
    if (brokerDefinition(name)?.isDynamicOnly === true)
      problems.push(`${name}: can only be set while the broker runs, by its admin API (${source})`)
  return problems
}

/** At most one line for each kind. */
export function propertyWarnings(properties: Properties): string[] {
  const byKind = Map.groupBy([...properties], ([name]) => supportOf(name))
  const warnings: string[] = []
  const warn = (kind: Support, what: string): void => {
    const named = byKind
      .get(kind)
      ?.filter(([name, { value }]) => kind !== 'no effect yet' || value.trim() !== defaultOf(name))
    if (named === undefined || named.length === 0) return
    const names = named.map(([name, { source }]) =>
      kind === 'unknown' ? `${name} (${source}${suggestion(name)})` : name,
    )
    warnings.push(`${what}: ${names.join(', ')}`)
  }
  warn('unknown', 'unknown properties')
  warn('no effect yet', 'not supported yet and without effect')
  warn('KRaft only', 'without effect, as Millrace has no KRaft quorum')
  warn('removed from Kafka', 'without effect since Kafka 4')
  return warnings
}

function defaultOf(name: string): string | null {
  return brokerDefinition(name)?.defaultText ?? null
}

/** `, did you mean …?` when a known name is two edits away at most. */
function suggestion(name: string): string {
  let best: string | null = null
  let bestDistance = 3
  for (const known of Object.keys(brokerConfigs)) {
    const distance = editDistance(name, known, bestDistance)
    if (distance < bestDistance) [best, bestDistance] = [known, distance]
  }
  return best === null ? '' : `; did you mean ${best}?`
}

/** Levenshtein's distance, or `bound` when it is that or more. */
function editDistance(one: string, other: string, bound: number): number {
  if (Math.abs(one.length - other.length) >= bound) return bound
  let previous = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const current = [i]
    for (let j = 1; j <= other.length; j++)
      current.push(
        Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)),
      )
    if (Math.min(...current) >= bound) return bound
    previous = current
  }
  return Math.min(bound, previous.at(-1)!)
}
