/**
 * The consumer's half of a fetch session (KIP-227): the broker remembers which partitions are fetched and from where, so a request names only what has
 * changed since the last one, and an answer only partitions with news.
 *
 * Epoch 0 asks for a new session, naming all partitions (with the id of the old one to be closed, if there is one); 1 and up go on in it. An
 * answer with session id 0 means there is none: the next request asks again. After a failure nobody knows what the broker has seen, so a new
 * one is asked for. Brokers before 1.1 have no sessions; their requests carry neither id nor epoch, and every one of them names everything.
 */
import { ErrorCode } from '@millrace/protocol'

export interface SessionPartition {
  readonly topic: string
  /** ZERO_UUID: not known. */
  readonly topicId: string
  readonly partition: number
  readonly fetchOffset: bigint
  readonly leaderEpoch: number
  readonly maxBytes: number
}

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** All topics have ids: versions from 13 on may be used. */
  readonly usesTopicIds: boolean
  readonly partitions: readonly SessionPartition[]
  readonly forgotten: readonly SessionPartition[]
}

const noSession = 0
const newSession = 0
const lastEpoch = 0x7fff_ffff
const closing = -1

export class FetchSession {
  #id = noSession
  #epoch = newSession
  #usesTopicIds = false
  /** What the broker has been told, by topic and partition. */
  #partitions = new Map<string, SessionPartition>()

  get id(): number {
    return this.#id
  }

  /** The next request, to fetch exactly `wanted`. In its order when it is the first of a session; afterwards the broker sees to fairness. */
  request(wanted: readonly SessionPartition[], usesTopicIds: boolean): SessionRequest {
    const before = this.#partitions
    const after = new Map(wanted.map((partition) => [nameOf(partition), partition]))
    // Ids and names do not go together in one session.
    if (usesTopicIds !== this.#usesTopicIds) this.#epoch = newSession
    this.#partitions = after
    this.#usesTopicIds = usesTopicIds
    const envelope = { sessionId: this.#id, sessionEpoch: this.#epoch, usesTopicIds }
    if (this.#epoch === newSession) return { ...envelope, partitions: wanted, forgotten: [] }
    const forgotten: SessionPartition[] = []
    for (const [name, partition] of before) {
      const now = after.get(name)
      // The topic was made anew: to the broker these are two partitions.
      if (now === undefined || (usesTopicIds && now.topicId !== partition.topicId)) forgotten.push(partition)
    }
    const changed = wanted.filter((partition) => {
      const known = before.get(nameOf(partition))
      return known === undefined || !isSame(known, partition)
    })
    return { ...envelope, partitions: changed, forgotten }
  }

  /** The last request was answered. False when it has to be made again, by a new session. */
  answered({ errorCode, sessionId }: { readonly errorCode: number; readonly sessionId: number }): boolean {
    if (errorCode !== ErrorCode.NONE) {
      // A session the broker does not know needs no closing.
      if (errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND) this.#id = noSession
      this.#epoch = newSession
      return false
    }
    if (sessionId === noSession || (this.#epoch !== newSession && sessionId !== this.#id)) {
      this.#id = noSession
      this.#epoch = newSession
    } else {
      this.#id = sessionId
      this.#epoch = this.#epoch === lastEpoch ? 1 : this.#epoch + 1
    }
    return true
  }

  /** No answer to the last request will come. */
  failed(): void {
    this.#epoch = newSession
  }

  /** For tests: the epoch of the next request. */
  set epochForTest(epoch: number) {
    this.#epoch = epoch
  }

  /** A request that ends the session; null when there is none. */
  close(): SessionRequest | null {
    if (this.#id === noSession) return null
    const sessionId = this.#id
    this.#id = noSession
    this.#epoch = newSession
    this.#partitions.clear()
    return { sessionId, sessionEpoch: closing, usesTopicIds: this.#usesTopicIds, partitions: [], forgotten: [] }
  }
}

function nameOf({ topic, partition }: SessionPartition): string {
  return `${partition} ${topic}`
}

function isSame(one: SessionPartition, other: SessionPartition): boolean {
  return (
    one.fetchOffset === other.fetchOffset &&
    one.leaderEpoch === other.leaderEpoch &&
    one.maxBytes === other.maxBytes &&
    one.topicId === other.topicId
  )
}
