/** What a record in flight can be, and what a member can say of it (KIP-932, KIP-1222). The numbers are those of the wire and of the persisted state. */

export const RecordState = {
  AVAILABLE: 0,
  ACQUIRED: 1,
  ACKNOWLEDGED: 2,
  ARCHIVED: 4,
} as const
export type RecordState = (typeof RecordState)[keyof typeof RecordState]

export const AcknowledgeType = {
  /** There is no record at the offset: it was compacted away, or is a control record. */
  GAP: 0,
  ACCEPT: 1,
  RELEASE: 2,
  REJECT: 3,
  /** Keeps the record and restarts its lock. */
  RENEW: 4,
} as const

/** Done with, one way or the other: nothing changes any more. */
export function isTerminal(state: RecordState): boolean {
  return state === RecordState.ACKNOWLEDGED || state === RecordState.ARCHIVED
}

/** The state an acknowledgement asks for; null for RENEW, which asks for none, and for what is no acknowledgement. */
export function stateAskedFor(acknowledgeType: number): RecordState | null {
  switch (acknowledgeType) {
    case AcknowledgeType.GAP:
    case AcknowledgeType.REJECT:
      return RecordState.ARCHIVED
    case AcknowledgeType.ACCEPT:
      return RecordState.ACKNOWLEDGED
    case AcknowledgeType.RELEASE:
      return RecordState.AVAILABLE
    default:
      return null
  }
}
