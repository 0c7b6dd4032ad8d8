/** Options of `kafka.shareConsumer()`. Names and defaults are Kafka's. */
import { callback } from '../config/client-options.ts'
import {
  MAX_INT32,
  listOf,
  milliseconds,
  nullable,
  oneOf,
  optional,
  required,
  text,
  type OptionsInput,
  type Settings,
} from '../config/option.ts'
import { readingOptions } from '../consumer/options.ts'
import type { Deserializer } from '../serde/serde.ts'
import type { AcknowledgementResult } from './share-consumer.ts'

export const shareConsumerOptions = {
  ...readingOptions,
  /** The share group: its members share the records, not the partitions. */
  groupId: required(text),
  /** What to subscribe to from the start. `subscribe` changes it. */
  topics: optional(nullable(listOf(text)), null),
  /**
   * 'implicit': a record that was not acknowledged is accepted when the next is asked for. 'explicit': every record is to be acknowledged before the
   * next batch is asked for.
   */
  shareAcknowledgementMode: optional(oneOf('implicit', 'explicit'), 'implicit'),
  /**
   * 'batch_optimized': records come in the batches they were written in, and `maxPollRecords` is what is aimed at. 'record_limit': never more than
   * `maxPollRecords` are acquired at a time. Needs brokers from Kafka 4.2 (KIP-1206).
   */
  shareAcquireMode: optional(oneOf('batch_optimized', 'record_limit'), 'batch_optimized'),
  heartbeatIntervalMs: optional(milliseconds(1, MAX_INT32), 3_000),
  /** Told what became of acknowledgements, whoever waits for them. */
  onAcknowledged: optional(
    nullable(callback<(results: readonly AcknowledgementResult[]) => void>('takes the results of acknowledgements')),
    null,
  ),
  /** Told what went wrong where nobody waits for it: a batch that cannot be read, a handler of `run` that threw, maxPollIntervalMs exceeded. */
  onError: optional(nullable(callback<(error: Error) => void>('takes an error')), null),
} as const

type Names = typeof shareConsumerOptions
export type ShareConsumerSettings = Settings<Names>

/** `K` and `V` follow from the serdes. */
export type ShareConsumerOptions<K, V> = Omit<OptionsInput<Names>, 'key' | 'value'> & {
  readonly key?: Deserializer<K> | null | undefined
  readonly value?: Deserializer<V> | null | undefined
}
