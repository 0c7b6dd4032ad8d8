/**
 * The way to one broker, as the leader of partitions: one request at a time, as the share session wants it, in turn acknowledgements that are to
 * go now, and fetches, which take along those that can wait.
 */
import { ErrorCode, KafkaError, ShareAcknowledge, ShareFetch, type Response } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import { backoffMs } from '../cluster/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { AcknowledgementSet, isWorthRepeating, type AcknowledgeType } from './acknowledgement-batches.ts'
import type { AcquiredRange, Acquisition } from './acquired-records.ts'
import type { ShareConsumerSettings } from './options.ts'
import type { TopicIdPartition } from './share-membership.ts'
import { byTopic, forgotten, keyOf, type Pending } from './share-request-topics.ts'
import { FINAL_EPOCH, ShareSession } from './share-session.ts'

type FetchAnswer = Response<typeof ShareFetch>
type LeaderTold = Pick<
  Response<typeof ShareAcknowledge>['responses'][number]['partitions'][number],
  'partitionIndex' | 'errorCode' | 'currentLeader'
>

/** Acknowledgements go on their own once a lock has run for this share of its time. */
const flushShare = 1 / 3

export interface Fetched {
  readonly acquisition: Acquisition
  readonly bytes: Uint8Array
  readonly ranges: readonly AcquiredRange[]
  readonly lockTimeoutMs: number
}

export interface ShareLeaderOwner {
  /** Records wanted; 0: none, so nothing is fetched. */
  readonly demand: number
  /** Whether this broker may be fetched from now. */
  mayFetch(leader: ShareLeader): boolean
  /** Resolves, with the number of records, when they are ready. Never rejects. */
  fetched(fetched: Fetched): Promise<number>
  answered(answer: { readonly sizeBytes: number; readonly recordsCount: number; readonly latencyMs: number }): void
  fetchEnded(leader: ShareLeader): void
  settled(acquisition: Acquisition, set: AcknowledgementSet, error: KafkaError | null): void
  troubled(error: Error): void
  failed(error: Error): void
}

export interface ShareLeaderOptions {
  readonly nodeId: number
  readonly memberId: string
  readonly cluster: Cluster
  readonly settings: ShareConsumerSettings
  readonly owner: ShareLeaderOwner
}

export class ShareLeader {
  readonly nodeId: number
  readonly #options: ShareLeaderOptions
  readonly #session = new ShareSession()
  readonly #ending = new AbortController()
  #wanted: ReadonlyMap<string, TopicIdPartition> = new Map()
  #pending = new Map<string, Pending>()
  /** What `#pending` holds is to go without waiting for a fetch. */
  #isUrgent = false
  #flushTimer: Timer | null = null
  #lockTimeoutMs = 30_000
  #failures = 0
  #work: Promise<void> | null = null
  /** Ends in the same turn as the work has found that there is none. */
  #isWorking = false
  #isClosing = false

  constructor(options: ShareLeaderOptions) {
    this.nodeId = options.nodeId
    this.#options = options
  }

  get sessionLife(): number {
    return this.#session.life
  }

  want(partitions: ReadonlyMap<string, TopicIdPartition>): void {
    this.#wanted = partitions
    this.wake()
  }

  get wantsAny(): boolean {
    return this.#wanted.size > 0
  }

  /** Returns the set they go with, which tells what becomes of them. */
  acknowledge(acquisition: Acquisition, types: Iterable<readonly [bigint, AcknowledgeType]>): AcknowledgementSet {
    const { clock } = this.#options.cluster.world
    const deadlineMs = clock.monotonicMs() + this.#options.settings.defaultApiTimeoutMs
    if (acquisition.sessionLife !== this.#session.life || this.#ending.signal.aborted) {
      const gone = new AcknowledgementSet(deadlineMs)
      for (const [offset, type] of types) gone.types.set(offset, type)
      this.#settle({ acquisition, set: gone }, this.#sessionGone())
      return gone
    }
    const key = keyOf(acquisition)
    let pending = this.#pending.get(key)
    if (pending === undefined) {
      pending = { acquisition, set: new AcknowledgementSet(deadlineMs) }
      this.#pending.set(key, pending)
    }
    for (const [offset, type] of types) pending.set.types.set(offset, type)
    // Whoever reads slowly must not lose the locks of what is done.
    this.#flushTimer ??= clock.after(this.#lockTimeoutMs * flushShare, () => this.flush())
    return pending.set
  }

