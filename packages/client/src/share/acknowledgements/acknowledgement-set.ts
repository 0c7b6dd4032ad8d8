/** What is said of records of one partition, together. */
import type { KafkaError } from '@millrace/protocol'
import type { Acquisition } from '../records/acquisition.ts'

/** As on the wire. A gap is an offset that was acquired and holds no record. */
export const AcknowledgeType = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const
export type AcknowledgeType = (typeof AcknowledgeType)[keyof typeof AcknowledgeType]

/** What is said at once. */
export interface Acknowledged {
  readonly acquisition: Acquisition
  /** That locks are to last longer, and nothing else. */
  readonly isRenewal: boolean
  readonly types: Iterable<readonly [offset: bigint, type: AcknowledgeType]>
  /** On the monotonic clock. */
  readonly lockedUntilMs: number
}

/** Acknowledgements that go together, and those who wait to hear what became of them. Settled once, for all of them. */
export class AcknowledgementSet {
  readonly acquisition: Acquisition
  readonly isRenewal: boolean
  /** On the monotonic clock: not sent again after it. */
  readonly deadlineMs: number
  readonly types = new Map<bigint, AcknowledgeType>()
  readonly #settled = Promise.withResolvers<KafkaError | null>()

  constructor({ acquisition, isRenewal }: Pick<Acknowledged, 'acquisition' | 'isRenewal'>, deadlineMs: number) {
    this.acquisition = acquisition
    this.isRenewal = isRenewal
    this.deadlineMs = deadlineMs
  }

  add(types: Acknowledged['types']): void {
    for (const [offset, type] of types) this.types.set(offset, type)
  }

  /** Null: stored. Never rejects. */
  get settled(): Promise<KafkaError | null> {
    return this.#settled.promise
  }

  settle(error: KafkaError | null): void {
    this.#settled.resolve(error)
  }

  /** Takes over what a newer set of the same records says; who waits for that hears what becomes of this. */
  absorb(newer: AcknowledgementSet): void {
    this.add(newer.types)
    newer.types.clear()
    void this.settled.then((error) => newer.settle(error))
  }
}
