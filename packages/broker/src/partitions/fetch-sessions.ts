/**
 * Incremental fetch sessions (KIP-227): the broker remembers which partitions a client reads and from where, so that a request
 * carries only what changed and a response only what is new.
 */
import { ErrorCode } from '@millrace/protocol'
import type { Clock, Random } from '@millrace/runtime'

/** What is asked of one partition. */
export interface FetchPartition {
  /** null while the topic id is not known here. */
  topic: string | null
  readonly topicId: string
  readonly index: number
  fetchOffset: bigint
  maxBytes: number
  /** -1: the client does not know it. */
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  logStartOffset: bigint
}

/** What a response would say of one partition, as far as it decides whether the client has to be told. */
export interface FetchOutcome {
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly logStartOffset: bigint
  readonly recordsSizeBytes: number
  readonly hasPreferredReplica: boolean
  readonly hasDivergingEpoch: boolean
}

const noSession = 0
const initialEpoch = 0
const finalEpoch = -1
const maxEpoch = 0x7fffffff
const maxSessionId = 0x7fffffff
/** Over all sessions: what clients may make the broker remember. Beyond, they go on without sessions. */
const maxCachedPartitions = 250_000
/** A session idle for longer may be dropped for a new one; one younger than this is safe from larger newcomers. */
const evictionMs = 120_000

/** Epochs count 1, 2, … and go from the greatest back to 1: 0 and -1 have meanings of their own. */
function epochAfter(epoch: number): number {
  return epoch < 0 ? finalEpoch : epoch === maxEpoch ? 1 : epoch + 1
}

interface CachedPartition extends FetchPartition {
  /** As last sent; -1n makes the next response say it again. */
  sentHighWatermark: bigint
  sentLogStartOffset: bigint
}

interface Session {
  readonly id: number
  readonly usesTopicIds: boolean
  /** Followers: not pushed out by consumers. */
  readonly privileged: boolean
  readonly createdMs: number
  lastUsedMs: number
  epoch: number
  /** In the order they are served; a partition that gave data goes to the end. */
  readonly partitions: Map<string, CachedPartition>
}

function partitionKey(
  partition: { topic: string | null; topicId: string; index: number },
  usesTopicIds: boolean,
): string {
  return `${usesTopicIds ? partition.topicId : partition.topic}:${partition.index}`
}

/** How one request stands to the sessions. */
export interface FetchContext {
  /** Answered at the top level, with nothing else, when not NONE. */
  readonly errorCode: number
  /** In the order to be served. */
  readonly partitions: Iterable<FetchPartition>
  /**
   * Decides, once the outcomes are known, what goes into the response: the session id to send and, of `outcomes` (parallel to
   * the partitions served), which must be in it. Updates the session.
   */
  conclude(served: readonly FetchPartition[], outcomes: readonly FetchOutcome[]): FetchConclusion
}

export interface FetchConclusion {
  readonly errorCode: number
  readonly sessionId: number
  readonly includes: (position: number) => boolean
}

const includeAll = () => true
const includeNone = () => false

export interface FetchSessionRequest {
  readonly sessionId: number
  readonly epoch: number
  readonly usesTopicIds: boolean
  readonly fromFollower: boolean
  readonly partitions: readonly FetchPartition[]
  readonly forgotten: readonly { topic: string | null; topicId: string; index: number }[]
  /** Looks up names for topic ids that were unknown when they entered the session. */
  readonly topicNameById: (topicId: string) => string | undefined
}

export class FetchSessions {
  readonly #sessions = new Map<number, Session>()
  readonly #clock: Clock
  readonly #random: Random
  readonly #maxSessions: number
  readonly #maxPartitions: number
  /** In all sessions together. */
  #partitionCount = 0

