/** General settings of a broker: who it is, what requests it takes, what it does for topics. Facts: Apache Kafka 4.3.1. */
import { anyList, atLeast, between, gzipLevel, oneOf } from '../config-checks.ts'
import { boolean, int, list, long, string } from '../config-definition.ts'

export const serverConfigs = {
  'node.id': int({
    default: 1,
    check: atLeast(0),
    importance: 'high',
    doc: "This node's id, unique in the cluster and kept in its log directories.",
  }),
  'broker.id': int({
    default: -1,
    importance: 'high',
    doc: 'Older name of node.id; the two must agree when both are set.',
  }),
  'broker.rack': string({
    default: null,
    importance: 'medium',
    doc: 'Rack, zone or room of this broker: replicas are spread over racks and consumers may fetch from their own.',
  }),
  'background.threads': int({
    default: 10,
    check: atLeast(1),
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'Threads for background work. Millrace has one event loop, so only the value is kept.',
  }),
  'num.io.threads': int({
    default: 8,
    check: atLeast(1),
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'Threads that serve requests. Millrace has one event loop, so only the value is kept.',
  }),
  'request.timeout.ms': int({
    default: 30_000,
    importance: 'high',
    doc: 'How long requests between brokers may take, and create, delete and config changes of clients that name no timeout.',
  }),
  'message.max.bytes': int({
    default: 1_048_588,
    check: atLeast(0),
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'Largest record batch accepted, as it comes over the wire (after compression). Topics may set max.message.bytes.',
  }),
  'fetch.max.bytes': int({
    default: 57_671_680,
    check: atLeast(1024),
    importance: 'medium',
    doc: 'Most bytes one Fetch response carries; the first batch is returned even when it is larger.',
  }),
  'max.incremental.fetch.session.cache.slots': int({
    default: 1000,
    check: atLeast(0),
    importance: 'medium',
    doc: 'Incremental fetch sessions (KIP-227) kept at once.',
  }),
  'max.request.partition.size.limit': int({
    default: 2000,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Most partitions one DescribeTopicPartitions response carries.',
  }),
  'delete.topic.enable': boolean({
    default: true,
    importance: 'high',
    doc: 'Whether topics may be deleted by clients.',
  }),
  'compression.type': string({
    default: 'producer',
    check: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'How batches are stored: as the producer sent them, uncompressed, or in the codec named here.',
  }),
  'compression.gzip.level': int({
    default: -1,
    check: gzipLevel,
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: "Level for gzip when compression.type is gzip; -1 is the codec's own choice.",
  }),
  'compression.lz4.level': int({
    default: 9,
    check: between(1, 17),
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Level for lz4 when compression.type is lz4.',
  }),
  'compression.zstd.level': int({
    default: 3,
    check: between(-131_072, 22),
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Level for zstd when compression.type is zstd.',
  }),
  'authorizer.class.name': string({
    default: '',
    importance: 'low',
    doc: 'Class that decides who may do what. Empty: everybody may do everything.',
  }),
  'early.start.listeners': list({
    default: null,
    check: anyList,
    importance: 'high',
    doc: 'Listeners that open before the metadata is loaded.',
  }),
  'config.providers': list({
    default: [],
    check: anyList,
    importance: 'low',
    dynamic: 'cluster-wide',
    doc: 'Names of providers that resolve variables in configuration values.',
  }),
  'unstable.api.versions.enable': boolean({
    default: false,
    importance: 'high',
    internal: true,
    doc: 'Whether versions of APIs still in development are served.',
  }),
  'unstable.feature.versions.enable': boolean({
    default: false,
    importance: 'high',
    internal: true,
    doc: 'Whether feature levels still in development may be used.',
  }),
  'delete.records.purgatory.purge.interval.requests': int({
    default: 1,
    importance: 'medium',
    doc: 'After how many requests Kafka sweeps waiting DeleteRecords; Millrace removes each at once.',
  }),
  'socket.connection.setup.timeout.ms': long({
    default: 10_000,
    importance: 'medium',
    doc: 'First time limit for opening a connection to another broker.',
  }),
  'socket.connection.setup.timeout.max.ms': long({
    default: 30_000,
    importance: 'medium',
    doc: 'Upper bound of the growing time limit for opening a connection to another broker.',
  }),
  'security.providers': string({ default: null, importance: 'low', doc: 'Java security providers to load.' }),
}
