/** The transaction that `work` of `producer.transaction(work)` is given. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { RecordMetadata, TopicPartitionOffset } from '../../record.ts'
import type { GroupMetadata, Producer, Transaction } from '../producer.ts'
import type { AnyRecord } from '../intake/waiting-send.ts'

export class OpenTransaction implements Transaction<AnyRecord> {
  readonly #producer: Producer<AnyRecord>
  isAborted = false
  isEnded = false

  constructor(producer: Producer<AnyRecord>) {
    this.#producer = producer
  }

  send(record: AnyRecord): Promise<RecordMetadata> {
    return this.isEnded ? Promise.reject(endedError()) : this.#producer.send(record)
  }

  sendAll(records: readonly AnyRecord[]): Promise<readonly RecordMetadata[]> {
    return this.isEnded ? Promise.reject(endedError()) : this.#producer.sendAll(records)
  }

  async sendOffsets(offsets: readonly TopicPartitionOffset[], group: GroupMetadata | string): Promise<void> {
    if (this.isEnded) throw endedError()
    await this.#producer.sendOffsetsToTransaction(offsets, group)
  }

  async abort(): Promise<void> {
    if (this.isEnded) throw endedError()
    this.isEnded = true
    this.isAborted = true
    await this.#producer.abortTransaction()
  }
}

function endedError(): KafkaError {
  return new KafkaError(ErrorCode.INVALID_TXN_STATE, 'the transaction is ended already')
}
