/** What must hold between the settings of a broker, beyond each one's own range. Source: Kafka's KafkaConfig.validateValues and the config classes of the coordinators. */
import { isConsumerAssignor } from '../coordinators/groups/assignors/consumer-assignors.ts'
import type { BrokerConfigName, BrokerConfigReader } from './broker-configs.ts'
import { logDirectories, logRetentionMs, logRollJitterMs, logRollMs } from './derived.ts'
import { readPairs } from './listeners.ts'

/** Says what is wrong, one sentence each with the names of the properties; empty when all is well. */
export function brokerConfigProblems(config: BrokerConfigReader): string[] {
  const problems: string[] = []
  for (const [condition, problem] of rules) if (!condition(config)) problems.push(problem)
  for (const [lower, upper] of ordered) {
    if (numberOf(config, lower) > numberOf(config, upper))
      problems.push(`${upper} must be greater than or equal to ${lower}`)
  }
  for (const [lower, upper] of strictlyOrdered)
    if (numberOf(config, lower) >= numberOf(config, upper)) problems.push(`${lower} must be less than ${upper}`)
  checkConnectionOverrides(config, problems)
  checkCordonedDirectories(config, problems)
  return problems
}

type Rule = readonly [holds: (config: BrokerConfigReader) => boolean, problem: string]

const mebibyte = 1024 * 1024

const rules: readonly Rule[] = [
  [
    (config) => config.get('group.consumer.assignors').every(isConsumerAssignor),
    'group.consumer.assignors must be of uniform and range: assignors of your own cannot be loaded',
  ],
  [(config) => logRollMs(config) >= 1, 'log.roll.ms must be greater than or equal to 1'],
  [(config) => logRollJitterMs(config) >= 0, 'log.roll.jitter.ms must be greater than or equal to 0'],
  [(config) => logRetentionMs(config) !== 0, 'log.retention.ms must be unlimited (-1) or, greater than or equal to 1'],
  [
    (config) =>
      config.get('log.cleaner.dedupe.buffer.size') / Math.max(1, config.get('log.cleaner.threads')) > mebibyte,
    'log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.',
  ],
  [
    (config) => config.get('log.cleaner.min.compaction.lag.ms') <= config.get('log.cleaner.max.compaction.lag.ms'),
    'log.cleaner.min.compaction.lag.ms must not be more than log.cleaner.max.compaction.lag.ms',
  ],
  [
    (config) => config.get('replica.fetch.wait.max.ms') <= config.get('replica.socket.timeout.ms'),
    'replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts',
  ],
  [
    (config) => config.get('replica.fetch.wait.max.ms') <= config.get('replica.lag.time.max.ms'),
    'replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR',
  ],
  [
    (config) =>
      config.get('queued.max.request.bytes') <= 0 ||
      config.get('queued.max.request.bytes') >= config.get('socket.request.max.bytes'),
    'queued.max.request.bytes must be larger or equal to socket.request.max.bytes',
  ],
  [
    (config) => config.get('max.connections.per.ip') > 0 || config.get('max.connections.per.ip.overrides') !== '',
    'max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.',
  ],
  [
    (config) =>
      config.get('connections.max.idle.ms') < 0 ||
      config.get('connection.failed.authentication.delay.ms') < config.get('connections.max.idle.ms'),
    'connection.failed.authentication.delay.ms must be less than connections.max.idle.ms',
  ],
  [
    (config) => config.get('group.share.assignors').length === 1,
    'group.share.assignors must contain exactly one assignor',
  ],
  [
    (config) => config.get('group.share.max.share.sessions') >= config.get('group.share.max.size'),
    'group.share.max.share.sessions must be greater than or equal to group.share.max.size',
  ],
  [
    (config) => config.get('authorizer.class.name') === '',
    'authorizer.class.name: authorizers are not supported yet; without one everybody may do everything',
  ],
  [
    (config) => !config.get('remote.log.storage.system.enable'),
    'remote.log.storage.system.enable: tiered storage is not supported yet',
  ],
]

