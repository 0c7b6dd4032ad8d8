/** Quotas, throttles, metrics and telemetry. Facts: Apache Kafka 4.3.1. */
import { anyList, atLeast } from '../config-checks.ts'
import { LONG_MAX, className, int, list, long, string } from '../config-definition.ts'

export const quotasAndMetricsConfigs = {
  'client.quota.callback.class': className({
    default: null,
    importance: 'low',
    doc: 'Class that computes the quotas of clients.',
  }),
  'quota.window.num': int({
    default: 11,
    check: atLeast(1),
    importance: 'low',
    doc: 'Windows over which client quotas are measured.',
  }),
  'quota.window.size.seconds': int({
    default: 1,
    check: atLeast(1),
    importance: 'low',
    doc: 'Length of each of those windows.',
  }),
  'replication.quota.window.num': int({
    default: 11,
    check: atLeast(1),
    importance: 'low',
    doc: 'Windows over which replication quotas are measured.',
  }),
  'replication.quota.window.size.seconds': int({
    default: 1,
    check: atLeast(1),
    importance: 'low',
    doc: 'Length of each of those windows.',
  }),
  'alter.log.dirs.replication.quota.window.num': int({
    default: 11,
    check: atLeast(1),
    importance: 'low',
    doc: 'Windows over which moves between log directories are measured.',
  }),
  'alter.log.dirs.replication.quota.window.size.seconds': int({
    default: 1,
    check: atLeast(1),
    importance: 'low',
    doc: 'Length of each of those windows.',
  }),
  'controller.quota.window.num': int({
    default: 11,
    check: atLeast(1),
    importance: 'low',
    doc: 'Windows over which quotas of topic changes are measured.',
  }),
  'controller.quota.window.size.seconds': int({
    default: 1,
    check: atLeast(1),
    importance: 'low',
    doc: 'Length of each of those windows.',
  }),
  'leader.replication.throttled.rate': long({
    default: LONG_MAX,
    check: atLeast(0),
    importance: 'medium',
    dynamic: 'cluster-wide',
    dynamicOnly: true,
    doc: 'Most bytes per second leaders send to throttled replicas.',
  }),
  'follower.replication.throttled.rate': long({
    default: LONG_MAX,
    check: atLeast(0),
    importance: 'medium',
    dynamic: 'cluster-wide',
    dynamicOnly: true,
    doc: 'Most bytes per second followers fetch for throttled replicas.',
  }),
  'replica.alter.log.dirs.io.max.bytes.per.second': long({
    default: LONG_MAX,
    check: atLeast(0),
    importance: 'medium',
    dynamic: 'cluster-wide',
    dynamicOnly: true,
    doc: 'Most bytes per second for moves between log directories.',
  }),
  'metric.reporters': list({
    default: ['org.apache.kafka.common.metrics.JmxReporter'],
    check: anyList,
    importance: 'low',
    dynamic: 'cluster-wide',
    doc: 'Classes that report metrics.',
  }),
  'metrics.num.samples': int({
    default: 2,
    check: atLeast(1),
    importance: 'low',
    doc: 'Samples kept to compute metrics.',
  }),
  'metrics.sample.window.ms': long({
    default: 30_000,
    check: atLeast(1),
    importance: 'low',
    doc: 'Time each sample covers.',
  }),
  'metrics.recording.level': string({
    default: 'INFO',
    importance: 'low',
    doc: 'Level from which metrics are recorded.',
  }),
  'kafka.metrics.reporters': list({
    default: [],
    check: anyList,
    importance: 'low',
    doc: "Classes that report metrics in Yammer's form.",
  }),
  'kafka.metrics.polling.interval.secs': int({
    default: 10,
    check: atLeast(1),
    importance: 'low',
    doc: 'How often such reporters are polled.',
  }),
  'telemetry.max.bytes': int({
    default: 1_048_576,
    check: atLeast(1),
    importance: 'low',
    doc: 'Largest telemetry push of a client (KIP-714).',
  }),
}
