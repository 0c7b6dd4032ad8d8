/**
 * Keeps records at hand: asks every broker for the partitions that are read from it, one request after the other, as long as there is room. What an answer
 * brings waits in its partition until it is taken; a partition that has enough waiting is left out of requests, so memory is bounded however slow the
 * application is.
 *
 * Partitions with news must not wait for those without: a request waits for data at the broker (`fetchMaxWaitMs`) only when no partition is left out for
 * having enough. Otherwise it would still be waiting when that partition runs dry. A request that did not wait and brought nothing is not
 * repeated until something changes, or `fetchMaxWaitMs` have passed.
 */
import type { BrokerConnection } from '@millrace/network'
import { ErrorCode, Fetch, KafkaError, Reader, readResponseHeader, ZERO_UUID } from '@millrace/protocol'
import { backoffMs } from '../../cluster/backoff.ts'
import type { AssignedPartition } from '../positions/assigned-partition.ts'
import type { Assignment } from '../positions/assignment.ts'
import { WakeTimer } from '../../wake-timer.ts'
import { askedName, BrokerFetches } from './broker-fetches.ts'
import { FetchAnswers, type FetchAnswer, type FetchAnswersOptions } from './fetch-answers.ts'
import { FIRST_VERSION_WITH_IDS, fetchRequest } from './fetch-request.ts'
import type { SessionPartition } from './fetch-session.ts'

export interface FetcherOptions<K, V> extends FetchAnswersOptions<K, V> {
  readonly assignment: Assignment<K, V>
  readonly signal: AbortSignal
}

/** What a request shall ask for: never none. */
interface Plan<K, V> {
  readonly wanted: AssignedPartition<K, V>[]
  /** Others are left out because enough of them is here. */
  leavesOut: boolean
}

export class Fetcher<K, V> {
  readonly #options: FetcherOptions<K, V>
  readonly #brokers = new Map<number, BrokerFetches<K, V>>()
  readonly #answers: FetchAnswers<K, V>
  readonly #timer: WakeTimer
  #turn = 0

  constructor(options: FetcherOptions<K, V>) {
    this.#options = options
    this.#timer = new WakeTimer(options.cluster.world.clock, () => this.wake())
    this.#answers = new FetchAnswers(options)
  }

  /** Asks for whatever is wanted and not asked for yet. To be called when something changes; cheap when nothing has. */
  wake(): void {
    if (this.#options.signal.aborted) return
    const nowMs = this.#nowMs()
    for (const [nodeId, plan] of this.#plans(nowMs)) {
      const broker = this.#broker(nodeId)
      if (broker.isBusy) continue
      if (broker.notBeforeMs > nowMs) this.#timer.at(broker.notBeforeMs)
      else if (plan.leavesOut && broker.quietUntilMs > nowMs && !broker.isNews(plan.wanted))
        this.#timer.at(broker.quietUntilMs)
      else this.#begin(broker, plan)
    }
  }

  /** As `wake`, when all that has changed is that less of this partition is at hand: nothing to do while its broker is being asked. */
  takenFrom({ preferredReplica, leader }: AssignedPartition<K, V>): void {
    const broker = this.#brokers.get(preferredReplica < 0 ? leader.id : preferredReplica)
    if (broker?.isBusy !== true) this.wake()
  }

  /** Bytes at hand. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const partition of this.#options.assignment) bytes += partition.bufferedBytes
    return bytes
  }

  /** Lets brokers forget what they remember of this consumer. Without waiting: they would forget it anyway. */
  close(): void {
    this.#timer.cancel()
    const { cluster } = this.#options
    for (const broker of this.#brokers.values()) {
      const connection = broker.isBusy ? null : cluster.openConnection(broker.nodeId, 'fetch')
      const request = connection === null ? null : broker.session.close()
      if (connection === null || request === null) continue
      const version = versionFor(connection, request.usesTopicIds)
      const limits = { maxWaitMs: 0, minBytes: 0, maxBytes: 0, isolationLevel: 'read_uncommitted', rackId: '' } as const
      connection.send(Fetch, fetchRequest(request, limits, version), { version }).catch(noop)
    }
  }

  #plans(nowMs: number): Map<number, Plan<K, V>> {
    const enoughBytes = this.#options.settings.maxPartitionFetchBytes
    const plans = new Map<number, Plan<K, V>>()
    for (const partition of this.#options.assignment) {
      if (partition.phase !== 'reading' || partition.isPaused || !partition.mayBeRead || partition.leader.id < 0)
        continue
      if (partition.retryAtMs > nowMs) {
        this.#timer.at(partition.retryAtMs)
        continue
      }
      const nodeId = this.#replicaOf(partition, nowMs)
      let plan = plans.get(nodeId)
      if (plan === undefined) plans.set(nodeId, (plan = { wanted: [], leavesOut: false }))
      if (partition.hasRecords && partition.bufferedBytes >= enoughBytes) plan.leavesOut = true
      else plan.wanted.push(partition)
    }
    for (const [nodeId, { wanted }] of plans) if (wanted.length === 0) plans.delete(nodeId)
    return plans
  }

