/** One heartbeat: what the protocols have in common of sending it and of understanding the answer. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { HeartEvent, HeartPlan, LeaveOptions, Vitals } from './heart.ts'

export type BeatResult =
  /** The coordinator knows the member lives. */
  | { readonly kind: 'alive'; readonly nextMs: number; readonly event: HeartEvent | null }
  /** Refused for now; the member stays what it is. `event` is null when that was told before. */
  | { readonly kind: 'troubled'; readonly pauseMs: number; readonly event: HeartEvent | null }
  /** Once more after a pause: the coordinator has moved, or is loading. */
  | { readonly kind: 'again' }
  /** It is over. */
  | { readonly kind: 'stopped'; readonly event: HeartEvent }

/** How a protocol keeps a member alive. Lives as long as one beat, from joining to stopping. */
export interface Pulse {
  /** When the first heartbeat is due. */
  readonly firstMs: number
  update(vitals: Vitals): void
  /** Whether something is to be told before the next heartbeat is due. */
  readonly hasNews: boolean
  /** @throws KafkaError of `Cluster.send`; the signal's reason. */
  send(signal: AbortSignal): Promise<BeatResult>
  /** The last heartbeat may not have arrived. */
  lost(): void
}

export interface PulseOptions {
  readonly cluster: Cluster
  readonly plan: HeartPlan
}

/** Answers that mean: the coordinator is elsewhere, or not ready. */
export function understandsAsAgain(code: number, { cluster, plan }: PulseOptions): boolean {
  switch (code) {
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      cluster.coordinatorLost('group', plan.groupId)
      return true
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      return true
  }
  return false
}

export function stoppedBy(code: number, message: string | null): BeatResult {
  return { kind: 'stopped', event: { kind: 'refused', code, message: message ?? new KafkaError(code).message } }
}

/** How a protocol says that a member leaves. @throws as `Pulse.send`. */
export type Farewell = (options: PulseOptions, leaving: LeaveOptions, signal: AbortSignal) => Promise<void>
