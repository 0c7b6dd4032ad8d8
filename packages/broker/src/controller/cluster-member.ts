/**
 * A broker's life in the coordination tree: a session, kept or replaced; the broker's registration; the candidacy for controller; and,
 * while it is the controller, its term.
 *
 * A term begins by reading the tree, and ends when a write fails, another controller is elected, or the session ends. Whatever ended it,
 * the way back is the same: look who is controller and, if it is still this broker, read the tree again.
 */
import { isCoordinationFailure } from '@millrace/coordination'
import type { CoordinationSession, CoordinationTree } from '@millrace/coordination'
import type { Clock, Logger, Random } from '@millrace/runtime'
import type { BrokerImage } from '../metadata/image.ts'
import type { MetadataCache } from '../metadata/metadata-cache.ts'
import { applyDelta, deltaBetween, emptyImage } from '../metadata/metadata-delta.ts'
import type { ControllerSettings } from './controller-settings.ts'
import { controllerOf, ensureCluster, registerBroker, takeOffice } from './membership.ts'
import type { Office } from './membership.ts'
import { MetadataWriter } from './metadata-writer.ts'
import { readBrokers, readCluster } from './read-cluster.ts'
import type { ClusterState } from './read-cluster.ts'
import { settlePartitions } from './settle-partitions.ts'
import type { BrokerRegistration } from './znodes.ts'

/** Pause before the next try after a failure that may last. */
const RETRY_MS = 1000
/** Of the sessions this process had, so many are remembered as its own. */
const FORMER_SESSIONS = 16

export interface ClusterMemberOptions {
  readonly nodeId: number
  readonly tree: CoordinationTree
  /** `zookeeper.session.timeout.ms` */
  readonly sessionTimeoutMs: number
  /** The id a new cluster shall have; null: a random one. */
  readonly wishedClusterId: string | null
  /** The feature levels a new cluster shall finalize. */
  readonly initialLevels: ReadonlyMap<string, number>
  readonly metadata: MetadataCache
  readonly settings: ControllerSettings
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** While this broker is the active controller. */
export interface Term {
  readonly writer: MetadataWriter
  readonly session: CoordinationSession
  /** See `ClusterState.suspects`; empty once they are settled. */
  suspects: ClusterState['suspects']
  nextProducerId: bigint
}

export class ClusterMember implements AsyncDisposable {
  readonly #options: ClusterMemberOptions
  readonly #opened = Promise.withResolvers<void>()
  readonly #stop = new AbortController()
  readonly #formerSessions = new Set<bigint>()
  readonly #life: Promise<void>
  #session: CoordinationSession | null = null
  #registration: BrokerRegistration | null = null
  #term: Term | null = null
  #clusterId = ''
  /** Changes of the set of brokers are handled one after the other. */
  #brokerWork: Promise<void> = Promise.resolve()

  /** Resolves when it is known who is controller and, if it is this broker, the cluster's metadata is in the cache. */
  static async open(options: ClusterMemberOptions): Promise<ClusterMember> {
    const member = new ClusterMember(options)
    try {
      await member.#opened.promise
    } catch (error) {
      await member[Symbol.asyncDispose]()
      throw error
    }
    return member
  }

  private constructor(options: ClusterMemberOptions) {
    this.#options = options
    this.#life = this.#live()
  }

  get clusterId(): string {
    return this.#clusterId
  }

  /** null while another broker is the controller, or nobody. */
  get term(): Term | null {
    return this.#term
  }

