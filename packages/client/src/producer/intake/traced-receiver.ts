/** Tells a tracing system of records on their way out and of what became of them, and then their receiver. */
import type { Logger } from '@millrace/runtime'
import type { SendEnded, Tracing } from '../../observe/tracing.ts'
import type { RecordMetadata } from '../../record.ts'
import type { Receiver } from '../batches/acknowledgement.ts'
import { headerFields } from './record-fields.ts'
import type { AnyRecord } from './waiting-send.ts'

export interface TraceOptions {
  readonly tracing: Tracing
  /** Of records that name none. */
  readonly topic: string | null
  readonly logger: Logger
}

export class TracedReceiver implements Receiver {
  readonly wantsMetadata = true
  readonly #inner: Receiver
  readonly #options: TraceOptions
  /** By slot. */
  readonly #ended = new Map<number, SendEnded>()

  constructor(inner: Receiver, options: TraceOptions) {
    this.#inner = inner
    this.#options = options
  }

  /** The record to be sent instead, which carries its trace. Tracing that throws is logged and passed over. */
  trace(slot: number, record: AnyRecord): AnyRecord {
    const { tracing, logger } = this.#options
    try {
      const added: [string, string][] = []
      const topic = record.topic ?? this.#options.topic ?? ''
      const { partition } = record
      const subject = partition === undefined ? { topic } : { topic, partition }
      this.#ended.set(
        slot,
        tracing.sending(subject, (name, value) => added.push([name, value])),
      )
      if (added.length === 0) return record
      const own = record.headers === undefined ? [] : headerFields(record.headers)
      const headers = own.map(({ key, value }): [string, string | Uint8Array | null] => [key, value])
      return { ...record, headers: [...headers, ...added] }
    } catch (error) {
      logger.warn('tracing has failed on sending a record', { error })
      return record
    }
  }

  delivered(slot: number, metadata: RecordMetadata): void {
    this.#end(slot, metadata, null)
    this.#inner.delivered(slot, metadata)
  }

  failed(slot: number, error: Error): void {
    this.#end(slot, null, error)
    this.#inner.failed(slot, error)
  }

  /** What is thrown here must not keep the other records of a batch from being told. */
  #end(slot: number, metadata: RecordMetadata | null, error: Error | null): void {
    try {
      this.#ended.get(slot)?.(metadata, error)
    } catch (failure) {
      this.#options.logger.warn('tracing has failed on what became of a record', { error: failure })
    }
  }
}
