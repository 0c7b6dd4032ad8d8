/** Kafka's KRaft quorum. Millrace keeps its metadata in a coordination tree, so these are accepted and have no effect. Facts: Apache Kafka 4.3.1. */
import { anyList, atLeast, atLeastOne, eachOf } from '../config-checks.ts'
import { LONG_MAX, boolean, int, list, long, string } from '../config-definition.ts'

export const kraftConfigs = {
  'process.roles': list({
    default: null,
    check: eachOf('broker', 'controller'),
    importance: 'high',
    doc: 'What a Kafka process is: broker, controller or both.',
  }),
  'controller.listener.names': list({
    default: null,
    check: atLeastOne,
    importance: 'high',
    doc: "Listeners of Kafka's controllers.",
  }),
  'controller.performance.sample.period.ms': long({
    default: 60_000,
    check: atLeast(100),
    importance: 'medium',
    internal: true,
    doc: "How often Kafka's controller sums up its event times.",
  }),
  'controller.performance.always.log.threshold.ms': long({
    default: 2000,
    check: atLeast(0),
    importance: 'medium',
    internal: true,
    doc: "From which duration Kafka's controller logs an event.",
  }),
  'controller.quorum.append.linger.ms': int({
    default: 25,
    check: atLeast(0),
    importance: 'medium',
    doc: "How long Kafka's quorum leader gathers records.",
  }),
  'controller.quorum.auto.join.enable': boolean({
    default: false,
    importance: 'low',
    doc: 'Whether a Kafka controller joins the quorum by itself.',
  }),
  'controller.quorum.bootstrap.servers': list({
    default: [],
    check: anyList,
    importance: 'high',
    doc: "Addresses at which Kafka's quorum is found.",
  }),
  'controller.quorum.election.backoff.max.ms': int({
    default: 1000,
    check: atLeast(0),
    importance: 'high',
    doc: "Longest pause between elections of Kafka's quorum.",
  }),
  'controller.quorum.election.timeout.ms': int({
    default: 1000,
    check: atLeast(0),
    importance: 'high',
    doc: "Time limit of an election of Kafka's quorum.",
  }),
  'controller.quorum.fetch.max.bytes': int({
    default: 1_048_576,
    check: atLeast(1),
    importance: 'low',
    doc: "Bytes a fetch within Kafka's quorum asks for.",
  }),
  'controller.quorum.fetch.snapshot.max.bytes': int({
    default: 1_048_576,
    check: atLeast(1),
    importance: 'low',
    doc: "Bytes a snapshot fetch within Kafka's quorum asks for.",
  }),
  'controller.quorum.fetch.timeout.ms': int({
    default: 2000,
    check: atLeast(0),
    importance: 'high',
    doc: "Time without a fetch after which Kafka's quorum elects anew.",
  }),
  'controller.quorum.request.timeout.ms': int({
    default: 2000,
    check: atLeast(0),
    importance: 'medium',
    doc: "Time limit for requests within Kafka's quorum.",
  }),
  'controller.quorum.retry.backoff.ms': int({
    default: 20,
    check: atLeast(0),
    importance: 'low',
    doc: "Pause before a request within Kafka's quorum is tried again.",
  }),
  'controller.quorum.voters': list({
    default: [],
    check: anyList,
    importance: 'high',
    doc: "Voters of Kafka's quorum: id@host:port.",
  }),
  'sasl.mechanism.controller.protocol': string({
    default: 'GSSAPI',
    importance: 'high',
    doc: "SASL mechanism towards Kafka's controllers.",
  }),
  'broker.heartbeat.interval.ms': int({
    default: 2000,
    importance: 'medium',
    doc: 'How often a broker tells the controller that it lives.',
  }),
  'broker.session.timeout.ms': int({
    default: 9000,
    importance: 'medium',
    doc: 'Time without a heartbeat after which a broker is fenced.',
  }),
  'initial.broker.registration.timeout.ms': int({
    default: 60_000,
    importance: 'medium',
    doc: 'How long a starting broker tries to register.',
  }),
  'server.max.startup.time.ms': long({
    default: LONG_MAX,
    check: atLeast(0),
    importance: 'medium',
    internal: true,
    doc: 'How long starting may take.',
  }),
  'metadata.log.dir': string({ default: null, importance: 'high', doc: "Directory of Kafka's metadata log." }),
  'metadata.log.max.record.bytes.between.snapshots': long({
    default: 20_971_520,
    check: atLeast(1),
    importance: 'high',
    doc: "Bytes of Kafka's metadata log after which a snapshot is taken.",
  }),
  'metadata.log.max.snapshot.interval.ms': long({
    default: 3_600_000,
    check: atLeast(0),
    importance: 'high',
    doc: "Time after which a snapshot of Kafka's metadata is taken.",
  }),
  'metadata.log.segment.bytes': int({
    default: 1_073_741_824,
    check: atLeast(8_388_608),
    importance: 'high',
    doc: "Segment size of Kafka's metadata log.",
  }),
  'metadata.log.segment.ms': long({
    default: 604_800_000,
    importance: 'high',
    doc: "Segment age of Kafka's metadata log.",
  }),
  'metadata.max.idle.interval.ms': int({
    default: 500,
    check: atLeast(0),
    importance: 'low',
    doc: "How often Kafka's controller writes when there is nothing to write.",
  }),
  'metadata.max.retention.bytes': long({
    default: 104_857_600,
    importance: 'high',
    doc: "Bytes of Kafka's metadata log and snapshots that are kept.",
  }),
  'metadata.max.retention.ms': long({
    default: 604_800_000,
    importance: 'high',
    doc: "Time for which Kafka's metadata log and snapshots are kept.",
  }),
  'internal.metadata.log.segment.bytes': int({
    default: null,
    importance: 'low',
    internal: true,
    doc: "Segment size of Kafka's metadata log in its tests.",
  }),
  'internal.metadata.max.batch.size.in.bytes': int({
    default: 8_388_608,
    importance: 'low',
    internal: true,
    doc: "Largest batch in Kafka's metadata log.",
  }),
  'internal.metadata.delete.delay.millis': long({
    default: 60_000,
    importance: 'low',
    internal: true,
    doc: "How long deleted files of Kafka's metadata log stay.",
  }),
}
