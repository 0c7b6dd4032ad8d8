/** Acknowledgements of one partition as the brokers want them: ranges of offsets, with one type for all or one for each. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Acknowledgement } from './share-consumer.ts'

/** As on the wire. A gap is an offset that was acquired and holds no record. */
export const AcknowledgeType = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const
export type AcknowledgeType = (typeof AcknowledgeType)[keyof typeof AcknowledgeType]

export interface AcknowledgementBatch {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly acknowledgeTypes: readonly number[]
}

export function typeOf(acknowledgement: Acknowledgement): AcknowledgeType {
  return AcknowledgeType[acknowledgement]
}

/** The shortest list of ranges: successive offsets are one range, and a range of one type names it once. */
export function acknowledgementBatches(types: ReadonlyMap<bigint, AcknowledgeType>): AcknowledgementBatch[] {
  const batches: AcknowledgementBatch[] = []
  const offsets = [...types.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  for (let at = 0; at < offsets.length;) {
    const firstOffset = offsets[at]!
    const acknowledgeTypes = [types.get(firstOffset)!]
    let lastOffset = firstOffset
    let isUniform = true
    for (at++; offsets[at] === lastOffset + 1n; at++) {
      lastOffset = offsets[at]!
      const type = types.get(lastOffset)!
      isUniform &&= type === acknowledgeTypes[0]
      acknowledgeTypes.push(type)
    }
    batches.push({ firstOffset, lastOffset, acknowledgeTypes: isUniform ? [acknowledgeTypes[0]!] : acknowledgeTypes })
  }
  return batches
}

/** Acknowledgements of one partition that go together, and those who wait to hear what became of them. */
export class AcknowledgementSet {
  readonly types = new Map<bigint, AcknowledgeType>()
  /** On the monotonic clock: not sent again after it. */
  readonly deadlineMs: number
  readonly #settled = Promise.withResolvers<KafkaError | null>()

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs
  }

  get renews(): boolean {
    return this.types.values().some((type) => type === AcknowledgeType.renew)
  }

  /** Null: stored. Never rejects. */
  get settled(): Promise<KafkaError | null> {
    return this.#settled.promise
  }

  settle(error: KafkaError | null): void {
    this.#settled.resolve(error)
  }
}

/** Errors that mean the locks are gone, or will be before another attempt: the records are delivered again. */
const hopeless = new Set<number>([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.SHARE_SESSION_NOT_FOUND,
  ErrorCode.INVALID_SHARE_SESSION_EPOCH,
  // Whether they have arrived nobody knows, and the session is gone.
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.REQUEST_TIMED_OUT,
])

export function isWorthRepeating(error: KafkaError): boolean {
  return error.retriable && !hopeless.has(error.code)
}
