export { ErrorCode, errorName, KafkaError } from '@millrace/protocol'
export type { ErrorName } from '@millrace/protocol'
export type { SaslCredentials } from '@millrace/network'
export type { Logger, LogFields } from '@millrace/runtime'
export type { KafkaOptions } from './config/client-options.ts'
export type { TlsOptions } from './config/security-options.ts'
export { Kafka } from './kafka.ts'
export type {
  ConsumerRecord,
  ProducerRecord,
  RecordHeader,
  RecordHeadersInput,
  RecordMetadata,
  TopicPartition,
  TopicPartitionOffset,
} from './record.ts'
export type { Deserializer, Serde, SerdeContext, Serializer } from './serde/serde.ts'
export { serde } from './serde/serdes.ts'
export type { StandardSchema } from './serde/standard-schema.ts'
export type { ClientMetric } from './observe/metrics.ts'
export { openTelemetry } from './observe/open-telemetry.ts'
export type { OpenTelemetryApi } from './observe/open-telemetry.ts'
export type { SendEnded, Tracing } from './observe/tracing.ts'
export type {
  CommitMessage,
  ConnectionMessage,
  ConsumedBatchMessage,
  ProducedBatchMessage,
  RebalanceMessage,
  RequestMessage,
} from './observe/channels.ts'
