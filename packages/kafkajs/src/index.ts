export { AssignerProtocol } from './consumer/assigner-protocol.ts'
export type { Assignment, ISerializer, MemberAssignment, MemberMetadata } from './consumer/assigner-protocol.ts'
export { PartitionAssigners } from './consumer/assigners.ts'
export type {
  Assigner,
  AssignerCluster,
  AssignerCluster as Cluster,
  GroupMember,
  GroupMemberAssignment,
  GroupState,
  PartitionAssigner,
} from './consumer/assigners.ts'
export type {
  Acl,
  AclEntry,
  AclFilter,
  AclResource,
  DeleteAclFilterResponses,
  DeleteAclResponse,
  DescribeAclResource,
  DescribeAclResponse,
  MatchingAcl,
} from './admin/acls.ts'
export type {
  ConfigEntries,
  ConfigSynonyms,
  DescribeConfigResponse,
  IResourceConfig,
  ResourceConfigQuery,
} from './admin/configs.ts'
export type {
  ConsumerGroupState,
  DeleteGroupsResult,
  FetchOffsetsPartition,
  GroupDescription,
  GroupDescriptions,
  GroupOverview,
  MemberDescription,
} from './admin/groups.ts'
export type {
  IResourceConfigEntry,
  ITopicConfig,
  ITopicMetadata,
  ITopicPartitionConfig,
  ListPartitionReassignmentsResponse,
  OngoingPartitionReassignment,
  OngoingTopicReassignment,
  PartitionReassignment,
  ReplicaAssignment,
  SeekEntry,
} from './admin/topics.ts'
export type { Admin, AdminConfig, AdminEvents } from './admin/admin.ts'
export type { Batch } from './consumer/batch.ts'
export { CompressionCodecs, CompressionTypes } from './producer/compression.ts'
export type {
  BrokersFunction,
  KafkaConfig,
  OauthbearerProviderResponse,
  SASLMechanism,
  SASLOptions,
  SslOptions,
} from './connection-options.ts'
export type { ConsumerConfig } from './consumer/consumer-config.ts'
export type { ConsumerEvents } from './consumer/consumer-events.ts'
export type { Consumer, ConsumerSubscribeTopic, ConsumerSubscribeTopics } from './consumer/consumer.ts'
export * from './errors.ts'
export type {
  ConnectEvent,
  ConsumerCommitOffsetsEvent,
  ConsumerCrashEvent,
  ConsumerEndBatchProcessEvent,
  ConsumerFetchEvent,
  ConsumerFetchStartEvent,
  ConsumerGroupJoinEvent,
  ConsumerHeartbeatEvent,
  ConsumerRebalancingEvent,
  ConsumerReceivedUnsubcribedTopicsEvent,
  ConsumerStartBatchProcessEvent,
  DisconnectEvent,
  IMemberAssignment,
  InstrumentationEvent,
  RemoveInstrumentationEventListener,
  RequestEvent,
  RequestQueueSizeEvent,
  RequestTimeoutEvent,
} from './event-types.ts'
export type {
  ConsumerRunConfig,
  EachBatchHandler,
  EachBatchPayload,
  EachBatchPayload as ConsumerEachBatchPayload,
  EachMessageHandler,
  EachMessagePayload,
  EachMessagePayload as ConsumerEachMessagePayload,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
} from './consumer/handlers.ts'
export { Kafka } from './kafka.ts'
export { logLevel } from './logger.ts'
export type { logCreator, LogEntry, Logger, LoggerEntryContent } from './logger.ts'
export type { TopicPartition } from '@millrace/client'
export type { IHeaders, KafkaMessage, Message } from './message.ts'
export { Partitioners } from './producer/partitioners.ts'
export type {
  DefaultPartitioner,
  ICustomPartitioner,
  LegacyPartitioner,
  PartitionerArgs,
  PartitionMetadata,
} from './producer/partitioners.ts'
export type { TopicPartitions } from './consumer/paused-partitions.ts'
export type {
  Producer,
  ProducerBatch,
  ProducerConfig,
  ProducerEvents,
  ProducerRecord,
  RecordMetadata,
  TopicMessages,
} from './producer/producer.ts'
export {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ConfigResourceTypes,
  ConfigSource,
  ResourcePatternTypes,
} from './admin/resource-types.ts'
export type { RetryOptions } from './retry.ts'
export type {
  Offsets,
  Offsets as OffsetsByTopicPartition,
  PartitionOffset,
  TopicOffsets,
  Transaction,
} from './producer/transaction.ts'
export * from './unthrown-errors.ts'
