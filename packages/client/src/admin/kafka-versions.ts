/** Which release of Apache Kafka brought what, for messages to people whose brokers are older. */
import { ErrorCode, KafkaError, type Api } from '@millrace/protocol'

/** Releases in which brokers began to serve an API; those not listed are in every release from 0.11 on. */
const servedSince: Readonly<Record<string, string>> = {
  AlterReplicaLogDirs: '1.0',
  DescribeLogDirs: '1.0',
  CreatePartitions: '1.0',
  CreateDelegationToken: '1.1',
  RenewDelegationToken: '1.1',
  ExpireDelegationToken: '1.1',
  DescribeDelegationToken: '1.1',
  DeleteGroups: '1.1',
  ElectLeaders: '2.2',
  IncrementalAlterConfigs: '2.3',
  AlterPartitionReassignments: '2.4',
  ListPartitionReassignments: '2.4',
  OffsetDelete: '2.4',
  DescribeClientQuotas: '2.6',
  AlterClientQuotas: '2.6',
  DescribeUserScramCredentials: '2.7',
  AlterUserScramCredentials: '2.7',
  UpdateFeatures: '2.7',
  DescribeQuorum: '3.3 with KRaft',
  DescribeCluster: '2.8',
  DescribeProducers: '2.8',
  UnregisterBroker: '2.8 with KRaft',
  DescribeTransactions: '3.0',
  ListTransactions: '3.0',
  ConsumerGroupDescribe: '3.7',
  GetTelemetrySubscriptions: '3.7, with a metrics reporter that takes client metrics',
  ListConfigResources: '3.7',
  DescribeTopicPartitions: '3.8',
  AddRaftVoter: '3.9 with KRaft',
  RemoveRaftVoter: '3.9 with KRaft',
  StreamsGroupDescribe: '4.1',
  ShareGroupDescribe: '4.1',
  DescribeShareGroupOffsets: '4.1',
  AlterShareGroupOffsets: '4.1',
  DeleteShareGroupOffsets: '4.1',
}

/** The broker's answer to a wish it is too old for. */
export function unsupported(what: string, release: string): KafkaError {
  return new KafkaError(
    ErrorCode.UNSUPPORTED_VERSION,
    `${what} is not supported by the broker: it needs Apache Kafka ${release} or later`,
  )
}

/** `error` with the release that would help, if it says that the broker does not serve `api`. */
export function explained(error: unknown, api: Api): unknown {
  const release = servedSince[api.name]
  if (!(error instanceof KafkaError) || error.code !== ErrorCode.UNSUPPORTED_VERSION || release === undefined)
    return error
  return new KafkaError(error.code, `${error.message}: it needs Apache Kafka ${release} or later`, { cause: error })
}
