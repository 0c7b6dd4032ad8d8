/**
 * Share sessions (KIP-932): the broker remembers which partitions a member of a share group reads, so that a request carries only what
 * changed. A session ends with its connection: who cannot be reached holds no records.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'

export interface SharedPartitionId {
  /** 22 characters of URL-safe base64. */
  readonly topicId: string
  readonly index: number
}

/** As much of a connection as a session needs. */
export interface SessionConnection {
  onClosed(listener: () => void): () => void
}

/** Over all sessions: what clients may make the broker remember. */
const maxRememberedPartitions = 250_000

const initialShareEpoch = 0
export const finalShareEpoch = -1
const maxEpoch = 0x7fffffff

/** Epochs count 1, 2, … and go from the greatest back to 1: 0 and -1 have meanings of their own. */
function epochAfter(epoch: number): number {
  return epoch === maxEpoch ? 1 : epoch + 1
}

interface SessionPartition extends SharedPartitionId {
  /** The next response has to say something of it, whatever there is to say. */
  mustTell: boolean
}

interface Session {
  readonly groupId: string
  readonly memberId: string
  /** Of the next request. */
  epoch: number
  /** In the order they were added; what gave records goes to the end. */
  readonly partitions: Map<string, SessionPartition>
  readonly forgetConnection: () => void
}

export interface ShareSessionRequest {
  readonly groupId: string
  readonly memberId: string
  readonly epoch: number
  readonly partitions: readonly SharedPartitionId[]
  readonly forgotten: readonly SharedPartitionId[]
  readonly hasAcknowledgements: boolean
  readonly connection: SessionConnection
}

/** What a response would say of a partition, as far as it decides whether the client has to be told. */
export interface SharedOutcome extends SharedPartitionId {
  readonly errorCode: number
  readonly recordsSizeBytes: number
}

/** How one ShareFetch stands to the sessions. */
export interface ShareFetchSession {
  /** In the order to be served. */
  readonly partitions: readonly SharedPartitionId[]
  /** Decides, once the outcomes are known, which of them go into the response. @throws KafkaError INVALID_SHARE_SESSION_EPOCH for a duplicate of a later request. */
  conclude<O extends SharedOutcome>(outcomes: readonly O[]): readonly O[]
}

export interface ShareSessionsOptions {
  /** `group.share.max.share.sessions` */
  readonly maxSessions: number
  /** The member's session is gone, with its connection or as it asked for too much. */
  readonly onMemberLost: (groupId: string, memberId: string, partitions: readonly SharedPartitionId[]) => void
}

export class ShareSessions {
  readonly #options: ShareSessionsOptions
  readonly #sessions = new Map<string, Session>()
  /** How many there are of each group. */
  readonly #groups = new Map<string, number>()
  /** In all sessions together. */
  #partitionCount = 0

