/** The cluster as a whole: its brokers, its features, its quorum of controllers. */
import {
  AddRaftVoter,
  ApiVersions,
  DescribeCluster,
  DescribeQuorum,
  ErrorCode,
  KafkaError,
  Metadata,
  RemoveRaftVoter,
  UnregisterBroker,
  UpdateFeatures,
} from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import type { Node } from '../cluster/cluster-image.ts'
import { CLIENT_SOFTWARE } from '../cluster/software.ts'
import { allowedOperations, type AuthorizedOperations, type AuthorizedOperationsOption } from './acl-names.ts'
import { enumeration } from './enumeration.ts'
import { checkKnown } from './every-broker.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, ListOf } from './partial-failure.ts'
import { allFailed, check, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toController } from './routing.ts'
import { idOrNull, timeOrNull } from './absent.ts'

export interface BrokerDescription extends Node {
  /** Registered, but not in service. */
  readonly isFenced: boolean
}

export interface ClusterDescription extends AuthorizedOperations {
  readonly clusterId: string | null
  /** The broker that takes what changes the cluster; null when there is none now. */
  readonly controller: BrokerDescription | null
  readonly brokers: readonly BrokerDescription[]
}

export interface DescribeClusterOptions extends CallOptions, AuthorizedOperationsOption {
  /** Brokers out of service as well (since Kafka 4.0). Default false. */
  readonly includeFencedBrokers?: boolean
}

export interface VersionRange {
  readonly min: number
  readonly max: number
}

export interface FeatureMetadata {
  /** What the cluster has agreed on. */
  readonly finalized: Readonly<Record<string, VersionRange>>
  /** Grows with each change; null when the broker does not say. */
  readonly finalizedEpoch: bigint | null
  /** What the broker asked could do. */
  readonly supported: Readonly<Record<string, VersionRange>>
}

export interface FeatureUpdate {
  readonly feature: string
  /** 0 takes the feature away. */
  readonly maxVersionLevel: number
  /** Default `UPGRADE`. `SAFE_DOWNGRADE` loses nothing; `UNSAFE_DOWNGRADE` may lose metadata. */
  readonly upgradeType?: 'UPGRADE' | 'SAFE_DOWNGRADE' | 'UNSAFE_DOWNGRADE'
}

export interface QuorumReplica {
  readonly replicaId: number
  /** Null from before Kafka 3.9. */
  readonly directoryId: string | null
  readonly logEndOffset: bigint
  /** Milliseconds since the epoch; null when unknown, as for the leader itself. */
  readonly lastFetchTimestamp: number | null
  readonly lastCaughtUpTimestamp: number | null
}

export interface RaftEndpoint {
  /** Of the listener. */
  readonly name: string
  readonly host: string
  readonly port: number
}

export interface QuorumDescription {
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly highWatermark: bigint
  readonly voters: readonly QuorumReplica[]
  readonly observers: readonly QuorumReplica[]
  /** Empty from before Kafka 3.9. */
  readonly nodes: readonly { readonly nodeId: number; readonly endpoints: readonly RaftEndpoint[] }[]
}

export interface RaftVoter {
  readonly voterId: number
  readonly directoryId: string
}

export interface RaftVoterOptions extends CallOptions {
  /** Refuse if the cluster has another id. */
  readonly clusterId?: string
}

export interface ClusterAdmin {
  describeCluster(options?: DescribeClusterOptions): Promise<ClusterDescription>
  /** As one broker tells: that of `nodeId`, or any. */
  describeFeatures(options?: CallOptions & { readonly nodeId?: number }): Promise<FeatureMetadata>
  updateFeatures<Updates extends readonly unknown[]>(
    updates: ListOf<Updates, FeatureUpdate>,
    options?: CallOptions & { readonly validateOnly?: boolean },
  ): Promise<EachOf<Updates, { readonly feature: string }>>
  /** Forgets a broker that has gone for good (KRaft). */
  unregisterBroker(brokerId: number, options?: CallOptions): Promise<void>
  /** Of the controllers (KRaft). */
  describeMetadataQuorum(options?: CallOptions): Promise<QuorumDescription>
  addRaftVoter(
    voter: RaftVoter & { readonly endpoints: readonly RaftEndpoint[] },
    options?: RaftVoterOptions,
  ): Promise<void>
  removeRaftVoter(voter: RaftVoter, options?: RaftVoterOptions): Promise<void>
}

