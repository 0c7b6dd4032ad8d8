/**
 * Acknowledgements for one broker: those that wait to be sent, and whether one that was sent waits again. Each is settled once; it is sent again
 * only while the session that has its locks goes on, its time is not over, and what failed may pass.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Timer } from '@millrace/runtime'
import type { Acquisition } from '../records/acquisition.ts'
import { partitionKey, type TopicIdPartition } from '../topic-id-partition.ts'
import { AcknowledgementSet, type Acknowledged } from './acknowledgement-set.ts'

/** Acknowledgements go on their own after this share of the time that locks last, or of what is left of it. */
const flushShare = 1 / 3
const flushShareOfRest = 1 / 2

/** Errors of a partition that mean the locks are gone, though they may pass: the records are delivered again. */
const hopeless = new Set<number>([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
])

/** Who is told what became of acknowledgements. */
export interface AcknowledgementOutcomes {
  /** How long locks last. */
  readonly lockMs: number
  settled(set: AcknowledgementSet, error: KafkaError | null): void
}

export interface WaitingAcknowledgementsOptions {
  readonly clock: Clock
  /** Whether the session that has the locks goes on. */
  readonly isHeld: (acquisition: Acquisition) => boolean
  /** How long an acknowledgement is sent again. */
  readonly timeoutMs: number
  readonly outcomes: AcknowledgementOutcomes
  /** Something is to be sent now. */
  readonly onUrgent: () => void
}

export class WaitingAcknowledgements {
  readonly #options: WaitingAcknowledgementsOptions
  /** By partition and kind. */
  readonly #waiting = new Map<string, AcknowledgementSet>()
  /** What waits is to go without waiting for a fetch. */
  #isUrgent = false
  #isEnding = false
  #timer: Timer | null = null
  /** On the monotonic clock, of the timer. */
  #flushAtMs = Infinity

  constructor(options: WaitingAcknowledgementsOptions) {
    this.#options = options
  }

  get isUrgent(): boolean {
    return this.#isUrgent && this.#waiting.size > 0
  }

  /** Returns the set it goes with, which tells what becomes of it. Only for locks that are held. */
  add(acknowledged: Acknowledged): AcknowledgementSet {
    const { clock, timeoutMs } = this.#options
    const key = keyOf(acknowledged)
    let set = this.#waiting.get(key)
    if (set === undefined) {
      set = new AcknowledgementSet(acknowledged, clock.monotonicMs() + timeoutMs)
      this.#waiting.set(key, set)
    }
    set.add(acknowledged.types)
    this.#flushInTime(acknowledged.lockedUntilMs)
    return set
  }

  /** What waits is sent without waiting for a fetch. */
  flush(): void {
    this.#cancelTimer()
    if (this.#waiting.size === 0) return
    this.#isUrgent = true
    this.#options.onUrgent()
  }

  /** Whether all of them are for partitions among these, by `partitionKey`. */
  areWithin(partitions: ReadonlyMap<string, unknown>): boolean {
    return this.#waiting.values().every(({ acquisition }) => partitions.has(partitionKey(acquisition)))
  }

  /** What is to be sent now. Whoever takes it settles it. */
  take(): Set<AcknowledgementSet> {
    const taken = new Set(this.#waiting.values())
    this.#waiting.clear()
    this.#isUrgent = false
    this.#cancelTimer()
    return taken
  }

  /** Settles those of one partition, and takes them out of `sent`. Returns false when some wait again. */
  settlePartition(sent: Set<AcknowledgementSet>, partition: TopicIdPartition, error: KafkaError | null): boolean {
    const key = partitionKey(partition)
    return this.settle(sent, error, ({ acquisition }) => partitionKey(acquisition) === key)
  }

  /** Settles all of `sent`, or those that `concerns` says, and takes them out of it. Returns false when some wait again. */
  settle(
    sent: Set<AcknowledgementSet>,
    error: KafkaError | null,
    concerns: (set: AcknowledgementSet) => boolean = () => true,
  ): boolean {
    let isOver = true
    for (const set of sent) {
      if (!concerns(set)) continue
      sent.delete(set)
      if (error !== null && this.#mayRepeat(set, error)) {
        isOver = false
        this.#keep(set)
      } else {
        this.#options.outcomes.settled(set, error)
      }
    }
    return isOver
  }

  /** The session is gone, and with it what they were for. */
  lose(error: KafkaError): void {
    this.settle(this.take(), error)
  }

  /** Nothing is sent again, and nothing goes on its own. */
  end(): void {
    this.#isEnding = true
    this.#cancelTimer()
  }

  /** Whoever reads slowly must not lose the locks of what is done. */
  #flushInTime(lockedUntilMs: number): void {
    const { clock, outcomes } = this.#options
    const nowMs = clock.monotonicMs()
    const leftMs = Math.max(0, lockedUntilMs - nowMs)
    const atMs = nowMs + Math.min(outcomes.lockMs * flushShare, leftMs * flushShareOfRest)
    if (this.#isEnding || atMs >= this.#flushAtMs) return
    this.#cancelTimer()
    this.#flushAtMs = atMs
    this.#timer = clock.after(atMs - nowMs, () => this.flush())
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#flushAtMs = Infinity
  }

  #mayRepeat({ acquisition, deadlineMs }: AcknowledgementSet, error: KafkaError): boolean {
    const { clock, isHeld } = this.#options
    return (
      error.retriable &&
      !hopeless.has(error.code) &&
      !this.#isEnding &&
      isHeld(acquisition) &&
      clock.monotonicMs() < deadlineMs
    )
  }

  #keep(set: AcknowledgementSet): void {
    const key = keyOf(set)
    const newer = this.#waiting.get(key)
    if (newer !== undefined) set.absorb(newer)
    this.#waiting.set(key, set)
    this.#isUrgent = true
  }
}

function keyOf({ acquisition, isRenewal }: Pick<Acknowledged, 'acquisition' | 'isRenewal'>): string {
  return isRenewal ? `${partitionKey(acquisition)}:renewal` : partitionKey(acquisition)
}
