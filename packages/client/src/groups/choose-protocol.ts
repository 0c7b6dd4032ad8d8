/** Which protocol a consumer speaks with its group: docs/decisions/0015-groups-choose-the-newer-protocol.md. */
import { ApiVersions, ConsumerGroupHeartbeat, ErrorCode, KafkaError, type Response } from '@millrace/protocol'
import { backoffMs } from '../cluster/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { CLIENT_SOFTWARE } from '../cluster/software.ts'
import { consumerOptions, type ConsumerSettings } from '../consumer/options.ts'

export type GroupProtocol =
  | { readonly protocol: 'classic' }
  /** Coordinators match patterns since version 1 of the heartbeat. */
  | { readonly protocol: 'consumer'; readonly brokerMatches: boolean }

/** Asks the coordinator for as long as it takes. @throws KafkaError when it cannot be asked, or has not what is wanted; the signal's reason. */
export async function chooseProtocol(
  groupId: string,
  { cluster, settings, signal }: { cluster: Cluster; settings: ConsumerSettings; signal: AbortSignal },
): Promise<GroupProtocol> {
  const { groupProtocol } = settings
  if (groupProtocol === 'classic' || (groupProtocol === 'auto' && asksForClassic(settings) !== null))
    return { protocol: 'classic' }
  const { apiKeys, finalizedFeatures } = await askCoordinator(groupId, cluster, signal)
  const heartbeat = apiKeys.find(({ apiKey }) => apiKey === ConsumerGroupHeartbeat.key)
  const isFinalized = finalizedFeatures.some(
    ({ name, maxVersionLevel }) => name === 'group.version' && maxVersionLevel >= 1,
  )
  if (heartbeat !== undefined && (isFinalized || groupProtocol === 'consumer'))
    return { protocol: 'consumer', brokerMatches: heartbeat.maxVersion >= 1 }
  if (groupProtocol === 'auto') return { protocol: 'classic' }
  throw new KafkaError(
    ErrorCode.UNSUPPORTED_VERSION,
    `group ${groupId}: the brokers do not have the consumer protocol (KIP-848, Kafka 4.0); use groupProtocol 'auto' or 'classic'`,
  )
}

/** An option that is set, and of the classic protocol only; null: there is none. */
export function asksForClassic(settings: ConsumerSettings): string | null {
  if (settings.partitionAssignmentStrategy !== null) return 'partitionAssignmentStrategy'
  for (const name of ['sessionTimeoutMs', 'heartbeatIntervalMs'] as const)
    if (settings[name] !== consumerOptions[name].default) return name
  return null
}

async function askCoordinator(
  groupId: string,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Response<typeof ApiVersions>> {
  const { settings, world } = cluster
  const { name, version } = CLIENT_SOFTWARE
  for (let failures = 1; ; failures++) {
    try {
      return await cluster.send(
        { coordinatorOf: groupId, kind: 'group' },
        ApiVersions,
        { clientSoftwareName: name, clientSoftwareVersion: version },
        { signal },
      )
    } catch (error) {
      if (signal.aborted || !(error instanceof KafkaError) || !error.retriable) throw error
      settings.logger.debug('the coordinator of the group cannot be asked yet', { groupId, error })
    }
    const { retryBackoffMs, retryBackoffMaxMs } = settings
    const pause = { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs, random: world.random }
    await world.clock.sleep(backoffMs(failures, pause), signal)
  }
}
