/**
 * What one broker is told of what this member reads from it (KIP-932): each request says only what has changed since the last, and both sides count
 * them. A session that either side has lost begins anew, and with it go the locks of all records acquired in it.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { TopicIdPartition } from '../topic-id-partition.ts'

/** The last request of a session: releases what is locked. */
export const FINAL_EPOCH = -1

/** Tells one session from every other one, of whatever broker. */
export type SessionLife = symbol

export class ShareSession {
  /** 0: the next request begins a session. */
  #epoch = 0
  #life: SessionLife = Symbol('share session')
  #known: ReadonlyMap<string, TopicIdPartition> = new Map()

  get epoch(): number {
    return this.#epoch
  }

  get isNew(): boolean {
    return this.#epoch === 0
  }

  get life(): SessionLife {
    return this.#life
  }

  changes(wanted: ReadonlyMap<string, TopicIdPartition>): { added: TopicIdPartition[]; removed: TopicIdPartition[] } {
    return {
      added: [...wanted].flatMap(([key, partition]) => (this.#known.has(key) ? [] : [partition])),
      removed: [...this.#known].flatMap(([key, partition]) => (wanted.has(key) ? [] : [partition])),
    }
  }

  /** The broker has answered a request: with `told` it knows these partitions. Returns false when the session is gone. */
  answered(errorCode: number, told: ReadonlyMap<string, TopicIdPartition> | null): boolean {
    switch (errorCode) {
      case ErrorCode.SHARE_SESSION_NOT_FOUND:
      case ErrorCode.INVALID_SHARE_SESSION_EPOCH:
      case ErrorCode.SHARE_SESSION_LIMIT_REACHED:
        this.lost()
        return false
    }
    // A request that was refused as a whole counts all the same, but a session that was not begun is none.
    if (errorCode !== ErrorCode.NONE && this.#epoch === 0) return true
    this.#epoch = this.#epoch === 0x7fff_ffff ? 1 : this.#epoch + 1
    if (errorCode === ErrorCode.NONE && told !== null) this.#known = new Map(told)
    return true
  }

  lost(): void {
    this.#epoch = 0
    this.#life = Symbol('share session')
    this.#known = new Map()
  }
}

/** Why an acknowledgement cannot be stored any more. */
export function sessionGone(nodeId: number, cause?: unknown): KafkaError {
  return new KafkaError(
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    `the locks are gone with the share session at broker ${nodeId}: the records are delivered again`,
    cause === undefined ? {} : { cause },
  )
}
