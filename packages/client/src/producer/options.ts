/** Options of `kafka.producer()`. Names and defaults are Kafka's. */
import { callback, clientOptions } from '../config/client-options.ts'
import {
  MAX_INT32,
  flag,
  integer,
  isFunction,
  isObject,
  listOf,
  milliseconds,
  nullable,
  oneOf,
  optional,
  shaped,
  text,
  type OptionsInput,
  type Settings,
} from '../config/option.ts'
import type { Serializer } from '../serde/serde.ts'
import type { ProducerInterceptor } from './interceptor.ts'
import type { Partitioner } from './partitioner.ts'

const serializer = shaped<Serializer<unknown>>(
  'a serde (see `serde`), or an object with a function serialize',
  (value) => isObject(value) && isFunction(value['serialize']),
)

/** 0, which zlib has, means that nothing is compressed. */
const gzipLevel = shaped<number>(
  'a whole number from 1 to 9, or -1 for the default',
  (value) => value === -1 || integer(1, 9).accepts(value),
)

export const producerOptions = {
  ...clientOptions,
  /** Where records go that name no topic. */
  topic: optional(nullable(text), null),
  /** Default: keys are bytes, or texts written as UTF-8. */
  key: optional(nullable(serializer), null),
  value: optional(nullable(serializer), null),
  /** Who must have a record before it is acknowledged: all in-sync replicas ('all' or -1), the leader (1), nobody (0). */
  acks: optional(oneOf('all', -1, 0, 1), 'all'),
  /** Bytes of a batch at which it is full. 0: no batching. */
  batchSize: optional(integer(0, MAX_INT32), 16_384),
  /** How long a batch that is not full waits for more. */
  lingerMs: optional(milliseconds(), 5),
  /** Bytes of records that may wait to be acknowledged; above it `send` waits up to `maxBlockMs`. */
  bufferMemory: optional(integer(0), 33_554_432),
  /** Bytes of the largest request, and of the largest record without compression. */
  maxRequestSize: optional(integer(0, MAX_INT32), 1_048_576),
  /** How long `send` may wait for metadata and memory, and transactional calls for their coordinator. */
  maxBlockMs: optional(milliseconds(), 60_000),
  /** How long after `send` a record is either acknowledged or has failed. At least `lingerMs` + `requestTimeoutMs`. */
  deliveryTimeoutMs: optional(milliseconds(0, MAX_INT32), 120_000),
  retries: optional(integer(0, MAX_INT32), MAX_INT32),
  compressionType: optional(oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'), 'none'),
  compressionGzipLevel: optional(gzipLevel, -1),
  compressionLz4Level: optional(integer(1, 17), 9),
  compressionZstdLevel: optional(integer(-131_072, 22), 3),
  /** Produce requests on their way to one broker. At most 5 when idempotent. */
  maxInFlightRequestsPerConnection: optional(integer(1, MAX_INT32), 5),
  /** No duplicates and no reordering by retries. Default true, unless `acks`, `retries` or `maxInFlightRequestsPerConnection` rule it out. */
  enableIdempotence: optional<boolean | null>(nullable(flag), null),
  transactionalId: optional(nullable(text), null),
  transactionTimeoutMs: optional(milliseconds(1, MAX_INT32), 60_000),
  /** Metadata of topics not written to for so long are forgotten. */
  metadataMaxIdleMs: optional(milliseconds(5_000), 300_000),
  /** Let brokers create topics that are missing, if they do that. */
  allowAutoCreateTopics: optional(flag, true),
  /**
   * 'default' (murmur2 of the key as in Java, sticky without key), one of your own, or, whatever the key: 'round-robin', 'random', 'least-loaded'
   * (where the fewest bytes wait).
   */
  partitioner: optional(
    shaped<Partitioner | 'default' | 'round-robin' | 'random' | 'least-loaded'>(
      "'default', 'round-robin', 'random', 'least-loaded' or a function",
      (value) => isFunction(value) || ['default', 'round-robin', 'random', 'least-loaded'].includes(value as string),
    ),
    'default',
  ),
  /** The default partitioner treats all records as having no key. */
  partitionerIgnoreKeys: optional(flag, false),
  /** Records without key go rather to brokers that keep up. */
  partitionerAdaptivePartitioningEnable: optional(flag, true),
  /** Partitions whose broker took nothing for so long get no records without key. 0: never excluded. */
  partitionerAvailabilityTimeoutMs: optional(milliseconds(), 0),
  interceptors: optional(listOf(shaped<ProducerInterceptor>('an interceptor', isObject)), []),
  /** Told of records of `sendAndForget` that failed. */
  onError: optional(nullable(callback<(error: Error) => void>('takes an error')), null),
} as const

type Names = typeof producerOptions
export type ProducerSettings = Settings<Names>

/** `K` and `V` follow from the serdes. */
export type ProducerOptions<K, V> = Omit<OptionsInput<Names>, 'key' | 'value'> & {
  readonly key?: Serializer<K> | null | undefined
  readonly value?: Serializer<V> | null | undefined
}
