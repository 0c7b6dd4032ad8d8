/** Where the request about a thing goes, and which error codes say that it has to be looked for elsewhere. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import type { CoordinatorKind, Destination } from '../cluster/destination.ts'
import type { TopicPartition } from '../record.ts'
import type { Outcome } from './partial-failure.ts'

/** Things with the same `key` may share a request. */
export interface Route {
  readonly key: string
  readonly destination: Destination
}

export interface Routing<Thing> {
  /** For each of `things`, in that order. Errors of a code in `moved`: it may be found later. */
  find(cluster: Cluster, things: readonly Thing[], signal: AbortSignal): Promise<readonly Outcome<Route>[]>
  /** Codes after which the thing is looked for again. */
  readonly moved: ReadonlySet<number>
  /** Called after one of them. */
  lost(cluster: Cluster, thing: Thing): void
  /** Keeps known what `find` needs, for as long as the operation takes. */
  watch?(cluster: Cluster, things: readonly Thing[]): Disposable
}

/** Brokers that know no better than others: any will do. */
export const toAny: Routing<unknown> = {
  find: (_, things) => eachAlone(things, () => ({ key: 'any', destination: 'any' })),
  moved: new Set(),
  lost: () => {},
}

export const toController: Routing<unknown> = {
  find: (_, things) => eachAlone(things, () => ({ key: 'controller', destination: 'controller' })),
  moved: new Set([ErrorCode.NOT_CONTROLLER]),
  lost: (cluster) => cluster.metadata.refreshSoon(),
}

export function toBroker<Thing>(brokerOf: (thing: Thing) => number): Routing<Thing> {
  return toBrokerOrAny(brokerOf)
}

/** To the broker that has a broker's own resources; to any for those of null. */
export function toBrokerOrAny<Thing>(brokerOf: (thing: Thing) => number | null): Routing<Thing> {
  return {
    find: (cluster, things, signal) =>
      eachAlone(things, async (thing) => {
        const node = brokerOf(thing)
        if (node === null) return { key: 'any', destination: 'any' }
        if (!cluster.metadata.image.brokers.has(node)) await cluster.metadata.refresh(signal)
        return { key: `broker ${node}`, destination: { node: cluster.node(node).id } }
      }),
    // What is said when the cluster has no such broker: it may be starting.
    moved: new Set([ErrorCode.LEADER_NOT_AVAILABLE]),
    lost: (cluster) => cluster.metadata.refreshSoon(),
  }
}

export function toCoordinator<Thing>(kind: CoordinatorKind, keyOf: (thing: Thing) => string): Routing<Thing> {
  return {
    find: async (cluster, things, signal) => {
      const found = await cluster.coordinators(kind, things.map(keyOf), signal)
      return things.map((thing): Outcome<Route> => {
        const key = keyOf(thing)
        const node = found.get(key) ?? new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, `${kind} ${key}: no answer`)
        if (node instanceof KafkaError) return { error: node }
        return { value: { key: `coordinator ${node.id}`, destination: { coordinatorOf: key, kind } } }
      })
    },
    moved: new Set([
      ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
      ErrorCode.COORDINATOR_NOT_AVAILABLE,
      ErrorCode.NOT_COORDINATOR,
      ErrorCode.NETWORK_EXCEPTION,
      ErrorCode.REQUEST_TIMED_OUT,
    ]),
    lost: (cluster, thing) => cluster.coordinatorLost(kind, keyOf(thing)),
  }
}

export const toGroupCoordinator: Routing<{ readonly groupId: string }> = toCoordinator(
  'group',
  ({ groupId }) => groupId,
)

export const toTransactionCoordinator: Routing<string> = toCoordinator('transaction', (id) => id)

/** A topic that is not there yet is waited for, as it may have been created a moment ago. */
export const toLeader: Routing<TopicPartition> = {
  find: (cluster, things, signal) =>
    eachAlone(things, async (thing) => {
      const leaderId = await leaderOf(cluster, thing, signal)
      return { key: `leader ${leaderId}`, destination: { node: leaderId } }
    }),
  moved: new Set([
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.REPLICA_NOT_AVAILABLE,
    ErrorCode.BROKER_NOT_AVAILABLE,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.KAFKA_STORAGE_ERROR,
    ErrorCode.NETWORK_EXCEPTION,
  ]),
  lost: (cluster) => cluster.metadata.refreshSoon(),
  watch: (cluster, things) => cluster.metadata.watch(new Set(things.map(({ topic }) => topic))),
}

async function leaderOf(cluster: Cluster, { topic, partition }: TopicPartition, signal: AbortSignal): Promise<number> {
  const { metadata } = cluster
  const image = metadata.image.topics.has(topic) ? metadata.image : await metadata.refresh(signal)
  const known = image.topics.get(topic)
  if (known === undefined) {
    const code = image.topicErrors.get(topic) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    throw code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      ? new KafkaError(code, `topic ${topic}: the brokers do not know it`)
      : new KafkaError(code)
  }
  const found = known.partitions[partition]
  if (found === undefined)
    throw new KafkaError(
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      `${topic}-${partition}: the topic has ${known.partitions.length} partitions, numbered from 0`,
    )
  if (found.leaderId < 0)
    throw new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, `${topic}-${partition}: the partition has no leader now`)
  return cluster.node(found.leaderId).id
}

function eachAlone<Thing>(
  things: readonly Thing[],
  find: (thing: Thing) => Route | Promise<Route>,
): Promise<readonly Outcome<Route>[]> {
  return Promise.all(
    things.map(async (thing) => {
      try {
        return { value: await find(thing) }
      } catch (error) {
        if (error instanceof KafkaError) return { error }
        throw error
      }
    }),
  )
}
