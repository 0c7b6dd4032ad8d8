/** What can be set per topic. Facts: Apache Kafka 4.3.1. */
import { atLeast, between, eachOf, gzipLevel, oneOf, throttledReplicas } from '../config-checks.ts'
import { LONG_MAX, boolean, double, int, list, long, string } from '../config-definition.ts'

export const topicConfigs = {
  'cleanup.policy': list({
    default: ['delete'],
    check: eachOf('compact', 'delete'),
    importance: 'medium',
    doc: 'What happens to old segments: delete, compact or both; empty: nothing.',
  }),
  'compression.type': string({
    default: 'producer',
    check: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    importance: 'medium',
    doc: 'How batches are stored: as the producer sent them, uncompressed, or in the codec named here.',
  }),
  'compression.gzip.level': int({
    default: -1,
    check: gzipLevel,
    importance: 'medium',
    doc: "Level for gzip when compression.type is gzip; -1 is the codec's own choice.",
  }),
  'compression.lz4.level': int({
    default: 9,
    check: between(1, 17),
    importance: 'medium',
    doc: 'Level for lz4 when compression.type is lz4.',
  }),
  'compression.zstd.level': int({
    default: 3,
    check: between(-131_072, 22),
    importance: 'medium',
    doc: 'Level for zstd when compression.type is zstd.',
  }),
  'delete.retention.ms': long({
    default: 86_400_000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'How long tombstones stay readable after compaction.',
  }),
  'file.delete.delay.ms': long({
    default: 60_000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'How long a deleted file stays on disk under another name.',
  }),
  'flush.messages': long({
    default: LONG_MAX,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Records appended to a partition before it is synced to disk; 1 syncs before every acknowledgement.',
  }),
  'flush.ms': long({
    default: LONG_MAX,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Longest time a record stays unsynced.',
  }),
  'follower.replication.throttled.replicas': list({
    default: [],
    check: throttledReplicas,
    importance: 'medium',
    doc: 'Replicas throttled as followers: partition:broker, comma separated, or *.',
  }),
  'leader.replication.throttled.replicas': list({
    default: [],
    check: throttledReplicas,
    importance: 'medium',
    doc: 'Replicas throttled as leaders: partition:broker, comma separated, or *.',
  }),
  'index.interval.bytes': int({
    default: 4096,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Bytes between two entries of an index.',
  }),
  'internal.segment.bytes': int({
    default: null,
    importance: 'medium',
    internal: true,
    doc: 'Segment size without a lower bound, for tests.',
  }),
  'local.retention.bytes': long({
    default: -2,
    check: atLeast(-2),
    importance: 'medium',
    doc: 'Bytes of a partition with tiered storage that stay local; -2: as retention.bytes.',
  }),
  'local.retention.ms': long({
    default: -2,
    check: atLeast(-2),
    importance: 'medium',
    doc: 'How long records with tiered storage stay local; -2: as retention.ms.',
  }),
  'max.compaction.lag.ms': long({
    default: LONG_MAX,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Longest time a record may stay uncompacted.',
  }),
  'max.message.bytes': int({
    default: 1_048_588,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Largest record batch accepted, as it comes over the wire (after compression).',
  }),
  'message.timestamp.after.max.ms': long({
    default: 3_600_000,
    check: atLeast(0),
    importance: 'medium',
    doc: "How far in the future a record's timestamp may lie.",
  }),
  'message.timestamp.before.max.ms': long({
    default: LONG_MAX,
    check: atLeast(0),
    importance: 'medium',
    doc: "How far in the past a record's timestamp may lie.",
  }),
  'message.timestamp.type': string({
    default: 'CreateTime',
    check: oneOf('CreateTime', 'LogAppendTime'),
    importance: 'medium',
    doc: "Whether records keep the producer's time (CreateTime) or get the broker's (LogAppendTime).",
  }),
  'min.cleanable.dirty.ratio': double({
    default: 0.5,
    check: between(0, 1),
    importance: 'medium',
    doc: 'Share of a log that must be uncompacted before compaction begins.',
  }),
  'min.compaction.lag.ms': long({
    default: 0,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Shortest time a record stays uncompacted.',
  }),
  'min.insync.replicas': int({
    default: 1,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Replicas that must be in sync for a write with acks=all.',
  }),
  preallocate: boolean({
    default: false,
    importance: 'medium',
    doc: 'Whether Kafka allocates segment files in full at creation. Millrace never does.',
  }),
  'remote.log.copy.disable': boolean({
    default: false,
    importance: 'medium',
    doc: 'Whether a topic with tiered storage stops copying segments.',
  }),
  'remote.log.delete.on.disable': boolean({
    default: false,
    importance: 'medium',
    doc: 'Whether remote segments are deleted when tiered storage is switched off.',
  }),
  'remote.storage.enable': boolean({
    default: false,
    importance: 'medium',
    doc: 'Whether the topic uses tiered storage.',
  }),
  'retention.bytes': long({
    default: -1,
    importance: 'medium',
    doc: 'Size a partition may have before its oldest segments are deleted; -1: no bound.',
  }),
  'retention.ms': long({
    default: 604_800_000,
    check: atLeast(-1),
    importance: 'medium',
    doc: 'How long records are kept; -1: for ever.',
  }),
  'segment.bytes': int({
    default: 1_073_741_824,
    check: atLeast(1_048_576),
    importance: 'medium',
    doc: 'Size at which a segment is closed and the next begun.',
  }),
  'segment.index.bytes': int({
    default: 10_485_760,
    check: atLeast(4),
    importance: 'medium',
    doc: 'Largest size of an offset index or time index.',
  }),
  'segment.jitter.ms': long({
    default: 0,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Most milliseconds taken at random off segment.ms.',
  }),
  'segment.ms': long({
    default: 604_800_000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Age at which a segment is closed.',
  }),
  'unclean.leader.election.enable': boolean({
    default: false,
    importance: 'medium',
    doc: 'Whether a replica that was not in sync may become leader, at the price of lost records.',
  }),
}
