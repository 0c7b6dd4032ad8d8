// What our admin answers to all that Kafka's Admin is asked in AdminAnswers.java, in the same shape.
import type { Admin, ConfigResource, OffsetSpec } from '@millrace/client'

/** What there is to ask about. */
export interface Job {
  readonly topics: readonly string[]
  readonly brokers: readonly number[]
  readonly consumerGroups: readonly string[]
  readonly classicGroups: readonly string[]
  readonly shareGroups: readonly string[]
  readonly transactionalIds: readonly string[]
  readonly configResources: readonly ConfigResource[]
  readonly timestamp: number
}

const places: readonly OffsetSpec[] = [
  'earliest',
  'latest',
  'max-timestamp',
  'earliest-local',
  'latest-tiered',
  'earliest-pending-upload',
]

export async function ourAnswers(admin: Admin, job: Job): Promise<Record<string, unknown>> {
  return { ...(await topics(admin, job)), ...(await cluster(admin, job)), ...(await groups(admin, job)) }
}

async function topics(admin: Admin, job: Job) {
  const described = await admin.describeTopics(job.topics, { includeAuthorizedOperations: true })
  const partitions = described.flatMap((topic) =>
    topic.partitions.map(({ topic: name, partition }) => ({ topic: name, partition })),
  )
  const specs = [...places.map((spec) => [spec, spec] as const), ['timestamp', { timestamp: job.timestamp }] as const]
  const queries = specs.flatMap(([name, offset]) => partitions.map((partition) => ({ name, ...partition, offset })))
  const offsets = await admin.listOffsets(queries)
  return {
    topicListings: await admin.listTopics({ includeInternal: true }),
    // Java's description has no leader epochs.
    topics: described.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((partition) => without(partition, 'leaderEpoch', 'offlineReplicas')),
    })),
    offsets: offsets.map((one, index) => ({ ...one, spec: queries[index]!.name })),
    reassignments: await admin.listPartitionReassignments(),
    producers: await admin.describeProducers(partitions),
    transactionListings: await admin.listTransactions(),
    transactions: await admin.describeTransactions(job.transactionalIds),
  }
}

async function cluster(admin: Admin, job: Job) {
  const described = await admin.describeCluster({
    includeAuthorizedOperations: true,
    includeFencedBrokers: true,
  })
  const { finalized, supported } = await admin.describeFeatures()
  const quorum = await admin.describeMetadataQuorum()
  const logDirs = await admin.describeLogDirs(job.brokers)
  const replicas = logDirs.flatMap(({ brokerId, logDirs: dirs }) =>
    dirs.flatMap((dir) => dir.replicas.map(({ topic, partition }) => ({ topic, partition, brokerId }))),
  )
  const isOfUsers = ({ topic }: { readonly topic: string }) => !topic.startsWith('__')
  const replicaLogDirs = await admin.describeReplicaLogDirs(replicas.filter(isOfUsers))
  return {
    cluster: without(described, 'controller'),
    features: { finalized, supported },
    quorum: {
      leaderId: quorum.leaderId,
      leaderEpoch: quorum.leaderEpoch,
      voters: quorum.voters.map(({ replicaId, directoryId }) => ({
        replicaId,
        directoryId: directoryId ?? 'AAAAAAAAAAAAAAAAAAAAAA',
      })),
      observers: quorum.observers.length,
      nodes: quorum.nodes,
    },
    configs: await admin.describeConfigs(job.configResources, { includeSynonyms: true, includeDocumentation: true }),
    resources: await admin.listConfigResources(),
    acls: await admin.describeAcls(),
    quotas: await admin.describeClientQuotas(),
    scram: await admin.describeUserScramCredentials(),
    logDirs: logDirs.map(({ brokerId, logDirs: dirs }) => ({
      brokerId,
      logDirs: dirs.map(({ path, error, replicas: all, totalBytes, isCordoned }) => ({
        path,
        error,
        isCordoned,
        hasTotal: totalBytes !== null,
        replicas: all.filter(isOfUsers),
      })),
    })),
    replicaLogDirs: replicaLogDirs.map(({ current, future, ...replica }) => ({
      ...replica,
      current: current?.path ?? null,
      future: future?.path ?? null,
    })),
  }
}

async function groups(admin: Admin, job: Job) {
  const consumers = await admin.describeConsumerGroups(job.consumerGroups, { includeAuthorizedOperations: true })
  const classic = await admin.describeClassicGroups(job.classicGroups)
  const shares = await admin.describeShareGroups(job.shareGroups)
  return {
    groupListings: await admin.listGroups(),
    // Java's descriptions lack what members are subscribed to.
    consumerGroups: consumers.map((group) => ({
      ...group,
      coordinator: group.coordinator.id,
      members: group.members.map((member) => without(member, 'subscribedTopics', 'subscribedPattern')),
    })),
    classicGroups: classic.map((group) => ({
      ...without(group, 'authorizedOperations'),
      coordinator: group.coordinator.id,
      members: group.members.map((member) => without(member, 'rawMetadata', 'rawAssignment')),
    })),
    shareGroups: shares.map((group) => ({
      ...without(group, 'authorizedOperations', 'assignor'),
      coordinator: group.coordinator.id,
      members: group.members.map((member) => without(member, 'subscribedTopics')),
    })),
    groupOffsets: await admin.listGroupOffsets(job.consumerGroups),
    shareGroupOffsets: await admin.listShareGroupOffsets(job.shareGroups),
  }
}

/** What only one of the two tells is not compared. */
function without<T extends object, Name extends keyof T & string>(value: T, ...names: readonly Name[]): Omit<T, Name> {
  const entries = Object.entries(value).filter(([name]) => !(names as readonly string[]).includes(name))
  return Object.fromEntries(entries) as Omit<T, Name>
}
