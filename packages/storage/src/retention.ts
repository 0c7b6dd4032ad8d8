/** Which segments `cleanup.policy=delete` and the log start offset let go. Source: Kafka's UnifiedLog.deletableSegments; PROTOCOL §3.8. */
import type { LogConfig } from './log-config.ts'
import type { Segment } from './segments/segment.ts'

export interface RetentionState {
  readonly segments: readonly Segment[]
  readonly highWatermark: bigint
  readonly logStartOffset: bigint
  readonly logEndOffset: bigint
  readonly sizeBytes: number
}

export type RetentionRule = 'log-start' | 'size' | 'time'

/** The rules that apply, in the order they are applied. */
export function retentionRules(config: LogConfig): readonly RetentionRule[] {
  return config.cleanupPolicies.delete ? ['log-start', 'size', 'time'] : ['log-start']
}

/**
 * The oldest segments for which `rule` holds, up to the first for which it does not. Nothing at or above the high watermark is ever among
 * them, nor a last segment that is empty.
 */
export function deletableSegments(
  rule: RetentionRule,
  state: RetentionState,
  config: LogConfig,
  nowMs: number,
): Segment[] {
  const holds = ruleFor(rule, state, config, nowMs)
  const deletable: Segment[] = []
  if (holds === null) return deletable
  for (const [index, segment] of state.segments.entries()) {
    const next = state.segments[index + 1]
    const end = next?.baseOffset ?? state.logEndOffset
    if (state.highWatermark < end || (next === undefined && segment.sizeBytes === 0) || !holds(segment, next)) break
    deletable.push(segment)
  }
  return deletable
}

type Holds = (segment: Segment, next: Segment | undefined) => boolean

function ruleFor(rule: RetentionRule, state: RetentionState, config: LogConfig, nowMs: number): Holds | null {
  if (rule === 'log-start') return (_, next) => next !== undefined && next.baseOffset <= state.logStartOffset
  if (rule === 'time')
    return config.retentionMs < 0 ? null : (segment) => nowMs - segment.largestTimestampMs() > config.retentionMs
  if (config.retentionBytes < 0 || state.sizeBytes < config.retentionBytes) return null
  let excess = state.sizeBytes - config.retentionBytes
  return ({ sizeBytes }) => {
    if (excess - sizeBytes < 0) return false
    excess -= sizeBytes
    return true
  }
}
