/** Heartbeats of the classic protocol: they say only that the member lives. Leaving is a request of its own. */
import { ErrorCode, Heartbeat, LeaveGroup } from '@millrace/protocol'
import { stoppedBy, understandsAsAgain, type BeatResult, type Farewell, type Pulse, type PulseOptions } from './beat.ts'
import type { ClassicVitals, Vitals } from './heart.ts'

export class ClassicPulse implements Pulse {
  readonly #options: PulseOptions
  #vitals: ClassicVitals

  constructor(options: PulseOptions, vitals: ClassicVitals) {
    this.#options = options
    this.#vitals = vitals
  }

  get firstMs(): number {
    return this.#vitals.heartbeatIntervalMs
  }

  readonly hasNews = false

  update(vitals: Vitals): void {
    if (vitals.protocol === 'classic') this.#vitals = vitals
  }

  lost(): void {}

  async send(signal: AbortSignal): Promise<BeatResult> {
    const { cluster, plan } = this.#options
    const { memberId, generationId, heartbeatIntervalMs, sessionTimeoutMs } = this.#vitals
    const { groupId, groupInstanceId } = plan
    const { errorCode } = await cluster.send(
      { coordinatorOf: groupId, kind: 'group' },
      Heartbeat,
      { groupId, generationId, memberId, groupInstanceId },
      // A connection that has swallowed a heartbeat is given up before the session is over.
      { signal, timeoutMs: Math.min(cluster.settings.requestTimeoutMs, sessionTimeoutMs) },
    )
    if (understandsAsAgain(errorCode, this.#options)) return { kind: 'again' }
    if (errorCode === ErrorCode.NONE) return { kind: 'alive', nextMs: heartbeatIntervalMs, event: null }
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS)
      return { kind: 'alive', nextMs: heartbeatIntervalMs, event: { kind: 'rebalance' } }
    return stoppedBy(errorCode, null)
  }
}

export const leaveClassic: Farewell = async ({ cluster, plan }, { memberId, reason, timeoutMs }, signal) => {
  const { groupId, groupInstanceId } = plan
  await cluster.send(
    { coordinatorOf: groupId, kind: 'group' },
    LeaveGroup,
    (version) => (version >= 3 ? { groupId, members: [{ memberId, groupInstanceId, reason }] } : { groupId, memberId }),
    { signal, timeoutMs },
  )
}
