/** Interceptors and tracing: what else sees records on their way out and what became of them. */
import type { Logger } from '@millrace/runtime'
import type { SendEnded, Tracing } from '../observe/tracing.ts'
import type { ProducerRecord, RecordMetadata } from '../record.ts'
import type { Receiver } from './acknowledgement.ts'
import type { ProducerInterceptor } from './interceptor.ts'
import { headerFields } from './record-fields.ts'
import type { AnyRecord } from './waiting-send.ts'

/** Calls all interceptors, each with what the one before made of the record. */
export class Interceptors {
  readonly #interceptors: readonly ProducerInterceptor[]
  readonly #logger: Logger

  constructor(interceptors: readonly ProducerInterceptor[], logger: Logger) {
    this.#interceptors = interceptors
    this.#logger = logger
  }

  get isEmpty(): boolean {
    return this.#interceptors.length === 0
  }

  sending(record: AnyRecord): AnyRecord {
    let present = record
    for (const interceptor of this.#interceptors) {
      try {
        if (interceptor.onSend !== undefined)
          present = interceptor.onSend(present as ProducerRecord<unknown, unknown>) as AnyRecord
      } catch (error) {
        this.#logger.warn('an interceptor has failed on sending a record', { error })
      }
    }
    return present
  }

  settled(metadata: RecordMetadata, error: Error | null): void {
    for (const interceptor of this.#interceptors) {
      try {
        interceptor.onAcknowledgement?.(metadata, error)
      } catch (failure) {
        this.#logger.warn('an interceptor has failed on an acknowledgement', { error: failure })
      }
    }
  }
}

export interface TraceOptions {
  readonly tracing: Tracing
  readonly topic: string
  readonly logger: Logger
}

/** Tells a tracing system, then the receiver. */
export class TracedReceiver implements Receiver {
  readonly wantsMetadata = true
  readonly #inner: Receiver
  /** By slot. */
  readonly #ended = new Map<number, SendEnded>()

  constructor(inner: Receiver) {
    this.#inner = inner
  }

  /** The record to be sent instead, which carries its trace. Tracing that throws is logged and passed over. */
  trace(slot: number, record: AnyRecord, { tracing, topic, logger }: TraceOptions): AnyRecord {
    try {
      const added: [string, string][] = []
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
    this.#ended.get(slot)?.(metadata, null)
    this.#inner.delivered(slot, metadata)
  }

  failed(slot: number, error: Error): void {
    this.#ended.get(slot)?.(null, error)
    this.#inner.failed(slot, error)
  }
}
