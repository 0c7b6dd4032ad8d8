/** What can be set per group. Facts: Apache Kafka 4.3.1. */
import { atLeast, offsetResetStrategy, oneOf } from '../config-checks.ts'
import { boolean, int, string } from '../config-definition.ts'

export const groupResourceConfigs = {
  'consumer.session.timeout.ms': int({
    default: 45_000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Session timeout of the consumer group.',
  }),
  'consumer.heartbeat.interval.ms': int({
    default: 5000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Heartbeat interval of the consumer group.',
  }),
  'consumer.assignment.interval.ms': int({
    default: 1000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Shortest time between two assignments of the consumer group.',
  }),
  'share.session.timeout.ms': int({
    default: 45_000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Session timeout of the share group.',
  }),
  'share.heartbeat.interval.ms': int({
    default: 5000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Heartbeat interval of the share group.',
  }),
  'share.record.lock.duration.ms': int({
    default: 30_000,
    check: atLeast(1000),
    importance: 'medium',
    doc: 'How long a delivered record is locked for its consumer.',
  }),
  'share.delivery.count.limit': int({
    default: 5,
    check: atLeast(2),
    importance: 'medium',
    doc: 'How often a record is delivered before it is given up.',
  }),
  'share.partition.max.record.locks': int({
    default: 2000,
    check: atLeast(100),
    importance: 'medium',
    doc: 'Records of a share partition that may be in flight.',
  }),
  'share.auto.offset.reset': string({
    default: 'latest',
    check: offsetResetStrategy,
    importance: 'medium',
    doc: 'Where a share group begins: earliest, latest or by_duration: and an ISO 8601 duration.',
  }),
  'share.isolation.level': string({
    default: 'read_uncommitted',
    check: oneOf('read_committed', 'read_uncommitted'),
    importance: 'medium',
    doc: 'Whether records of aborted transactions are delivered.',
  }),
  'share.renew.acknowledge.enable': boolean({
    default: true,
    importance: 'medium',
    doc: 'Whether consumers may renew the lock of a record.',
  }),
  'share.assignment.interval.ms': int({
    default: 1000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Shortest time between two assignments of the share group.',
  }),
  'streams.session.timeout.ms': int({
    default: 45_000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Session timeout of the streams group.',
  }),
  'streams.heartbeat.interval.ms': int({
    default: 5000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Heartbeat interval of the streams group.',
  }),
  'streams.num.standby.replicas': int({
    default: 0,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Standby replicas of each stateful task.',
  }),
  'streams.initial.rebalance.delay.ms': int({
    default: 3000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'How long the first rebalance of the group waits for more members.',
  }),
  'streams.assignment.interval.ms': int({
    default: 1000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Shortest time between two assignments of the streams group.',
  }),
}