  /** Sends acknowledgements without waiting for a fetch. */
  flush(): void {
    this.#flushTimer?.cancel()
    this.#flushTimer = null
    if (this.#pending.size === 0) return
    this.#isUrgent = true
    this.wake()
  }

  /** Something has changed that may have to be sent. */
  wake(): void {
    if (this.#isWorking || this.#isClosing) return
    this.#isWorking = true
    this.#work = this.#doWork()
  }

  /** Sends what is to be acknowledged, and has everything else released. Never throws. */
  async close(signal: AbortSignal): Promise<void> {
    this.#isClosing = true
    this.#flushTimer?.cancel()
    const stop = (): void => this.#ending.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await this.#work
      if (!this.#session.isNew && !this.#ending.signal.aborted) await this.#acknowledge(FINAL_EPOCH)
    } finally {
      signal.removeEventListener('abort', stop)
      this.#ending.abort(new Error('the consumer is closed'))
      this.#settleAll(this.#pending, this.#sessionGone())
      this.#pending = new Map()
    }
  }

  /** The broker is no longer among the cluster's. */
  abandon(): void {
    this.#isClosing = true
    this.#flushTimer?.cancel()
    this.#ending.abort(new Error(`broker ${this.nodeId} is gone`))
    this.#settleAll(this.#pending, this.#sessionGone())
    this.#pending = new Map()
  }

  /** Never rejects. */
  async #doWork(): Promise<void> {
    // What else this turn brings goes along.
    await Promise.resolve()
    const { cluster, settings, owner } = this.#options
    const { clock, random } = cluster.world
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = settings
    try {
      for (;;) {
        const failures = this.#failures
        if (this.#isClosing) return
        if (this.#isUrgent && this.#pending.size > 0) await this.#acknowledge(null)
        else if (owner.demand > 0 && this.#wanted.size > 0 && owner.mayFetch(this)) await this.#fetch()
        else return
        if (this.#failures === failures) this.#failures = 0
        else await clock.sleep(backoffMs(this.#failures, { initialMs, maxMs, random }), this.#ending.signal)
      }
    } catch (error) {
      // The pause was cut short by the end.
      if (!this.#ending.signal.aborted) owner.failed(asError(error))
    } finally {
      this.#isWorking = false
    }
  }

  async #fetch(): Promise<void> {
    const { cluster, owner, settings } = this.#options
    // A session cannot begin with acknowledgements, and there are no locks it could know.
    const sent = this.#session.isNew ? new Map<string, Pending>() : this.#takePending()
    const wanted = this.#wanted
    const { added, removed } = this.#session.changes(wanted)
    const { clock } = cluster.world
    const sentAtMs = clock.monotonicMs()
    const acquireMode = settings.shareAcquireMode === 'record_limit' ? 1 : 0
    try {
      const answer = await cluster.send(
        { node: this.nodeId, lane: 'fetch' },
        ShareFetch,
        (version) => {
          if (acquireMode !== 0 && version < 2)
            throw new KafkaError(
              ErrorCode.UNSUPPORTED_VERSION,
              "shareAcquireMode 'record_limit' needs brokers from Kafka 4.2; these are older",
            )
          return {
            groupId: settings.groupId,
            memberId: this.#options.memberId,
            shareSessionEpoch: this.#session.epoch,
            maxWaitMs: settings.fetchMaxWaitMs,
            // With 0 brokers answer at once though there is nothing, and the two would never rest.
            minBytes: Math.max(1, settings.fetchMinBytes),
            maxBytes: settings.fetchMaxBytes,
            maxRecords: owner.demand,
            batchSize: owner.demand,
            shareAcquireMode: acquireMode,
            isRenewAck: false,
            topics: byTopic(sent.values(), added),
            forgottenTopicsData: forgotten(removed),
          }
        },
        {
          signal: this.#ending.signal,
          timeoutMs: settings.requestTimeoutMs + settings.fetchMaxWaitMs,
        },
      )
      const latencyMs = clock.monotonicMs() - sentAtMs
      await this.#fetchAnswered(answer, { sent, wanted, latencyMs })
    } catch (error) {
      this.#requestFailed(error, sent)
    } finally {
      owner.fetchEnded(this)
    }
  }

  async #fetchAnswered(
    answer: FetchAnswer,
    {
      sent,
      wanted,
      latencyMs,
    }: { sent: Map<string, Pending>; wanted: ReadonlyMap<string, TopicIdPartition>; latencyMs: number },
  ): Promise<void> {
    const isSession = this.#session.answered(answer.errorCode, wanted)
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#refused(answer.errorCode, answer.errorMessage, sent, isSession)
      return
    }
    const { owner } = this.#options
    if (answer.acquisitionLockTimeoutMs > 0) this.#lockTimeoutMs = answer.acquisitionLockTimeoutMs
    let sizeBytes = 0
    let recordsCount = 0
    for (const { topicId, partitions } of answer.responses) {
      const topic = this.#nameOf(topicId, sent)
      for (const partition of partitions) {
        const { partitionIndex, errorCode, acknowledgeErrorCode, records, acquiredRecords } = partition
        this.#settleOne(
          sent,
          { topicId, partition: partitionIndex },
          acknowledgeErrorCode,
          partition.acknowledgeErrorMessage,
        )
        if (errorCode !== ErrorCode.NONE) {
          this.#partitionFailed(topicId, partition, partition.errorMessage, answer.nodeEndpoints)
        } else if (acquiredRecords.length > 0 && topic !== null) {
          sizeBytes += records?.length ?? 0
          recordsCount += await owner.fetched({
            acquisition: {
              nodeId: this.nodeId,
              sessionLife: this.#session.life,
              topicId,
              topic,
              partition: partitionIndex,
            },
            bytes: records ?? new Uint8Array(0),
            ranges: acquiredRecords,
            lockTimeoutMs: this.#lockTimeoutMs,
          })
        }
      }
    }
    this.#settleAll(sent, unanswered())
    owner.answered({ sizeBytes, recordsCount, latencyMs })
  }

  /** `epoch` null: the session goes on. */
  async #acknowledge(epoch: number | null): Promise<void> {
    const { cluster, settings, memberId } = this.#options
    const sent = this.#takePending()
    if (this.#session.isNew) {
      this.#settleAll(sent, this.#sessionGone())
      return
    }
    const renews = [...sent.values()].some(({ set }) => set.renews)
    try {
      const answer = await cluster.send(
        { node: this.nodeId, lane: 'fetch' },
        ShareAcknowledge,
        (version) => {
          if (renews && version < 2)
            throw new KafkaError(
              ErrorCode.UNSUPPORTED_VERSION,
              'locks can be renewed by brokers from Kafka 4.2; these are older',
            )
          return {
            groupId: settings.groupId,
            memberId,
            shareSessionEpoch: epoch ?? this.#session.epoch,
            isRenewAck: renews,
            topics: byTopic(sent.values(), []),
          }
        },
        { signal: this.#ending.signal },
      )
      const isSession =
        epoch === FINAL_EPOCH ? (this.#session.lost(), true) : this.#session.answered(answer.errorCode, null)
      if (answer.errorCode !== ErrorCode.NONE) {
        this.#refused(answer.errorCode, answer.errorMessage, sent, isSession)
        return
      }
      if (answer.acquisitionLockTimeoutMs > 0) this.#lockTimeoutMs = answer.acquisitionLockTimeoutMs
      for (const { topicId, partitions } of answer.responses) {
        for (const partition of partitions) {
          const { partitionIndex, errorCode, errorMessage } = partition
          this.#settleOne(sent, { topicId, partition: partitionIndex }, errorCode, errorMessage)
          if (errorCode !== ErrorCode.NONE) this.#leaderTold(topicId, partition, answer.nodeEndpoints)
        }
      }
      this.#settleAll(sent, unanswered())
    } catch (error) {
      if (renews && error instanceof KafkaError && error.code === ErrorCode.UNSUPPORTED_VERSION) {
        // Nothing was sent, so the session goes on; whoever asked for the renewal is told.
        this.#settleAll(sent, error)
        return
      }
      this.#requestFailed(error, sent)
    }
  }

  #takePending(): Map<string, Pending> {
    const pending = this.#pending
    this.#pending = new Map()
    this.#isUrgent = false
    this.#flushTimer?.cancel()
    this.#flushTimer = null
    return pending
  }

  /** The broker has refused the request as a whole. */
  #refused(errorCode: number, message: string | null, sent: Map<string, Pending>, isSession: boolean): void {
    this.#failures++
    const error = new KafkaError(errorCode, message ?? undefined)
    if (!isSession) this.#settleAll(this.#pending, this.#sessionGone())
    for (const pending of sent.values()) this.#settle(pending, error)
    if (errorCode === ErrorCode.UNKNOWN_TOPIC_ID) this.#options.cluster.metadata.refreshSoon()
    if (!isSession || error.retriable || this.#isClosing) return
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.UNKNOWN_SERVER_ERROR)
      this.#options.owner.troubled(error)
    else this.#options.owner.failed(error)
  }

  /** There was no answer. */
  #requestFailed(error: unknown, sent: Map<string, Pending>): void {
    this.#failures++
    this.#session.lost()
    const failure = error instanceof KafkaError ? error : this.#sessionGone(error)
    for (const pending of sent.values()) this.#settle(pending, failure)
    this.#settleAll(this.#pending, this.#sessionGone())
    if (this.#ending.signal.aborted) return
    if (error instanceof KafkaError && error.retriable) this.#options.cluster.metadata.refreshSoon()
    else this.#options.owner.failed(asError(error))
  }

  #partitionFailed(
    topicId: string,
    partition: LeaderTold,
    message: string | null,
    endpoints: FetchAnswer['nodeEndpoints'],
  ): void {
    this.#failures++
    const error = new KafkaError(partition.errorCode, message ?? undefined)
    if (error.retriable) this.#leaderTold(topicId, partition, endpoints)
    else if (partition.errorCode === ErrorCode.TOPIC_AUTHORIZATION_FAILED) this.#options.owner.failed(error)
    else this.#options.owner.troubled(error)
  }

  #leaderTold(topicId: string, told: LeaderTold, endpoints: FetchAnswer['nodeEndpoints']): void {
    const { metadata } = this.#options.cluster
    const topic = metadata.image.topicNames.get(topicId)
    const { leaderId, leaderEpoch } = told.currentLeader
    const partition = told.partitionIndex
    if (topic !== undefined && leaderId >= 0) {
      const nodes = endpoints.map(({ nodeId, ...node }) => ({ id: nodeId, ...node }))
      metadata.leaderMoved({ topic, partition, leaderId, leaderEpoch }, nodes)
    }
    if (new KafkaError(told.errorCode).retriable) metadata.refreshSoon()
  }

  #settleOne(sent: Map<string, Pending>, partition: TopicIdPartition, code: number, message: string | null): void {
    const key = keyOf(partition)
    const pending = sent.get(key)
    if (pending === undefined) return
    sent.delete(key)
    this.#settle(pending, code === ErrorCode.NONE ? null : new KafkaError(code, message ?? undefined))
  }