  constructor(options: ShareSessionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  hasMembers(groupId: string): boolean {
    return this.#groups.has(groupId)
  }

  /**
   * Makes or continues the session that a ShareFetch speaks of; one with the final epoch is left to `end`.
   * @throws KafkaError SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH; SHARE_SESSION_LIMIT_REACHED when there is no room, also for more
   * partitions; INVALID_REQUEST for a first request that acknowledges.
   */
  open(request: ShareSessionRequest): ShareFetchSession {
    const { groupId, memberId, epoch } = request
    if (epoch === finalShareEpoch) {
      this.#find(groupId, memberId)
      return { partitions: [], conclude: (outcomes) => outcomes }
    }
    if (epoch === initialShareEpoch) {
      if (request.hasAcknowledgements) throw new KafkaError(ErrorCode.INVALID_REQUEST)
      this.#drop(this.#sessions.get(sessionKey(groupId, memberId)))
      this.#create(request)
      return { partitions: request.partitions, conclude: (outcomes) => outcomes }
    }
    const session = this.#continue(groupId, memberId, epoch)
    const before = session.partitions.size
    for (const partition of request.partitions)
      if (!session.partitions.has(partitionKey(partition)))
        session.partitions.set(partitionKey(partition), { ...partition, mustTell: true })
    for (const partition of request.forgotten) session.partitions.delete(partitionKey(partition))
    this.#partitionCount += session.partitions.size - before
    if (this.#partitionCount > maxRememberedPartitions) {
      this.#drop(session)
      this.#options.onMemberLost(groupId, memberId, [...session.partitions.values()])
      throw new KafkaError(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
    }
    const expected = session.epoch
    return {
      partitions: [...session.partitions.values()],
      conclude: (outcomes) => {
        if (session.epoch !== expected) throw new KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        return outcomes.filter((outcome) => mustTell(session, outcome))
      },
    }
  }

  /** Checks the epoch of a ShareAcknowledge, and goes on to the next. @throws KafkaError as `open`. */
  acknowledge(groupId: string, memberId: string, epoch: number): void {
    if (epoch === initialShareEpoch) throw new KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    if (epoch === finalShareEpoch) this.#find(groupId, memberId)
    else this.#continue(groupId, memberId, epoch)
  }

  /** Forgets the member's session, if there is one. Returns what it read. */
  end(groupId: string, memberId: string): readonly SharedPartitionId[] {
    const session = this.#sessions.get(sessionKey(groupId, memberId))
    this.#drop(session)
    return session === undefined ? [] : [...session.partitions.values()]
  }

  /** Forgets all: share groups have been turned off. */
  clear(): void {
    for (const session of this.#sessions.values()) this.#drop(session)
  }

  #find(groupId: string, memberId: string): Session {
    const session = this.#sessions.get(sessionKey(groupId, memberId))
    if (session === undefined) throw new KafkaError(ErrorCode.SHARE_SESSION_NOT_FOUND)
    return session
  }

  #continue(groupId: string, memberId: string, epoch: number): Session {
    const session = this.#find(groupId, memberId)
    if (session.epoch !== epoch) throw new KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    session.epoch = epochAfter(epoch)
    return session
  }

  #create({ groupId, memberId, partitions, connection }: ShareSessionRequest): void {
    const isFull = this.#sessions.size >= this.#options.maxSessions
    if (isFull || this.#partitionCount + partitions.length > maxRememberedPartitions)
      throw new KafkaError(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
    const session: Session = {
      groupId,
      memberId,
      epoch: epochAfter(initialShareEpoch),
      partitions: new Map(partitions.map((one) => [partitionKey(one), { ...one, mustTell: false }])),
      forgetConnection: connection.onClosed(() => {
        if (this.#drop(session)) this.#options.onMemberLost(groupId, memberId, [...session.partitions.values()])
      }),
    }
    this.#sessions.set(sessionKey(groupId, memberId), session)
    this.#partitionCount += session.partitions.size
    this.#groups.set(groupId, (this.#groups.get(groupId) ?? 0) + 1)
  }

  /** Whether it was there. */
  #drop(session: Session | undefined): boolean {
    if (session === undefined) return false
    const { groupId, memberId } = session
    const key = sessionKey(groupId, memberId)
    if (this.#sessions.get(key) !== session) return false
    this.#sessions.delete(key)
    this.#partitionCount -= session.partitions.size
    const left = this.#groups.get(groupId)! - 1
    if (left === 0) this.#groups.delete(groupId)
    else this.#groups.set(groupId, left)
    session.forgetConnection()
    return true
  }
}

/** Notes what the client will have been told. */
function mustTell(session: Session, outcome: SharedOutcome): boolean {
  const key = partitionKey(outcome)
  const partition = session.partitions.get(key)
  if (partition === undefined) return false
  const isTold = partition.mustTell || outcome.recordsSizeBytes > 0 || outcome.errorCode !== ErrorCode.NONE
  // Whatever follows an error is news.
  partition.mustTell = outcome.errorCode !== ErrorCode.NONE
  if (outcome.recordsSizeBytes > 0) {
    session.partitions.delete(key)
    session.partitions.set(key, partition)
  }
  return isTold
}

function sessionKey(groupId: string, memberId: string): string {
  return `${memberId.length}:${memberId}:${groupId}`
}

export function partitionKey({ topicId, index }: SharedPartitionId): string {
  return `${topicId}:${index}`
}