  /**
   * Registers the broker, now and whenever a new session has to be opened. When this broker is the controller, it resolves when the broker
   * is in the metadata and its partitions have their leaders.
   * @throws KafkaError DUPLICATE_BROKER_REGISTRATION.
   */
  async register(registration: BrokerRegistration): Promise<void> {
    this.#registration = registration
    if (this.#session !== null) await this.#registerIn(this.#session)
    if (this.#term !== null) await this.#followBrokers(this.#term)
  }

  /** Has the partitions looked at again: an unclean election may be allowed now. */
  async settle(term: Term): Promise<void> {
    await settlePartitions({ ...this.#options, writer: term.writer, isSuspect: () => false })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#term?.writer.retire('the broker is shutting down')
    await this.#session?.[Symbol.asyncDispose]()
    await this.#life
    await this.#brokerWork
  }

  async #live(): Promise<void> {
    const { logger, clock, tree, sessionTimeoutMs } = this.#options
    while (!this.#stop.signal.aborted) {
      try {
        await using session = await tree.connect({ sessionTimeoutMs })
        this.#session = session
        await this.#use(session)
      } catch (error) {
        if (this.#stop.signal.aborted) return
        // Before it was opened a failure is the opener's business; afterwards the broker goes on trying.
        this.#opened.reject(error)
        logger.error(`the coordination tree fails: ${messageOf(error)}; trying again in ${RETRY_MS} ms`)
        await clock.sleep(RETRY_MS, this.#stop.signal).catch(() => {})
      } finally {
        if (this.#session !== null) this.#rememberSession(this.#session.id)
        this.#session = null
      }
    }
  }

  async #use(session: CoordinationSession): Promise<void> {
    const { logger } = this.#options
    this.#clusterId = await ensureCluster(session, this.#options)
    if (this.#registration !== null) await this.#registerIn(session)
    while (session.state === 'connected' || session.state === 'disconnected') {
      try {
        if (session.state === 'disconnected') await stateChange(session)
        else await this.#campaign(session)
      } catch (error) {
        if (!isCoordinationFailure(error, 'connection-loss')) throw error
        logger.warn(`the coordination tree cannot be reached: ${error.message}`)
      }
    }
    if (session.state === 'expired') logger.warn('the session of the coordination tree has expired; opening another')
  }

  /** One term as controller, or one of somebody else. */
  async #campaign(session: CoordinationSession): Promise<void> {
    const { nodeId, clock, metadata } = this.#options
    const office = await takeOffice(session, nodeId, clock.now())
    const changed = Promise.withResolvers<void>()
    const controllerId = await controllerOf(session, changed.resolve)
    if (office !== null) {
      await this.#serve(session, office, changed.promise)
      return
    }
    if (controllerId === -1) return
    metadata.apply({ clusterId: this.#clusterId, controllerId })
    this.#opened.resolve()
    await Promise.race([changed.promise, stateChange(session)])
  }

  async #serve(session: CoordinationSession, office: Office, deposed: Promise<void>): Promise<void> {
    const { metadata, random, clock, logger, nodeId } = this.#options
    const state = await readCluster(session, random)
    const image = applyDelta(emptyImage(), { ...state, clusterId: this.#clusterId, controllerId: nodeId })
    metadata.apply(deltaBetween(metadata.image, image))
    const writer = new MetadataWriter({ session, cache: metadata, ...office })
    if (state.repairs.length > 0) {
      logger.warn(`completing ${state.repairs.length} writes that an earlier controller has left undone`)
      await writer.submit(state.repairs, {})
    }
    const term: Term = { writer, session, suspects: state.suspects, nextProducerId: state.nextProducerId }
    this.#term = term
    logger.info(`controller of cluster ${this.#clusterId} with epoch ${office.controllerEpoch}`, {
      topics: image.topics.size,
    })
    this.#opened.resolve()
    if (this.#registration !== null) this.#followBrokers(term).catch(() => {})
    void deposed.then(() => writer.retire('another controller is being elected'))
    const reason = await Promise.race([writer.ended, ended(session)])
    this.#term = null
    writer.retire('the session of the coordination tree has ended')
    await writer.settled()
    if (this.#stop.signal.aborted) return
    logger.warn(`no longer the controller: ${messageOf(reason ?? 'the session has ended')}`)
    if (isCoordinationFailure(reason, 'storage-failure')) await clock.sleep(RETRY_MS, this.#stop.signal).catch(() => {})
  }

  async #registerIn(session: CoordinationSession): Promise<void> {
    const { nodeId, clock, sessionTimeoutMs } = this.#options
    if (this.#registration === null) return
    await registerBroker(session, {
      brokerId: nodeId,
      registration: this.#registration,
      clock,
      formerSessions: this.#formerSessions,
      patienceMs: sessionTimeoutMs,
    })
  }

  /** Brings the metadata in step with the registered brokers. A failure ends the term. */
  #followBrokers(term: Term): Promise<void> {
    const work = this.#brokerWork.then(async () => {
      if (this.#term !== term) return
      try {
        await this.#takeInBrokers(term)
      } catch (error) {
        term.writer.retire(`the brokers could not be followed: ${messageOf(error)}`)
        throw error
      }
    })
    this.#brokerWork = work.catch(() => {})
    return work
  }

  async #takeInBrokers(term: Term): Promise<void> {
    const { writer, session, suspects } = term
    const registered = await readBrokers(session, () => void this.#followBrokers(term).catch(() => {}))
    const changes = new Map<number, BrokerImage | null>()
    const lost = new Set<number>()
    for (const [id, known] of writer.draft.brokers) {
      const now = registered.get(id)
      if (now?.epoch === known.epoch) continue
      lost.add(id)
      if (now === undefined) changes.set(id, null)
    }
    for (const [id, broker] of registered)
      if (writer.draft.brokers.get(id)?.epoch !== broker.epoch) changes.set(id, broker)
    if (changes.size === 0 && suspects.size === 0) return
    term.suspects = new Map()
    const visible = writer.submit([], { brokers: changes })
    visible.catch(() => {})
    const count = await settlePartitions({
      ...this.#options,
      writer,
      isSuspect: (topic, partition, id) => lost.has(id) || suspects.get(topic)?.get(partition)?.includes(id) === true,
    })
    await visible
    this.#options.logger.info('the brokers have changed', { brokers: [...registered.keys()], partitionsChanged: count })
  }

  #rememberSession(id: bigint): void {
    this.#formerSessions.add(id)
    for (const oldest of this.#formerSessions) {
      if (this.#formerSessions.size <= FORMER_SESSIONS) return
      this.#formerSessions.delete(oldest)
    }
  }
}

/** Resolves at the next change of the session's state; at once when it has ended. */
async function stateChange(session: CoordinationSession): Promise<void> {
  if (session.state === 'expired' || session.state === 'closed') return
  await new Promise<void>((resolve) => {
    const stop = session.onStateChange(() => {
      stop()
      resolve()
    })
  })
}

async function ended(session: CoordinationSession): Promise<undefined> {
  while (session.state === 'connected' || session.state === 'disconnected') await stateChange(session)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