  /** The one nearby that the leader has recommended, else the leader (KIP-392). */
  #replicaOf(partition: AssignedPartition<K, V>, nowMs: number): number {
    const { preferredReplica, leader } = partition
    if (preferredReplica < 0) return leader.id
    const { metadata } = this.#options.cluster
    const image = metadata.image.topics.get(partition.topic)?.partitions[partition.partition]
    const isThere =
      metadata.image.brokers.has(preferredReplica) && image?.offlineReplicas.includes(preferredReplica) === false
    if (isThere && partition.preferredUntilMs > nowMs) return preferredReplica
    partition.preferredReplica = -1
    if (!isThere) metadata.refreshSoon()
    return leader.id
  }

  #begin(broker: BrokerFetches<K, V>, plan: Plan<K, V>): void {
    const { cluster } = this.#options
    const connection = cluster.openConnection(broker.nodeId, 'fetch')
    broker.isBusy = true
    const step = connection === null ? this.#connect(broker) : this.#fetch(broker, plan, connection)
    void step.finally(() => {
      broker.isBusy = false
      broker.reservedBytes = 0
      this.wake()
    })
  }

  async #connect(broker: BrokerFetches<K, V>): Promise<void> {
    const { cluster, signal } = this.#options
    try {
      await cluster.connection(broker.nodeId, 'fetch', signal)
    } catch (error) {
      this.#failed(broker, error as Error)
    }
  }

  /** Never rejects. */
  async #fetch(broker: BrokerFetches<K, V>, plan: Plan<K, V>, connection: BrokerConnection): Promise<void> {
    const { settings } = this.#options
    try {
      const maxBytes = this.#room(plan.wanted.length)
      broker.reservedBytes = Math.min(maxBytes, plan.wanted.length * settings.maxPartitionFetchBytes)
      const partitions = inTurn(plan.wanted, this.#turn++).map((partition) => this.#described(partition))
      const usesTopicIds =
        connection.versionOf(Fetch) >= FIRST_VERSION_WITH_IDS &&
        partitions.every(({ topicId }) => topicId !== ZERO_UUID)
      const version = versionFor(connection, usesTopicIds)
      broker.asked = new Map(
        plan.wanted.map((of) => [
          askedName(of.partition, usesTopicIds ? (of.topicId ?? '') : of.topic),
          { of, generation: of.generation, fetchOffset: of.fetchPlace.offset },
        ]),
      )
      const request = fetchRequest(
        broker.session.request(partitions, usesTopicIds),
        {
          maxWaitMs: plan.leavesOut ? 0 : settings.fetchMaxWaitMs,
          // With 0 brokers answer at once though there is nothing, and the two would never rest.
          minBytes: plan.leavesOut ? 0 : Math.max(1, settings.fetchMinBytes),
          maxBytes,
          isolationLevel: settings.isolationLevel,
          rackId: settings.clientRack,
        },
        version,
      )
      const sentAtMs = this.#nowMs()
      const frame = await connection.exchange(Fetch, request, { version })
      // Records are views of it, and may be kept for good.
      const bytes = frame.keep()
      const latencyMs = this.#nowMs() - sentAtMs
      const answer = decode(bytes, version)
      this.#options.counts.answered({ sizeBytes: bytes.length, latencyMs, throttleTimeMs: answer.throttleTimeMs })
      const isEmpty = this.#answered(broker, answer, usesTopicIds)
      broker.quietUntilMs = plan.leavesOut && isEmpty ? this.#nowMs() + settings.fetchMaxWaitMs : 0
    } catch (error) {
      broker.session.failed()
      const isUseless =
        error instanceof KafkaError &&
        (error.code === ErrorCode.REQUEST_TIMED_OUT || error.code === ErrorCode.CORRUPT_MESSAGE)
      if (isUseless) void connection[Symbol.asyncDispose]()
      this.#failed(broker, error as Error)
    }
  }

  /** Bytes an answer may have: what is free, but always enough for one partition, or nothing would move. */
  #room(partitions: number): number {
    const { fetchMaxBytes, maxPartitionFetchBytes } = this.#options.settings
    let free = fetchMaxBytes - this.bufferedBytes
    for (const { reservedBytes } of this.#brokers.values()) free -= reservedBytes
    return Math.min(fetchMaxBytes, Math.max(free, Math.min(partitions, 1) * maxPartitionFetchBytes))
  }

  #described({ topic, topicId, partition, fetchPlace, leader }: AssignedPartition<K, V>): SessionPartition {
    return {
      topic,
      topicId: topicId ?? ZERO_UUID,
      partition,
      fetchOffset: fetchPlace.offset,
      leaderEpoch: leader.epoch,
      maxBytes: this.#options.settings.maxPartitionFetchBytes,
    }
  }

  /** Whether it brought nothing. */
  #answered(broker: BrokerFetches<K, V>, answer: FetchAnswer, usesTopicIds: boolean): boolean {
    const { cluster, signal, onRecords } = this.#options
    cluster.throttle(broker.nodeId, 'fetch', answer.throttleTimeMs)
    if (signal.aborted) return true
    if (!broker.session.answered(answer)) {
      if (answer.errorCode === ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR) cluster.metadata.refreshSoon()
      // A session that the broker has dropped for others is no failure, unless it happens again and again.
      if (broker.failures++ > 0) this.#backOff(broker)
      return true
    }
    broker.failures = 0
    const isEmpty = this.#answers.read(broker, answer, usesTopicIds)
    onRecords()
    return isEmpty
  }

  #failed(broker: BrokerFetches<K, V>, error: Error): void {
    const { signal, cluster, onError } = this.#options
    if (signal.aborted) return
    for (const { of } of broker.asked.values()) of.preferredReplica = -1
    broker.failures++
    this.#backOff(broker)
    cluster.metadata.refreshSoon()
    if (!(error instanceof KafkaError) || !(error.retriable || error.code === ErrorCode.CORRUPT_MESSAGE))
      onError(error, null)
  }

  #backOff(broker: BrokerFetches<K, V>): void {
    broker.notBeforeMs = this.#nowMs() + this.#pauseMs(broker.failures)
    this.#timer.at(broker.notBeforeMs)
  }

  #pauseMs(failures: number): number {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#options.settings
    const { random } = this.#options.cluster.world
    return backoffMs(Math.max(1, failures), { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs, random })
  }

  #broker(nodeId: number): BrokerFetches<K, V> {
    let broker = this.#brokers.get(nodeId)
    if (broker === undefined) this.#brokers.set(nodeId, (broker = new BrokerFetches(nodeId)))
    return broker
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}

function versionFor(connection: BrokerConnection, usesTopicIds: boolean): number {
  const newest = connection.versionOf(Fetch)
  return usesTopicIds ? newest : Math.min(newest, FIRST_VERSION_WITH_IDS - 1)
}

function decode(bytes: Uint8Array, version: number): FetchAnswer {
  const reader = new Reader(bytes)
  try {
    readResponseHeader(reader, Fetch, version)
    return Fetch.response.decode(reader, version)
  } catch (error) {
    throw new KafkaError(
      ErrorCode.CORRUPT_MESSAGE,
      `the answer to Fetch version ${version} cannot be read: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

/** The first of a request are served first. */
function inTurn<T>(list: readonly T[], turn: number): T[] {
  const first = turn % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}

function noop(): void {}