const METADATA_LOG = '__cluster_metadata'

export function clusterAdmin(requests: AdminRequests): ClusterAdmin {
  return {
    describeCluster: (options = {}) =>
      requests.one('describeCluster', options, async (attempt) => {
        try {
          return await byDescribeCluster(attempt, options)
        } catch (error) {
          const isTooOld = error instanceof KafkaError && error.code === ErrorCode.UNSUPPORTED_VERSION
          if (!isTooOld || options.includeFencedBrokers === true) throw error
          return byMetadata(attempt, options)
        }
      }),
    describeFeatures: ({ nodeId, ...options } = {}) =>
      requests.one('describeFeatures', options, async ({ send, signal }) => {
        const { metadata } = requests.cluster
        if (nodeId !== undefined && !metadata.image.brokers.has(nodeId)) await metadata.refresh(signal)
        const answer = await send(nodeId === undefined ? 'any' : { node: nodeId }, ApiVersions, {
          clientSoftwareName: CLIENT_SOFTWARE.name,
          clientSoftwareVersion: CLIENT_SOFTWARE.version,
        })
        check('describeFeatures', answer)
        return featureMetadata(answer)
      }),
    updateFeatures: (updates, { validateOnly = false, ...options } = {}) =>
      requests.each(
        {
          operation: 'updateFeatures',
          routing: toController,
          ask: async ({ send, timeoutMs }, destination, asked: readonly FeatureUpdate[]) => {
            const answer = await send(destination, UpdateFeatures, (version) => {
              if (validateOnly && version < 1) throw unsupported('updateFeatures with validateOnly', '3.3')
              return { timeoutMs, validateOnly, featureUpdates: asked.map((update) => featureUpdate(update, version)) }
            })
            if (answer.errorCode !== ErrorCode.NONE) return allFailed(asked, aboutFeature, answer)
            // Since version 2 there is one answer for all of them.
            if (answer.results.length === 0) return asked.map(({ feature }) => ({ value: { feature } }))
            return matched(
              asked,
              answer.results.map((result) => [result.feature, result] as const),
              {
                keyOf: ({ feature }) => feature,
                about: aboutFeature,
                outcome: (result, { feature }) => outcome(aboutFeature(result), result, () => ({ feature })),
              },
            )
          },
        },
        updates,
        options,
      ),
    unregisterBroker: (brokerId, options = {}) =>
      requests.one('unregisterBroker', options, async ({ send }) => {
        check(`unregisterBroker ${brokerId}`, await send('any', UnregisterBroker, { brokerId }))
      }),
    describeMetadataQuorum: (options = {}) =>
      requests.one('describeMetadataQuorum', options, async ({ send }) => {
        const answer = await send('any', DescribeQuorum, {
          topics: [{ topicName: METADATA_LOG, partitions: [{ partitionIndex: 0 }] }],
        })
        check('describeMetadataQuorum', answer)
        const partition = answer.topics.find(({ topicName }) => topicName === METADATA_LOG)?.partitions[0]
        if (partition === undefined)
          throw new KafkaError(
            ErrorCode.UNKNOWN_SERVER_ERROR,
            `describeMetadataQuorum: the broker's answer says nothing of ${METADATA_LOG}`,
          )
        check('describeMetadataQuorum', partition)
        return quorumDescription(partition, answer.nodes)
      }),
    addRaftVoter: ({ voterId, directoryId, endpoints }, { clusterId, ...options } = {}) =>
      requests.one('addRaftVoter', options, async ({ send, timeoutMs }) => {
        const answer = await send('any', AddRaftVoter, {
          clusterId: clusterId ?? null,
          timeoutMs,
          voterId,
          voterDirectoryId: directoryId,
          listeners: endpoints,
        })
        check(`addRaftVoter ${voterId}`, answer)
      }),
    removeRaftVoter: ({ voterId, directoryId }, { clusterId, ...options } = {}) =>
      requests.one('removeRaftVoter', options, async ({ send }) => {
        const answer = await send('any', RemoveRaftVoter, {
          clusterId: clusterId ?? null,
          voterId,
          voterDirectoryId: directoryId,
        })
        check(`removeRaftVoter ${voterId}`, answer)
      }),
  }
}

