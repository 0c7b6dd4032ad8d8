export { clientCredentials } from '@millrace/network'
export type {
  ClientCredentialsOptions,
  OAuthBearerToken,
  OAuthBearerTokenProvider,
  SaslCredentials,
} from '@millrace/network'
export { ErrorCode, errorName, KafkaError } from '@millrace/protocol'
export type { ErrorName } from '@millrace/protocol'
export type { LogFields, Logger } from '@millrace/runtime'
export type { AclOperation, AclPatternType, AclPermissionType, AclResourceType } from './admin/acl-names.ts'
export type { AclBinding, AclFilter, DescribedAcl } from './admin/acls.ts'
export type { Admin, AdminOptions } from './admin/admin.ts'
export type {
  BrokerDescription,
  ClusterDescription,
  FeatureMetadata,
  FeatureUpdate,
  QuorumDescription,
} from './admin/cluster-admin.ts'
export type { ConfigChanges, ConfigDescription, ConfigEntry, ConfigResource } from './admin/configs.ts'
export type { DelegationToken } from './admin/delegation-tokens.ts'
export type {
  ClassicGroupDescription,
  ClassicGroupMember,
  ConsumerGroupDescription,
  GroupMember,
} from './admin/describe-groups.ts'
export type {
  ShareGroupDescription,
  ShareGroupMember,
  StreamsGroupDescription,
  StreamsGroupMember,
} from './admin/describe-other-groups.ts'
export type { TopicDescription, TopicPartitionDescription } from './admin/describe-topics.ts'
export type { CommittedOffset, GroupOffsets, GroupOffsetsQuery } from './admin/group-offsets.ts'
export type { GroupListing, GroupState, GroupType, MemberToRemove, RemovedMember } from './admin/groups.ts'
export type { ListedOffset, OffsetQuery, OffsetSpec } from './admin/list-offsets.ts'
export type { BrokerLogDirs, LogDirDescription, ReplicaLogDirs, ReplicaMove } from './admin/log-dirs.ts'
export { PartialFailure, settled } from './admin/partial-failure.ts'
export type { EachOf, ListOf } from './admin/partial-failure.ts'
export type {
  DeletedRecords,
  ElectedLeader,
  ElectionType,
  NewPartitions,
  NewReassignment,
  PartitionReassignment,
  RecordsToDelete,
} from './admin/partitions.ts'
export type { DescribedQuota, QuotaChanges, QuotaEntity, QuotaFilter } from './admin/quotas.ts'
export type { CallOptions } from './admin/requests.ts'
export type { ScramDeletion, ScramMechanism, ScramUpsertion, UserScramCredentials } from './admin/scram-credentials.ts'
export type { NewShareOffset, ShareGroupOffsets, SharePartitionOffset } from './admin/share-group-offsets.ts'
export type { CreatedTopic, NewTopic, TopicId, TopicListing } from './admin/topics.ts'
export type {
  FencedProducer,
  PartitionProducers,
  ProducerState,
  TransactionDescription,
  TransactionListing,
  TransactionToAbort,
} from './admin/transactions.ts'
export { builtInAssignors } from './assignors/built-in-assignors.ts'
export type { BuiltInAssignorName } from './assignors/built-in-assignors.ts'
export type {
  AssignableTopics,
  AssignedMember,
  Assignor,
  MemberAssignment,
  MemberSubscription,
  RebalanceProtocol,
} from './assignors/index.ts'
export type { KafkaOptions } from './config/client-options.ts'
export type { TlsOptions } from './config/security-options.ts'
export type { CloseOptions } from './consumer/close-consumer.ts'
export type { AskOptions, Committable, Consumer, ConsumerBatch, ReadOptions, SeekTarget } from './consumer/consumer.ts'
export type { ConsumerInterceptor } from './consumer/interceptor.ts'
export type { ConsumerOptions, OffsetReset } from './consumer/options.ts'
export type { RebalanceListener } from './consumer/rebalance-listener.ts'
export type { DeadLetterOptions, HandlerContext, RetryOptions, RunOptions } from './consumer/run-options.ts'
export { MaxPollIntervalExceeded } from './groups/max-poll-interval-exceeded.ts'
export { Kafka } from './kafka.ts'
export type {
  CommitMessage,
  ConnectionMessage,
  ConsumedBatchMessage,
  HeartbeatMessage,
  ProducedBatchMessage,
  RebalanceMessage,
  RequestMessage,
} from './observe/channels.ts'
export type { ClientMetric } from './observe/metrics.ts'
export { openTelemetry } from './observe/open-telemetry.ts'
export type { OpenTelemetryApi } from './observe/open-telemetry.ts'
export type { SendEnded, Tracing } from './observe/tracing.ts'
export type { ProducerInterceptor } from './producer/interceptor.ts'
export type { ProducerOptions } from './producer/options.ts'
export type { Partitioner, PartitionerInput } from './producer/partitioner.ts'
export type { GroupMetadata, PartitionDescription, Producer, SendOptions, Transaction } from './producer/producer.ts'
export type {
  ConsumerRecord,
  ProducerRecord,
  RecordHeader,
  RecordHeadersInput,
  RecordMetadata,
  TopiclessRecord,
  TopicPartition,
  TopicPartitionOffset,
} from './record.ts'
export type { Deserializer, Serde, SerdeContext, Serializer } from './serde/serde.ts'
export { serde } from './serde/serdes.ts'
export type { StandardSchema } from './serde/standard-schema.ts'
export { failureHeaders } from './consumer/run/failures/failed-record.ts'
export type { ShareConsumerOptions } from './share/options.ts'
export type {
  Acknowledgement,
  AcknowledgementResult,
  ShareBatch,
  ShareConsumer,
  ShareHandlerContext,
  ShareRecord,
  ShareRunOptions,
} from './share/share-consumer.ts'
