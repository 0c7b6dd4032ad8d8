/** Where a tracing system takes part: once per record sent, once per record handled. */
import type { ConsumerRecord, ProducerRecord, RecordMetadata } from '../record.ts'

/** Told how a record fared. Exactly one of the two is null. */
export type SendEnded = (metadata: RecordMetadata | null, error: Error | null) => void

export interface Tracing {
  /** A record is on its way out. `addHeader` puts what the reader will need into it. */
  sending(
    record: Pick<ProducerRecord<unknown, unknown>, 'topic' | 'partition'>,
    addHeader: (name: string, value: string) => void,
  ): SendEnded
  /** Runs the handler of a record, in the context that its headers carry. */
  handling<T>(record: ConsumerRecord<unknown, unknown>, groupId: string | null, handler: () => T): T
}
