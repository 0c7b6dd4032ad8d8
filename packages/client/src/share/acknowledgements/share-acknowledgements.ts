/**
 * What the application says of records, on its way to where they were acquired, and back to those who wait to hear what became of it: `commit`, `renew`
 * and the callback. Each acknowledgement is told of, however it ends.
 */
import type { KafkaError } from '@millrace/protocol'
import { tell } from '../../handle-failure.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { abortable } from '../../cluster/connections.ts'
import type { LockOutcomes } from '../leaders/broker-link.ts'
import type { ShareLeaders } from '../leaders/share-leaders.ts'
import { sessionGone } from '../leaders/share-session.ts'
import type { ShareConsumerSettings } from '../options.ts'
import type { AcquiredRecord } from '../records/acquired-record.ts'
import type { AcquiredPart } from '../records/acquisition.ts'
import type { Acknowledgement, AcknowledgementResult } from '../share-consumer.ts'
import type { ShareMetrics } from '../share-metrics.ts'
import { AcknowledgementSet, AcknowledgeType, type Acknowledged } from './acknowledgement-set.ts'

/** Kafka's default, for as long as no broker has said it. */
const defaultLockMs = 30_000

export interface ShareAcknowledgementsOptions {
  readonly cluster: Cluster
  readonly settings: ShareConsumerSettings
  readonly metrics: ShareMetrics
  /** They in turn tell what became of acknowledgements. */
  readonly leaders: () => ShareLeaders
}

export class ShareAcknowledgements<K, V> implements LockOutcomes {
  readonly #options: ShareAcknowledgementsOptions
  /** Those whose outcome is not known. */
  readonly #open = new Set<AcknowledgementSet>()
  #lockTimeoutMs: number | null = null

  constructor(options: ShareAcknowledgementsOptions) {
    this.#options = options
  }

  /** @throws TypeError for what is no acknowledgement. Error for a record that is acknowledged already. */
  acknowledge(record: AcquiredRecord<K, V>, acknowledgement: Acknowledgement): void {
    if (!isAcknowledgement(acknowledgement))
      throw new TypeError(
        `a record is acknowledged with 'accept', 'release' or 'reject', but got ${String(acknowledgement)}`,
      )
    throwIfAcknowledged(record)
    record.isAcknowledged = true
    const { acquisition, lockedUntilMs, offset } = record
    const types = [[offset, AcknowledgeType[acknowledgement]]] as const
    this.#say({ acquisition, isRenewal: false, types, lockedUntilMs })
  }

  /** What becomes of acquired offsets that are no records for the application. */
  acknowledgeOthers({ acquisition, lockedUntilMs }: AcquiredPart, types: Acknowledged['types']): void {
    this.#say({ acquisition, isRenewal: false, types, lockedUntilMs })
  }

  /**
   * Restarts the locks of the records, and resolves when all are.
   * @throws KafkaError: the first failure. Error for a record that is acknowledged already. The signal's reason.
   */
  async renew(records: readonly AcquiredRecord<K, V>[], signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options.cluster.world
    const sets = new Set<AcknowledgementSet>()
    for (const record of records) {
      throwIfAcknowledged(record)
      const { acquisition, lockedUntilMs, offset } = record
      const types = [[offset, AcknowledgeType.renew]] as const
      sets.add(this.#say({ acquisition, isRenewal: true, types, lockedUntilMs }))
    }
    const askedAtMs = clock.monotonicMs()
    this.flush()
    const outcomes = await abortable(Promise.all([...sets].map((set) => set.settled)), signal)
    const failure = outcomes.find((outcome) => outcome !== null)
    if (failure !== undefined) throw failure
    for (const record of records) record.lockedUntilMs = Math.max(record.lockedUntilMs, askedAtMs + this.lockMs)
  }

  /** Sends everything, and resolves with what became of it. @throws the signal's reason. */
  async commit(signal?: AbortSignal): Promise<readonly AcknowledgementResult[]> {
    using _awake = this.#options.cluster.holdProcess()
    const open = [...this.#open]
    this.flush()
    const results = open.map(async (set) => resultOf(set, await set.settled))
    const told = await abortable(Promise.all(results), signal)
    return told.filter(({ offsets }) => offsets.length > 0)
  }

  /** Sends everything. */
  flush(): void {
    this.#options.leaders().flush()
  }

  /** As the brokers said last; null before the first record. */
  get lockTimeoutMs(): number | null {
    return this.#lockTimeoutMs
  }

  get lockMs(): number {
    return this.#lockTimeoutMs ?? defaultLockMs
  }

  lockTold(lockTimeoutMs: number): void {
    if (lockTimeoutMs > 0) this.#lockTimeoutMs = lockTimeoutMs
  }

  settled(set: AcknowledgementSet, error: KafkaError | null): void {
    this.#open.delete(set)
    this.#tell(set, error)
    set.settle(error)
  }

  #say(acknowledged: Acknowledged): AcknowledgementSet {
    const waiting = this.#options.leaders().acknowledgementsFor(acknowledged.acquisition)
    const set = waiting?.add(acknowledged) ?? this.#lost(acknowledged)
    // Also one that is lost already is among what the next commit tells.
    this.#open.add(set)
    void set.settled.then(() => this.#open.delete(set))
    return set
  }

  #lost(acknowledged: Acknowledged): AcknowledgementSet {
    const set = new AcknowledgementSet(acknowledged, 0)
    set.add(acknowledged.types)
    this.settled(set, sessionGone(acknowledged.acquisition.nodeId))
    return set
  }

  #tell(set: AcknowledgementSet, error: KafkaError | null): void {
    const { settings, metrics } = this.#options
    const { onAcknowledged, logger } = settings
    metrics.acknowledged(set.types.size, error === null)
    if (error !== null) logger.warn(`acknowledgements were not stored: ${error.message}`)
    if (onAcknowledged === null) return
    const result = resultOf(set, error)
    if (result.offsets.length === 0) return
    tell('onAcknowledged', logger, () => onAcknowledged([result]))
  }
}

function isAcknowledgement(said: unknown): said is Acknowledgement {
  return said === 'accept' || said === 'release' || said === 'reject'
}

function throwIfAcknowledged({ isAcknowledged, topic, partition, offset }: AcquiredRecord<unknown, unknown>): void {
  if (isAcknowledged) throw new Error(`record ${topic}-${partition} at offset ${offset} is acknowledged already`)
}

/** Gaps are nobody's records, and of renewals `renew` tells. */
function resultOf(
  { acquisition: { topic, partition }, types }: AcknowledgementSet,
  error: KafkaError | null,
): AcknowledgementResult {
  const offsets = [...types].flatMap(([offset, type]) =>
    type === AcknowledgeType.gap || type === AcknowledgeType.renew ? [] : [offset],
  )
  return { topic, partition, offsets, error }
}
