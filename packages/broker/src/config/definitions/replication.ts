/** Replicas, their leaders and the traffic between brokers. Facts: Apache Kafka 4.3.1. */
import { atLeast, oneOf } from '../config-checks.ts'
import { boolean, int, long, string } from '../config-definition.ts'

export const replicationConfigs = {
  'default.replication.factor': int({
    default: 1,
    importance: 'medium',
    doc: 'Replicas of a topic created without a number.',
  }),
  'replica.lag.time.max.ms': long({
    default: 30_000,
    importance: 'high',
    doc: 'A follower that has not caught up for this long leaves the in-sync replicas.',
  }),
  'replica.socket.timeout.ms': int({
    default: 30_000,
    importance: 'high',
    doc: 'Time limit for requests of followers to leaders.',
  }),
  'replica.socket.receive.buffer.bytes': int({
    default: 65_536,
    importance: 'high',
    doc: 'SO_RCVBUF of connections of followers to leaders.',
  }),
  'replica.fetch.max.bytes': int({
    default: 1_048_576,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Bytes a follower asks for per partition.',
  }),
  'replica.fetch.wait.max.ms': int({
    default: 500,
    importance: 'high',
    doc: "How long a leader may hold a follower's fetch.",
  }),
  'replica.fetch.backoff.ms': int({
    default: 1000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Pause of a follower after a failed fetch of a partition.',
  }),
  'replica.fetch.min.bytes': int({ default: 1, importance: 'high', doc: "Bytes a follower's fetch waits for." }),
  'replica.fetch.response.max.bytes': int({
    default: 10_485_760,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Bytes a follower asks for per request.',
  }),
  'replica.high.watermark.checkpoint.interval.ms': long({
    default: 5000,
    importance: 'high',
    doc: 'How often high watermarks are written down.',
  }),
  'num.replica.fetchers': int({
    default: 1,
    check: atLeast(1),
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'Fetchers per source broker.',
  }),
  'num.replica.alter.log.dirs.threads': int({
    default: null,
    importance: 'high',
    doc: 'Threads that move replicas between log directories. Unset: one per directory.',
  }),
  'fetch.purgatory.purge.interval.requests': int({
    default: 1000,
    importance: 'medium',
    doc: 'After how many requests Kafka sweeps waiting fetches; Millrace removes each at once.',
  }),
  'producer.purgatory.purge.interval.requests': int({
    default: 1000,
    importance: 'medium',
    doc: 'After how many requests Kafka sweeps waiting produces; Millrace removes each at once.',
  }),
  'auto.leader.rebalance.enable': boolean({
    default: true,
    importance: 'high',
    doc: 'Whether leadership goes back to preferred replicas by itself.',
  }),
  'leader.imbalance.check.interval.seconds': long({
    default: 300,
    check: atLeast(1),
    importance: 'high',
    doc: 'How often leadership is checked for imbalance.',
  }),
  'unclean.leader.election.enable': boolean({
    default: false,
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'Whether a replica that was not in sync may become leader, at the price of lost records.',
  }),
  'unclean.leader.election.interval.ms': long({
    default: 300_000,
    check: atLeast(1),
    importance: 'medium',
    internal: true,
    doc: 'How often the controller looks for partitions that need an unclean election.',
  }),
  'controlled.shutdown.enable': boolean({
    default: true,
    importance: 'medium',
    doc: 'Whether a stopping broker hands over its leaderships first.',
  }),
  'controller.socket.timeout.ms': int({
    default: 30_000,
    importance: 'medium',
    doc: 'Time limit for requests of the controller to brokers.',
  }),
  'inter.broker.listener.name': string({
    default: null,
    importance: 'medium',
    doc: 'Listener over which brokers talk to each other.',
  }),
  'security.inter.broker.protocol': string({
    default: 'PLAINTEXT',
    check: oneOf('PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'),
    importance: 'medium',
    doc: 'Security protocol between brokers when inter.broker.listener.name is not set.',
  }),
  'replica.selector.class': string({
    default: null,
    importance: 'medium',
    doc: 'Class that picks the replica a consumer fetches from.',
  }),
  'follower.fetch.last.tiered.offset.enable': boolean({
    default: false,
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Whether an empty follower begins at the last tiered offset.',
  }),
}