  constructor(options: { clock: Clock; random: Random; maxSessions: number; maxPartitions?: number }) {
    this.#clock = options.clock
    this.#random = options.random
    this.#maxSessions = options.maxSessions
    this.#maxPartitions = options.maxPartitions ?? maxCachedPartitions
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Finds, makes or ends the session a request speaks of. */
  open(request: FetchSessionRequest): FetchContext {
    if (request.epoch === initialEpoch || request.epoch === finalEpoch) {
      this.#drop(this.#sessions.get(request.sessionId))
      return request.epoch === finalEpoch ? sessionless(request.partitions) : this.#full(request)
    }
    const session = this.#sessions.get(request.sessionId)
    if (session === undefined) return refused(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    if (session.epoch !== request.epoch) return refused(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    if (session.usesTopicIds !== request.usesTopicIds) return refused(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
    const before = session.partitions.size
    updatePartitions(session, request)
    this.#partitionCount += session.partitions.size - before
    session.lastUsedMs = this.#clock.monotonicMs()
    if (session.partitions.size === 0) {
      this.#drop(session)
      return sessionless([])
    }
    if (this.#partitionCount > this.#maxPartitions) {
      // The client begins anew, with a full fetch that will find no room for a session.
      this.#drop(session)
      return refused(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    }
    session.epoch = epochAfter(session.epoch)
    return incremental(session, request.topicNameById)
  }

  #full(request: FetchSessionRequest): FetchContext {
    return {
      errorCode: ErrorCode.NONE,
      partitions: request.partitions,
      conclude: (served, outcomes) => ({
        errorCode: ErrorCode.NONE,
        sessionId: this.#create(request, served, outcomes),
        includes: includeAll,
      }),
    }
  }

  /** Returns the id of the new session, or 0 when there is no room: the client then goes on without one. */
  #create(request: FetchSessionRequest, served: readonly FetchPartition[], outcomes: readonly FetchOutcome[]): number {
    const nowMs = this.#clock.monotonicMs()
    if (this.#sessions.size >= this.#maxSessions && !this.#evict(request.fromFollower, served.length, nowMs))
      return noSession
    if (this.#partitionCount + served.length > this.#maxPartitions) return noSession
    const partitions = new Map<string, CachedPartition>()
    served.forEach((partition, position) => {
      const outcome = outcomes[position]!
      partitions.set(partitionKey(partition, request.usesTopicIds), {
        ...partition,
        sentHighWatermark: outcome.errorCode === ErrorCode.NONE ? outcome.highWatermark : -1n,
        sentLogStartOffset: outcome.logStartOffset,
      })
    })
    const session: Session = {
      id: this.#newId(),
      usesTopicIds: request.usesTopicIds,
      privileged: request.fromFollower,
      createdMs: nowMs,
      lastUsedMs: nowMs,
      epoch: epochAfter(initialEpoch),
      partitions,
    }
    this.#sessions.set(session.id, session)
    this.#partitionCount += partitions.size
    return session.id
  }

  /** False when there is none. */
  #drop(session: Session | undefined): boolean {
    if (session === undefined || !this.#sessions.delete(session.id)) return false
    this.#partitionCount -= session.partitions.size
    return true
  }

  #newId(): number {
    for (;;) {
      const id = 1 + this.#random.integer(maxSessionId)
      if (!this.#sessions.has(id)) return id
    }
  }

  /** Makes room by dropping a stale session, else the smallest old one that the newcomer outranks. */
  #evict(privileged: boolean, size: number, nowMs: number): boolean {
    let stalest: Session | undefined
    let weakest: Session | undefined
    for (const session of this.#sessions.values()) {
      if (stalest === undefined || session.lastUsedMs < stalest.lastUsedMs) stalest = session
      const isOld = nowMs - session.createdMs > evictionMs
      const isEvictable = isOld || (privileged && !session.privileged)
      if (isEvictable && (weakest === undefined || ranksBelow(session, weakest))) weakest = session
    }
    if (stalest !== undefined && nowMs - stalest.lastUsedMs > evictionMs) return this.#drop(stalest)
    if (weakest === undefined) return false
    const outranked = privileged === weakest.privileged ? size >= weakest.partitions.size : privileged
    return outranked && this.#drop(weakest)
  }
}

function ranksBelow(left: Session, right: Session): boolean {
  if (left.privileged !== right.privileged) return right.privileged
  return left.partitions.size < right.partitions.size
}

function refused(errorCode: number): FetchContext {
  return {
    errorCode,
    partitions: [],
    conclude: () => ({ errorCode, sessionId: noSession, includes: includeNone }),
  }
}

function sessionless(partitions: readonly FetchPartition[]): FetchContext {
  return {
    errorCode: ErrorCode.NONE,
    partitions,
    conclude: () => ({ errorCode: ErrorCode.NONE, sessionId: noSession, includes: includeAll }),
  }
}

function updatePartitions(session: Session, request: FetchSessionRequest): void {
  for (const partition of request.partitions) {
    const key = partitionKey(partition, session.usesTopicIds)
    const known = session.partitions.get(key)
    if (known === undefined)
      session.partitions.set(key, { ...partition, sentHighWatermark: -1n, sentLogStartOffset: -1n })
    else Object.assign(known, partition)
  }
  for (const partition of request.forgotten) session.partitions.delete(partitionKey(partition, session.usesTopicIds))
}

function incremental(session: Session, topicNameById: (topicId: string) => string | undefined): FetchContext {
  const epoch = session.epoch
  if (session.usesTopicIds)
    for (const partition of session.partitions.values()) partition.topic ??= topicNameById(partition.topicId) ?? null
  return {
    errorCode: ErrorCode.NONE,
    partitions: [...session.partitions.values()],
    conclude(served, outcomes) {
      // The same session was used by a later request while this one waited: a duplicate.
      if (session.epoch !== epoch)
        return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: session.id, includes: includeNone }
      const included = outcomes.map((outcome, position) => remember(session, served[position]!, outcome))
      return { errorCode: ErrorCode.NONE, sessionId: session.id, includes: (position) => included[position]! }
    },
  }
}

/** Whether the client has to be told of this outcome; notes what it will have been told. */
function remember(session: Session, served: FetchPartition, outcome: FetchOutcome): boolean {
  const key = partitionKey(served, session.usesTopicIds)
  const cached = session.partitions.get(key)
  if (cached === undefined) return false
  let mustTell = outcome.recordsSizeBytes > 0 || outcome.hasPreferredReplica || outcome.hasDivergingEpoch
  if (cached.sentHighWatermark !== outcome.highWatermark) {
    mustTell = true
    cached.sentHighWatermark = outcome.highWatermark
  }
  if (cached.sentLogStartOffset !== outcome.logStartOffset) {
    mustTell = true
    cached.sentLogStartOffset = outcome.logStartOffset
  }
  if (outcome.errorCode !== ErrorCode.NONE) {
    // Whatever follows the error is news.
    cached.sentHighWatermark = -1n
    mustTell = true
  }
  if (outcome.recordsSizeBytes > 0) {
    session.partitions.delete(key)
    session.partitions.set(key, cached)
  }
  return mustTell
}
