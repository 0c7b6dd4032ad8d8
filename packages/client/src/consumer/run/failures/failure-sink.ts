/** Where failed records are written, and confirmed by all replicas before anything is committed. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Producer } from '../../../producer/producer.ts'
import type { ProducerRecord, RecordMetadata } from '../../../record.ts'
import { headersFor, shortened, type FailedRecord, type HeaderList } from './failed-record.ts'

export type BytesProducer = Pick<Producer<ProducerRecord<Uint8Array, Uint8Array>>, 'send' | 'close'>

/** What `run` ends with when a failed record cannot be brought to safety: the record stays where it is, uncommitted. */
export class UnsafeRecord extends Error {
  override readonly name = 'UnsafeRecord'
}

export class FailureSink implements AsyncDisposable {
  readonly #open: () => BytesProducer
  #producer: BytesProducer | null = null

  /** The producer is opened when it is first needed. */
  constructor(open: () => BytesProducer) {
    this.#open = open
  }

  /** @throws UnsafeRecord. */
  async send(topic: string, failed: FailedRecord): Promise<RecordMetadata> {
    const headers = headersFor(failed)
    try {
      try {
        return await this.#send(topic, failed, headers)
      } catch (error) {
        if (!isTooLarge(error)) throw error
        return await this.#send(topic, failed, shortened(headers))
      }
    } catch (error) {
      const { topic: from, partition, offset } = failed.origin
      throw new UnsafeRecord(
        `record ${from}-${partition} at offset ${offset} failed, and could not be written to ${topic}: ${(error as Error).message}. ` +
          'It is not committed, and is read again by the next run',
        { cause: error },
      )
    }
  }

  #send(topic: string, { record }: FailedRecord, headers: HeaderList): Promise<RecordMetadata> {
    this.#producer ??= this.#open()
    // With a timestamp of now: an old one might be past the retention of the topic, which would delete the record at once.
    return this.#producer.send({ topic, key: record.rawKey, value: record.rawValue, headers })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer?.close()
  }
}

function isTooLarge(error: unknown): boolean {
  return (
    error instanceof KafkaError &&
    (error.code === ErrorCode.MESSAGE_TOO_LARGE || error.code === ErrorCode.RECORD_LIST_TOO_LARGE)
  )
}
