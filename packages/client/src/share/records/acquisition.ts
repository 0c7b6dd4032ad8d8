/** What a broker says it has locked for this member. */
import type { SessionLife } from '../leaders/share-session.ts'

/** Where records were acquired, and so where they are acknowledged. */
export interface Acquisition {
  readonly nodeId: number
  /** Another life of the session does not know these locks. */
  readonly sessionLife: SessionLife
  readonly topicId: string
  readonly topic: string
  readonly partition: number
}

export interface AcquiredRange {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly deliveryCount: number
}

/** What one answer brought of one partition: bytes of whole batches, and which of their offsets are locked. */
export interface AcquiredPart {
  readonly acquisition: Acquisition
  readonly bytes: Uint8Array
  readonly ranges: readonly AcquiredRange[]
  /** On the monotonic clock. */
  readonly lockedUntilMs: number
}
