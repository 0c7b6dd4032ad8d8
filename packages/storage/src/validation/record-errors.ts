/** Collects the records at fault and makes one error of them (LogValidator.processRecordErrors, KIP-467). */
import { ErrorCode } from '@millrace/protocol'
import { nameOf } from './analyze-batches.ts'
import { RecordValidationError, type RecordError } from './record-validation-error.ts'
import type { ValidationRules } from './validated-batches.ts'

/** A batch may have more bad records than its sender wants to read about; what is above this is only counted. */
const mostErrors = 1000
const mostInMessage = 3

export class RecordErrors {
  readonly #rules: ValidationRules
  readonly #errors: RecordError[] = []
  #count = 0
  #hasTimestamps = false

  constructor(rules: ValidationRules) {
    this.#rules = rules
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  add(
    code: typeof ErrorCode.INVALID_RECORD | typeof ErrorCode.INVALID_TIMESTAMP,
    batchIndex: number,
    message: string,
  ): void {
    this.#count++
    if (code === ErrorCode.INVALID_TIMESTAMP) this.#hasTimestamps = true
    if (this.#errors.length < mostErrors) this.#errors.push({ batchIndex, message })
  }

  /** @throws RecordValidationError INVALID_TIMESTAMP if that is wrong with any record, else INVALID_RECORD. */
  throwIfAny(): void {
    if (this.#count === 0) return
    const first = this.#errors
      .slice(0, mostInMessage)
      .map(({ batchIndex, message }) => `record ${batchIndex}: ${message}`)
    const more = this.#count > mostInMessage ? `; and ${this.#count - mostInMessage} more` : ''
    throw new RecordValidationError(
      this.#hasTimestamps ? ErrorCode.INVALID_TIMESTAMP : ErrorCode.INVALID_RECORD,
      `${nameOf(this.#rules)}: the batch is refused because of ${this.#count} of its records: ${first.join('; ')}${more}`,
      this.#errors,
    )
  }
}