/** The first must not be above the second. */
const ordered: readonly (readonly [BrokerConfigName, BrokerConfigName])[] = [
  ...bounds(
    'group.consumer.min.heartbeat.interval.ms',
    'group.consumer.heartbeat.interval.ms',
    'group.consumer.max.heartbeat.interval.ms',
  ),
  ...bounds(
    'group.consumer.min.session.timeout.ms',
    'group.consumer.session.timeout.ms',
    'group.consumer.max.session.timeout.ms',
  ),
  ...bounds(
    'group.consumer.min.assignment.interval.ms',
    'group.consumer.assignment.interval.ms',
    'group.consumer.max.assignment.interval.ms',
  ),
  ...bounds(
    'group.share.min.heartbeat.interval.ms',
    'group.share.heartbeat.interval.ms',
    'group.share.max.heartbeat.interval.ms',
  ),
  ...bounds(
    'group.share.min.session.timeout.ms',
    'group.share.session.timeout.ms',
    'group.share.max.session.timeout.ms',
  ),
  ...bounds(
    'group.share.min.assignment.interval.ms',
    'group.share.assignment.interval.ms',
    'group.share.max.assignment.interval.ms',
  ),
  ...bounds(
    'group.share.min.delivery.count.limit',
    'group.share.delivery.count.limit',
    'group.share.max.delivery.count.limit',
  ),
  ...bounds(
    'group.share.min.partition.max.record.locks',
    'group.share.partition.max.record.locks',
    'group.share.max.partition.max.record.locks',
  ),
  ...bounds(
    'group.share.min.record.lock.duration.ms',
    'group.share.record.lock.duration.ms',
    'group.share.max.record.lock.duration.ms',
  ),
  ...bounds(
    'group.streams.min.heartbeat.interval.ms',
    'group.streams.heartbeat.interval.ms',
    'group.streams.max.heartbeat.interval.ms',
  ),
  ...bounds(
    'group.streams.min.session.timeout.ms',
    'group.streams.session.timeout.ms',
    'group.streams.max.session.timeout.ms',
  ),
  ...bounds(
    'group.streams.min.assignment.interval.ms',
    'group.streams.assignment.interval.ms',
    'group.streams.max.assignment.interval.ms',
  ),
  ['group.streams.num.standby.replicas', 'group.streams.max.standby.replicas'],
]

const strictlyOrdered: readonly (readonly [BrokerConfigName, BrokerConfigName])[] = [
  ['group.consumer.heartbeat.interval.ms', 'group.consumer.session.timeout.ms'],
  ['group.share.heartbeat.interval.ms', 'group.share.session.timeout.ms'],
  ['group.streams.heartbeat.interval.ms', 'group.streams.session.timeout.ms'],
]

function bounds(
  least: BrokerConfigName,
  value: BrokerConfigName,
  most: BrokerConfigName,
): (readonly [BrokerConfigName, BrokerConfigName])[] {
  return [
    [least, value],
    [value, most],
    [least, most],
  ]
}

function numberOf(config: BrokerConfigReader, name: BrokerConfigName): number {
  return config.get(name) as number
}

function checkConnectionOverrides(config: BrokerConfigReader, problems: string[]): void {
  const property = 'max.connections.per.ip.overrides'
  for (const [address, count] of readPairs(property, config.get(property), problems)) {
    if (!/^([0-9a-zA-Z\-%._:]*)$/.test(address)) problems.push(`${property} contains invalid addresses : ${address}`)
    if (!/^\d{1,10}$/.test(count)) problems.push(`${property}: ${count} is not a number of connections`)
  }
}

function checkCordonedDirectories(config: BrokerConfigReader, problems: string[]): void {
  const cordoned = config.get('cordoned.log.dirs')
  if (cordoned.includes('*')) {
    if (cordoned.length > 1) problems.push('When cordoned.log.dirs is set to *, it must not contain other values')
    return
  }
  const known = logDirectories(config)
  const unknown = cordoned.filter((directory) => !known.includes(directory))
  if (unknown.length > 0)
    problems.push(
      `All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : ${unknown.join(', ')}`,
    )
}
