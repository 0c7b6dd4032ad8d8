/** Options of `kafka.consumer()`. Names and defaults are Kafka's. */
import type { Assignor } from '../assignors/assignor.ts'
import { builtInAssignors, type BuiltInAssignorName } from '../assignors/built-in-assignors.ts'
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
import type { Deserializer } from '../serde/serde.ts'
import type { ConsumerInterceptor } from './interceptor.ts'
import type { RebalanceListener } from './rebalance-listener.ts'

const deserializer = shaped<Deserializer<unknown>>(
  'a serde (see `serde`), or an object with a function deserialize',
  (value) => isObject(value) && isFunction(value['deserialize']),
)

/** Where to begin in a partition for which nothing is committed, or whose committed offset is gone. */
export type OffsetReset = 'earliest' | 'latest' | 'none' | { readonly byDurationMs: number }

const assignorNames = Object.keys(builtInAssignors)

function isAssignor(value: unknown): boolean {
  return isObject(value) && text.accepts(value['name']) && isFunction(value['assign'])
}

/** What consumers and share consumers have in common. */
export const readingOptions = {
  ...clientOptions,
  /** Default: keys and values are bytes. */
  key: optional(nullable(deserializer), null),
  value: optional(nullable(deserializer), null),
  /** A fetch waits until so many bytes are there, or `fetchMaxWaitMs`. */
  fetchMinBytes: optional(integer(0, MAX_INT32), 1),
  fetchMaxWaitMs: optional(milliseconds(0, MAX_INT32), 500),
  /** Bytes of an answer; one batch that is larger comes all the same. */
  fetchMaxBytes: optional(integer(0, MAX_INT32), 52_428_800),
  /** Verify checksums of what is read. */
  checkCrcs: optional(flag, true),
  /** Where this client is: brokers let it read from a replica nearby. */
  clientRack: optional(
    shaped<string>('a text', (value) => typeof value === 'string'),
    '',
  ),
  /** Records of one batch at most, in `batches()` and to the other ways of reading. */
  maxPollRecords: optional(integer(1, MAX_INT32), 500),
  /** How long the application may take between asking for records and asking again, before it loses its partitions. */
  maxPollIntervalMs: optional(milliseconds(1, MAX_INT32), 300_000),
} as const

export const consumerOptions = {
  ...readingOptions,
  /** The group to share partitions and offsets with. Without one: `assign`, and no commits. */
  groupId: optional(nullable(text), null),
  /** A member that keeps its place over a restart (KIP-345). */
  groupInstanceId: optional(nullable(text), null),
  /** What to subscribe to from the start: names, or a pattern of them. `subscribe` changes it. */
  topics: optional<readonly string[] | RegExp | null>(
    shaped(
      'a list of topics, or a RegExp',
      (value) => value === null || value instanceof RegExp || listOf(text).accepts(value),
    ),
    null,
  ),
  onRebalance: optional(
    nullable(shaped<RebalanceListener>('an object with onAssigned, onRevoked or onLost', isObject)),
    null,
  ),
  /** 'auto': the consumer protocol (KIP-848) where the brokers have it and no assignor is asked for, else the classic one. */
  groupProtocol: optional(oneOf('auto', 'classic', 'consumer'), 'auto'),
  /** Of the consumer protocol: 'uniform' or 'range', or what brokers have. Null: theirs to choose. */
  groupRemoteAssignor: optional(nullable(text), null),
  /** Of the classic protocol, in order of preference. Default: range, then cooperative-sticky. */
  partitionAssignmentStrategy: optional<readonly (BuiltInAssignorName | Assignor)[] | null>(
    shaped(
      `a list of ${assignorNames.map((name) => `'${name}'`).join(', ')} or assignors`,
      (value) =>
        value === null ||
        (Array.isArray(value) &&
          value.length > 0 &&
          value.every((one) => assignorNames.includes(one as string) || isAssignor(one))),
    ),
    null,
  ),
  sessionTimeoutMs: optional(milliseconds(1, MAX_INT32), 45_000),
  heartbeatIntervalMs: optional(milliseconds(1, MAX_INT32), 3_000),
  /** Commit what has been handled, every `autoCommitIntervalMs`, before partitions are given up, and at the end. */
  enableAutoCommit: optional<boolean | null>(nullable(flag), null),
  autoCommitIntervalMs: optional(milliseconds(0, MAX_INT32), 5_000),
  offsetReset: optional<OffsetReset>(
    shaped(
      "'earliest', 'latest', 'none' or { byDurationMs }",
      (value) =>
        ['earliest', 'latest', 'none'].includes(value as string) ||
        (isObject(value) && milliseconds().accepts(value['byDurationMs'])),
    ),
    'latest',
    'autoOffsetReset',
  ),
  /** Whether records of open and aborted transactions are passed on. */
  isolationLevel: optional(oneOf('read_uncommitted', 'read_committed'), 'read_uncommitted'),
  /** Bytes of one partition in an answer. */
  maxPartitionFetchBytes: optional(integer(0, MAX_INT32), 1_048_576),
  /** A pattern does not match internal topics. */
  excludeInternalTopics: optional(flag, true),
  allowAutoCreateTopics: optional(flag, true),
  interceptors: optional(listOf(shaped<ConsumerInterceptor>('an interceptor', isObject)), []),
  /** Told what went wrong where nobody waits for it: a commit in the background, maxPollIntervalMs exceeded, a heartbeat refused. */
  onError: optional(nullable(callback<(error: Error) => void>('takes an error')), null),
} as const

type Names = typeof consumerOptions
export type ConsumerSettings = Settings<Names>
export type ReadingSettings = Settings<typeof readingOptions>

/** `K` and `V` follow from the serdes. */
export type ConsumerOptions<K, V> = Omit<OptionsInput<Names>, 'key' | 'value'> & {
  readonly key?: Deserializer<K> | null | undefined
  readonly value?: Deserializer<V> | null | undefined
}
