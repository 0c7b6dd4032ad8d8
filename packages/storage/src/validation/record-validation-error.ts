/** A batch refused because of some of its records. */
import { KafkaError } from '@millrace/protocol'

export interface RecordError {
  /** Index of the record within its batch. */
  readonly batchIndex: number
  readonly message: string
}

/** INVALID_RECORD or INVALID_TIMESTAMP, with the records at fault (KIP-467); the first 1,000 of them. */
export class RecordValidationError extends KafkaError {
  readonly recordErrors: readonly RecordError[]

  constructor(code: number, message: string, recordErrors: readonly RecordError[]) {
    super(code, message)
    this.recordErrors = recordErrors
  }
}
