/** What `run` does with records whose handler threw: again in place, through a topic, to the dead letters, or the end. */
import type { Clock, Random } from '@millrace/runtime'
import type { ConsumerRecord } from '../../../record.ts'
import type { DeadLetterOptions, RetryOptions } from '../../run-options.ts'
import type { BackoffSchedule } from './backoff-schedule.ts'
import { passageOf, type Origin } from './failed-record.ts'
import type { Failure, FailureRule, Verdict } from '../executor/failure-rule.ts'
import { UnsafeRecord, type FailureSink } from './failure-sink.ts'
import type { WaitingKeys } from './waiting-keys.ts'

export interface RunFailuresOptions {
  readonly retry: RetryOptions | null
  readonly schedule: BackoffSchedule | null
  readonly retryTopics: ReadonlySet<string>
  readonly deadLetter: DeadLetterOptions | null
  readonly sink: FailureSink
  /** With `keepKeyOrder`. */
  readonly waitingKeys: WaitingKeys | null
  readonly groupId: string | null
  readonly clock: Clock
  readonly random: Random
}

export class RunFailures<K, V> implements FailureRule<K, V> {
  readonly #options: RunFailuresOptions

  constructor(options: RunFailuresOptions) {
    this.#options = options
  }

  judge({ record, error, attempt }: Failure<K, V>): Verdict {
    const { retry, schedule, retryTopics, deadLetter, sink, waitingKeys, groupId, clock, random } = this.#options
    if (error instanceof UnsafeRecord) return 'throw'
    const isFromRetryTopic = retryTopics.has(record.topic)
    const nowMs = clock.now()
    const failed = { record, origin: originOf(record, isFromRetryTopic), groupId, attempts: attempt, error, nowMs }
    if (retry !== null && schedule !== null && attempt < retry.attempts && (retry.retriable?.(error) ?? true)) {
      const delayMs = schedule.delayMs(attempt, random)
      // With the order of keys to keep, those behind it are behind it in the retry topic already.
      if (retry.topic === undefined || (waitingKeys !== null && isFromRetryTopic)) return { againInMs: delayMs }
      const waiting = { ...failed, dueMs: nowMs + delayMs }
      if (waitingKeys !== null) return { elsewhere: waitingKeys.send(waiting) }
      return { elsewhere: sink.send(schedule.topic(retry.topic, attempt), waiting) }
    }
    if (deadLetter !== null) return { elsewhere: sink.send(deadLetter.topic, { ...failed, dueMs: null }) }
    return 'throw'
  }
}

export function originOf(record: ConsumerRecord<unknown, unknown>, isFromRetryTopic: boolean): Origin {
  return (isFromRetryTopic ? passageOf(record)?.origin : undefined) ?? record
}
