export { ErrorCode, errorName, KafkaError } from '@millrace/protocol'
export type { ErrorName } from '@millrace/protocol'
