import type { ConsumerRecord, TopicPartitionOffset } from '../record.ts'

/** Sees what is read and committed. One that throws is logged and passed over. */
export interface ConsumerInterceptor {
  /** Before the application gets them: the records to pass on instead. */
  onConsume?<K, V>(records: readonly ConsumerRecord<K, V>[]): readonly ConsumerRecord<K, V>[]
  onCommit?(offsets: readonly TopicPartitionOffset[]): void
}
