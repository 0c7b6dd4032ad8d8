// Our broker, limited to the APIs and versions that Redpanda 24.3 serves: Redpanda itself comes only as a system package or container. What a client
// must cope with there is mostly these: no topic ids, no KIP-848, no features, Fetch up to 11, Metadata up to 8.
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  AlterClientQuotas,
  AlterConfigs,
  AlterPartitionReassignments,
  ApiVersions,
  CreateAcls,
  CreatePartitions,
  CreateTopics,
  DeleteAcls,
  DeleteGroups,
  DeleteRecords,
  DeleteTopics,
  DescribeAcls,
  DescribeClientQuotas,
  DescribeConfigs,
  DescribeGroups,
  DescribeLogDirs,
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  Fetch,
  FindCoordinator,
  Heartbeat,
  IncrementalAlterConfigs,
  InitProducerId,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  ListOffsets,
  ListPartitionReassignments,
  ListTransactions,
  Metadata,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  OffsetForLeaderEpoch,
  Produce,
  SaslAuthenticate,
  SaslHandshake,
  SyncGroup,
  TxnOffsetCommit,
  type Api,
} from '@millrace/protocol'
import type { BrokerKind } from './broker.ts'
import { freePorts } from './free-port.ts'
import { millrace } from './millrace.ts'
import { limitVersions, type VersionLimits } from './version-limits.ts'

const served: readonly (readonly [api: Api, oldest: number, newest: number])[] = [
  [AddOffsetsToTxn, 0, 1],
  [AddPartitionsToTxn, 0, 3],
  [AlterClientQuotas, 0, 1],
  [AlterConfigs, 0, 2],
  [AlterPartitionReassignments, 0, 0],
  [ApiVersions, 0, 3],
  [CreateAcls, 0, 2],
  [CreatePartitions, 0, 3],
  [CreateTopics, 0, 6],
  [DeleteAcls, 0, 2],
  [DeleteGroups, 0, 2],
  [DeleteRecords, 0, 2],
  [DeleteTopics, 0, 5],
  [DescribeAcls, 0, 2],
  [DescribeClientQuotas, 0, 1],
  [DescribeConfigs, 0, 4],
  [DescribeGroups, 0, 5],
  [DescribeLogDirs, 0, 2],
  [DescribeProducers, 0, 0],
  [DescribeTransactions, 0, 0],
  [EndTxn, 0, 3],
  [Fetch, 4, 11],
  [FindCoordinator, 0, 3],
  [Heartbeat, 0, 4],
  [IncrementalAlterConfigs, 0, 1],
  [InitProducerId, 0, 3],
  [JoinGroup, 0, 6],
  [LeaveGroup, 0, 4],
  [ListGroups, 0, 4],
  [ListOffsets, 0, 4],
  [ListPartitionReassignments, 0, 0],
  [ListTransactions, 0, 0],
  [Metadata, 0, 8],
  [OffsetCommit, 1, 8],
  [OffsetDelete, 0, 0],
  [OffsetFetch, 1, 7],
  [OffsetForLeaderEpoch, 0, 4],
  [Produce, 0, 7],
  [SaslAuthenticate, 0, 2],
  [SaslHandshake, 0, 1],
  [SyncGroup, 0, 4],
  [TxnOffsetCommit, 0, 3],
]

const limits: VersionLimits = new Map(served.map(([api, oldest, newest]) => [api.key, [oldest, newest]]))

export const redpandaVersions: BrokerKind = {
  name: 'redpanda-versions',
  preallocatesIndexes: false,
  prepare: () => millrace.prepare(),
  async start(options) {
    const [freePort, innerPort] = (await freePorts(2)) as [number, number]
    const port = options.port ?? freePort
    const properties = { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`, ...options.properties }
    const inner = await millrace.start({ ...options, port: innerPort, properties })
    const limited = await limitVersions(port, innerPort, limits)
    return {
      ...inner,
      port,
      bootstrap: `127.0.0.1:${port}`,
      async stop() {
        await limited.close()
        await inner.stop()
      },
      async kill() {
        await limited.close()
        await inner.kill()
      },
    }
  },
}