async function byDescribeCluster(
  { send }: Attempt,
  { includeAuthorizedOperations = false, includeFencedBrokers = false }: DescribeClusterOptions,
): Promise<ClusterDescription> {
  const answer = await send('any', DescribeCluster, (version) => {
    if (includeFencedBrokers && version < 2) throw unsupported('describeCluster with includeFencedBrokers', '4.0')
    return { includeClusterAuthorizedOperations: includeAuthorizedOperations, includeFencedBrokers }
  })
  check('describeCluster', answer)
  const brokers = answer.brokers.map(({ brokerId, host, port, rack, isFenced }) => ({
    id: brokerId,
    host,
    port,
    rack,
    isFenced,
  }))
  return described(answer, brokers)
}

async function byMetadata(
  { send }: Attempt,
  { includeAuthorizedOperations = false }: DescribeClusterOptions,
): Promise<ClusterDescription> {
  const answer = await send('any', Metadata, (version) => {
    if (includeAuthorizedOperations && version < 8)
      throw unsupported('describeCluster with includeAuthorizedOperations', '2.3')
    return {
      topics: [],
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: includeAuthorizedOperations,
    }
  })
  const brokers = answer.brokers.map(({ nodeId, host, port, rack }) => ({
    id: nodeId,
    host,
    port,
    rack,
    isFenced: false,
  }))
  return described(answer, brokers)
}

function described(
  answer: Pick<Response<typeof Metadata>, 'clusterId' | 'controllerId' | 'clusterAuthorizedOperations'>,
  brokers: ClusterDescription['brokers'],
): ClusterDescription {
  checkKnown(brokers.length)
  return {
    clusterId: answer.clusterId,
    controller: brokers.find(({ id }) => id === answer.controllerId) ?? null,
    brokers,
    authorizedOperations: allowedOperations(answer.clusterAuthorizedOperations),
  }
}

function featureMetadata(answer: Response<typeof ApiVersions>): FeatureMetadata {
  return {
    finalized: Object.fromEntries(
      answer.finalizedFeatures.map(({ name, minVersionLevel, maxVersionLevel }) => [
        name,
        { min: minVersionLevel, max: maxVersionLevel },
      ]),
    ),
    finalizedEpoch: answer.finalizedFeaturesEpoch < 0n ? null : answer.finalizedFeaturesEpoch,
    supported: Object.fromEntries(
      answer.supportedFeatures.map(({ name, minVersion, maxVersion }) => [name, { min: minVersion, max: maxVersion }]),
    ),
  }
}

const upgradeTypes = enumeration('upgrade type', { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 })

function featureUpdate({ feature, maxVersionLevel, upgradeType = 'UPGRADE' }: FeatureUpdate, version: number) {
  const inCommon = { feature, maxVersionLevel }
  const code = upgradeTypes.codeOf(upgradeType)
  return version === 0 ? { ...inCommon, allowDowngrade: upgradeType !== 'UPGRADE' } : { ...inCommon, upgradeType: code }
}

function aboutFeature({ feature }: { readonly feature: string }): string {
  return `feature ${feature}`
}

type QuorumAnswer = Response<typeof DescribeQuorum>

function quorumDescription(
  partition: QuorumAnswer['topics'][number]['partitions'][number],
  nodes: QuorumAnswer['nodes'],
): QuorumDescription {
  const { leaderId, leaderEpoch, highWatermark, currentVoters, observers } = partition
  return {
    leaderId,
    leaderEpoch,
    highWatermark,
    voters: currentVoters.map(quorumReplica),
    observers: observers.map(quorumReplica),
    nodes: nodes.map(({ nodeId, listeners }) => ({ nodeId, endpoints: listeners })),
  }
}

function quorumReplica(
  replica: QuorumAnswer['topics'][number]['partitions'][number]['currentVoters'][number],
): QuorumReplica {
  const { replicaId, replicaDirectoryId, logEndOffset, lastFetchTimestamp, lastCaughtUpTimestamp } = replica
  return {
    replicaId,
    directoryId: idOrNull(replicaDirectoryId),
    logEndOffset,
    lastFetchTimestamp: timeOrNull(lastFetchTimestamp),
    lastCaughtUpTimestamp: timeOrNull(lastCaughtUpTimestamp),
  }
}
