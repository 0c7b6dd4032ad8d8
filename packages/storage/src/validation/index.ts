export { RecordValidationError, type RecordError } from './record-validation-error.ts'
export { validateRecords } from './validate-records.ts'
export type { RecordsOrigin, ValidatedBatch, ValidatedBatches, ValidationRules } from './validated-batches.ts'