  /** Tells what became of them, or keeps them for another attempt. */
  #settle(pending: Pending, error: KafkaError | null): void {
    const { acquisition, set } = pending
    const { cluster, owner } = this.#options
    if (
      error !== null &&
      isWorthRepeating(error) &&
      acquisition.sessionLife === this.#session.life &&
      !this.#isClosing &&
      cluster.world.clock.monotonicMs() < set.deadlineMs
    ) {
      this.#failures++
      this.#keep(pending)
      return
    }
    owner.settled(acquisition, set, error)
    set.settle(error)
  }

  #keep({ acquisition, set }: Pending): void {
    const key = keyOf(acquisition)
    const newer = this.#pending.get(key)
    this.#pending.set(key, { acquisition, set })
    // What was added meanwhile goes with it, and hears the same.
    if (newer !== undefined) {
      for (const [offset, type] of newer.set.types) set.types.set(offset, type)
      void set.settled.then((error) => newer.set.settle(error))
    }
    this.#isUrgent = true
  }

  #settleAll(all: Map<string, Pending>, error: KafkaError): void {
    const pending = [...all.values()]
    all.clear()
    for (const one of pending) this.#settle(one, error)
  }

  #sessionGone(cause?: unknown): KafkaError {
    return new KafkaError(
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
      `the locks are gone with the share session at broker ${this.nodeId}: the records are delivered again`,
      cause === undefined ? {} : { cause },
    )
  }

  #nameOf(topicId: string, sent: Map<string, Pending>): string | null {
    const known = this.#options.cluster.metadata.image.topicNames.get(topicId)
    if (known !== undefined) return known
    for (const { acquisition } of sent.values()) if (acquisition.topicId === topicId) return acquisition.topic
    return null
  }
}

function unanswered(): KafkaError {
  return new KafkaError(ErrorCode.INVALID_RECORD_STATE, 'the broker did not say what became of the acknowledgements')
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
