/**
 * Heartbeats of the consumer protocol (KIP-848) and of share groups (KIP-932): they tell what has changed with the member, and the answers
 * bring epochs and assignments. Whatever may not have arrived is told again.
 */
import {
  ConsumerGroupHeartbeat,
  ErrorCode,
  ShareGroupHeartbeat,
  type Response,
  type RequestInput,
} from '@millrace/protocol'
import { stoppedBy, understandsAsAgain, type BeatResult, type Farewell, type Pulse, type PulseOptions } from './beat.ts'
import type { ConsumerVitals, HeartEvent, ShareVitals, Vitals } from './heart.ts'

type EpochVitals = ConsumerVitals | ShareVitals
type Answer = Response<typeof ConsumerGroupHeartbeat> | Response<typeof ShareGroupHeartbeat>

const JOINING = 0
/** Leaving: for good, or to come back under the same instance id. */
const GONE = -1
const BACK_SOON = -2

/** Invariant: `#told` is what the coordinator knows of the member for sure; null is nothing. */
export class EpochPulse implements Pulse {
  readonly #options: PulseOptions
  #vitals: EpochVitals
  #told: EpochVitals | null = null
  #memberId: string
  #epoch: number
  #hasToldRegex = false
  /** What kept the last heartbeat from being taken; null when it was taken. */
  #trouble: string | null = null

  constructor(options: PulseOptions, vitals: EpochVitals) {
    this.#options = options
    this.#vitals = vitals
    this.#memberId = vitals.memberId
    this.#epoch = vitals.memberEpoch
  }

  readonly firstMs = 0

  get hasNews(): boolean {
    const { protocol, topics } = this.#vitals
    const told = this.#told
    if (told === null || !isSame(topics, told.topics)) return true
    if (protocol === 'share' || told.protocol === 'share') return false
    return this.#vitals.owned.version !== told.owned.version || this.#vitals.regex !== told.regex
  }

  update(vitals: Vitals): void {
    if (vitals.protocol !== 'classic') this.#vitals = vitals
  }

  lost(): void {
    this.#told = null
  }

  async send(signal: AbortSignal): Promise<BeatResult> {
    const vitals = this.#vitals
    const answer = await this.#exchange(vitals, signal)
    const { errorCode, errorMessage } = answer
    if (errorCode !== ErrorCode.NONE) {
      this.lost()
      if (understandsAsAgain(errorCode, this.#options)) return { kind: 'again' }
      if (errorCode === ErrorCode.TOPIC_AUTHORIZATION_FAILED) return this.#refusedForNow(errorCode, errorMessage ?? '')
      return stoppedBy(errorCode, errorMessage)
    }
    this.#told = vitals
    this.#trouble = null
    return { kind: 'alive', nextMs: answer.heartbeatIntervalMs, event: this.#understand(answer) }
  }

  /** The member goes on when it is allowed to. */
  #refusedForNow(code: number, message: string): BeatResult {
    const isNews = message !== this.#trouble
    this.#trouble = message
    return {
      kind: 'troubled',
      pauseMs: this.#options.cluster.settings.retryBackoffMaxMs,
      event: isNews ? { kind: 'troubled', code, message } : null,
    }
  }

  async #exchange(vitals: EpochVitals, signal: AbortSignal): Promise<Answer> {
    const { cluster, plan } = this.#options
    const to = { coordinatorOf: plan.groupId, kind: 'group' } as const
    if (vitals.protocol === 'consumer')
      return await cluster.send(to, ConsumerGroupHeartbeat, this.#consumerRequest(vitals), { signal })
    return await cluster.send(to, ShareGroupHeartbeat, this.#shareRequest(vitals), { signal })
  }

  #consumerRequest(vitals: ConsumerVitals): RequestInput<typeof ConsumerGroupHeartbeat> {
    const { groupId, groupInstanceId } = this.#options.plan
    const isJoining = this.#epoch === JOINING
    const told = isJoining || this.#told?.protocol !== 'consumer' ? null : this.#told
    // What was told once has to be taken back, also when it is not sure what the coordinator knows.
    const takenBack = this.#hasToldRegex && !isJoining ? '' : null
    if (vitals.regex !== null) this.#hasToldRegex = true
    return {
      groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: groupInstanceId,
      rackId: isJoining ? vitals.rackId : null,
      rebalanceTimeoutMs: told === null ? vitals.rebalanceTimeoutMs : -1,
      subscribedTopicNames: told === null || !isSame(told.topics, vitals.topics) ? [...vitals.topics] : null,
      subscribedTopicRegex: told?.regex === vitals.regex ? null : (vitals.regex ?? takenBack),
      serverAssignor: told === null ? vitals.serverAssignor : null,
      topicPartitions:
        told === null || told.owned.version !== vitals.owned.version
          ? vitals.owned.partitions.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] }))
          : null,
    }
  }

  #shareRequest(vitals: ShareVitals): RequestInput<typeof ShareGroupHeartbeat> {
    const isJoining = this.#epoch === JOINING
    const told = isJoining ? null : this.#told
    return {
      groupId: this.#options.plan.groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      rackId: isJoining ? vitals.rackId : null,
      subscribedTopicNames: told === null || !isSame(told.topics, vitals.topics) ? [...vitals.topics] : null,
    }
  }

  #understand({ memberId, memberEpoch, assignment }: Answer): HeartEvent | null {
    const isNews = memberEpoch !== this.#epoch || assignment !== null
    this.#memberId = memberId ?? this.#memberId
    this.#epoch = memberEpoch
    if (!isNews) return null
    return {
      kind: 'epoch',
      memberId: this.#memberId,
      memberEpoch,
      assignment:
        assignment?.topicPartitions.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] })) ??
        null,
    }
  }
}

/** The answer is of no interest: the member is gone one way or the other. */
export const leaveByEpoch: Farewell = async (
  { cluster, plan },
  { memberId, protocol, isForGood, timeoutMs },
  signal,
) => {
  const { groupId, groupInstanceId } = plan
  const to = { coordinatorOf: groupId, kind: 'group' } as const
  const memberEpoch = groupInstanceId !== null && !isForGood ? BACK_SOON : GONE
  const farewell = { groupId, memberId, memberEpoch }
  if (protocol === 'share') await cluster.send(to, ShareGroupHeartbeat, farewell, { signal, timeoutMs })
  else {
    const request = { ...farewell, instanceId: groupInstanceId }
    await cluster.send(to, ConsumerGroupHeartbeat, request, { signal, timeoutMs })
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false
  const known = new Set(others)
  return some.every((one) => known.has(one))
}
