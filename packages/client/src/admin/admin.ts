/** What administrators do, all in one object. */
import type { OptionsInput } from '../config/option.ts'
import type { ClientContext } from '../client-context.ts'
import { clientOptions } from '../config/client-options.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import { clientInstanceIdOf, TelemetryPush } from '../observe/telemetry/telemetry-push.ts'
import { aclAdmin, type AclAdmin } from './acls.ts'
import { clusterAdmin, type ClusterAdmin } from './cluster-admin.ts'
import { configAdmin, type ConfigAdmin } from './configs.ts'
import { delegationTokenAdmin, type DelegationTokenAdmin } from './delegation-tokens.ts'
import { describeGroupsAdmin, type DescribeGroupsAdmin } from './describe-groups.ts'
import { describeOtherGroupsAdmin, type DescribeOtherGroupsAdmin } from './describe-other-groups.ts'
import { describeTopicsAdmin, type DescribeTopicsAdmin } from './describe-topics.ts'
import { groupOffsetsAdmin, type GroupOffsetsAdmin } from './group-offsets.ts'
import { groupAdmin, type GroupAdmin } from './groups.ts'
import { listOffsetsAdmin, type ListOffsetsAdmin } from './list-offsets.ts'
import { logDirAdmin, type LogDirAdmin } from './log-dirs.ts'
import { partitionAdmin, type PartitionAdmin } from './partitions.ts'
import { quotaAdmin, type QuotaAdmin } from './quotas.ts'
import { AdminRequests } from './requests.ts'
import { scramAdmin, type ScramAdmin } from './scram-credentials.ts'
import { shareGroupOffsetsAdmin, type ShareGroupOffsetsAdmin } from './share-group-offsets.ts'
import { topicAdmin, type TopicAdmin } from './topics.ts'
import { transactionAdmin, type TransactionAdmin } from './transactions.ts'

export const adminOptions = {
  ...clientOptions,
} as const

export type AdminOptions = OptionsInput<typeof adminOptions>

/**
 * Operations on many things take a list, and resolve with a list: one result for each thing, in the order asked. When some of them failed they throw: a
 * `PartialFailure`, or, when one thing was asked for, its own error; `settled` tells what became of each instead. Requests go to the brokers that can answer
 * them, and are repeated where Kafka's own admin client does so, up to `timeoutMs`. What the brokers are too old for is `UNSUPPORTED_VERSION`.
 */
export interface Admin
  extends
    AsyncDisposable,
    AclAdmin,
    ClusterAdmin,
    ConfigAdmin,
    DelegationTokenAdmin,
    DescribeGroupsAdmin,
    DescribeOtherGroupsAdmin,
    DescribeTopicsAdmin,
    GroupAdmin,
    GroupOffsetsAdmin,
    ListOffsetsAdmin,
    LogDirAdmin,
    PartitionAdmin,
    QuotaAdmin,
    ScramAdmin,
    ShareGroupOffsetsAdmin,
    TopicAdmin,
    TransactionAdmin {
  /** The id that the cluster gave this client for its metrics (KIP-714). @throws Error with `enableMetricsPush: false`, and when the cluster collects none. */
  clientInstanceId(options?: { readonly timeoutMs?: number }): Promise<string>
  /** Under Kafka's names: group `admin-client-metrics`. */
  metrics(): readonly ClientMetric[]
  /** Ends operations under way, and the connections. */
  close(): Promise<void>
}

export const ADMIN_METRICS = 'admin-client-metrics'

export function openAdmin({ cluster, metrics, settings }: ClientContext<typeof adminOptions>): Admin {
  const requests = new AdminRequests(cluster)
  const telemetry = settings.enableMetricsPush ? new TelemetryPush({ cluster, metrics, labels: {} }) : null
  let closed: Promise<void> | null = null
  const close = (): Promise<void> =>
    (closed ??= (async () => {
      try {
        await telemetry?.[Symbol.asyncDispose]()
      } finally {
        await cluster[Symbol.asyncDispose]()
      }
    })())
  return {
    ...aclAdmin(requests),
    ...clusterAdmin(requests),
    ...configAdmin(requests),
    ...delegationTokenAdmin(requests),
    ...describeGroupsAdmin(requests),
    ...describeOtherGroupsAdmin(requests),
    ...describeTopicsAdmin(requests),
    ...groupAdmin(requests),
    ...groupOffsetsAdmin(requests),
    ...listOffsetsAdmin(requests),
    ...logDirAdmin(requests),
    ...partitionAdmin(requests),
    ...quotaAdmin(requests),
    ...scramAdmin(requests),
    ...shareGroupOffsetsAdmin(requests),
    ...topicAdmin(requests),
    ...transactionAdmin(requests),
    clientInstanceId: ({ timeoutMs = settings.defaultApiTimeoutMs } = {}) => clientInstanceIdOf(telemetry, timeoutMs),
    metrics: () => metrics.all(),
    close,
    [Symbol.asyncDispose]: close,
  }
}
