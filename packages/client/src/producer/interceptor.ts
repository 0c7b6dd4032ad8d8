import type { ProducerRecord, RecordMetadata } from '../record.ts'

/** Sees every record on its way out and what became of it. One that throws is logged and passed over. */
export interface ProducerInterceptor {
  /** Before serializing: the record to send instead. */
  onSend?<K, V>(record: ProducerRecord<K, V>): ProducerRecord<K, V>
  /** After the promise of `send` has been settled. `metadata` has offset -1n when there is an error. */
  onAcknowledgement?(metadata: RecordMetadata, error: Error | null): void
}
