/** What `consumer.run()` accepts. */
import {
  flag,
  fraction,
  integer,
  isFunction,
  isObject,
  milliseconds,
  oneOf,
  optional,
  required,
  shaped,
  text,
} from '../../config/option.ts'
import { settingsFrom } from '../../config/settings.ts'
import type { RunOptions } from '../run-options.ts'
import type { RunHost } from './run-host.ts'

const retryOptions = {
  attempts: required(integer(1)),
  backoff: optional<unknown>(
    shaped(
      'a number of milliseconds, or { initialMs, factor, maxMs }',
      (value) => milliseconds().accepts(value) || isObject(value),
    ),
    undefined,
  ),
  jitter: optional<unknown>(fraction(0, 1), undefined),
  topic: optional<unknown>(text, undefined),
  keepKeyOrder: optional<unknown>(flag, undefined),
  retriable: optional<unknown>(shaped('a function that takes an error', isFunction), undefined),
} as const

const backoffOptions = {
  initialMs: required(milliseconds()),
  factor: optional<unknown>(fraction(1, Infinity), undefined),
  maxMs: optional<unknown>(milliseconds(), undefined),
} as const

const runOptions = {
  eachRecord: required(shaped('a function that takes a record', isFunction)),
  concurrency: optional(integer(1), 1),
  ordering: optional(oneOf('partition', 'key'), 'partition'),
  retry: optional<unknown>(shaped('an object with attempts', isObject), undefined),
  deadLetter: optional<unknown>(shaped('an object with a topic', isObject), undefined),
  signal: optional<unknown>(
    shaped('an AbortSignal', (value) => value instanceof AbortSignal),
    undefined,
  ),
} as const

/** @throws TypeError for options that are unknown or wrong. */
export function checkRunOptions<K, V>(options: RunOptions<K, V>, host: RunHost<K, V>): void {
  const place = 'consumer.run()'
  settingsFrom(runOptions, { ...options }, place)
  const { retry, deadLetter } = options
  if (retry !== undefined) settingsFrom(retryOptions, { ...retry }, `${place}: retry`)
  if (isObject(retry?.backoff)) settingsFrom(backoffOptions, retry.backoff, `${place}: retry.backoff`)
  if (deadLetter !== undefined) settingsFrom({ topic: required(text) }, { ...deadLetter }, `${place}: deadLetter`)
  if (retry?.keepKeyOrder === true && retry.topic === undefined)
    throw new TypeError(`${place}: keepKeyOrder goes with retry.topic; in place, order is kept anyway`)
  if (deadLetter !== undefined && host.reads(deadLetter.topic))
    throw new TypeError(`${place}: deadLetter.topic ${deadLetter.topic} is among the topics that this consumer reads`)
  if (retry?.topic === undefined) return
  if (host.settings.groupId === null || host.alsoSubscribe === null)
    throw new TypeError(`${place}: retry.topic needs a groupId and a subscription, for the retry topic is read as well`)
  if (retry.keepKeyOrder === true && host.settings.enableAutoCommit === false)
    throw new TypeError(`${place}: keepKeyOrder needs enableAutoCommit; commits tell when a key waits no more`)
}

/** @throws TypeError for retry topics by which a record would come back to where it failed. */
export function checkRetryTopics<K, V>(
  retryTopics: ReadonlySet<string>,
  { deadLetter }: RunOptions<K, V>,
  host: RunHost<K, V>,
): void {
  const place = 'consumer.run()'
  // A pattern may match them: they are known for retry topics all the same.
  for (const topic of retryTopics)
    if (host.readsByName(topic))
      throw new TypeError(
        `${place}: retry topic ${topic} is among the topics that this consumer reads; give retry.topic a name of its own`,
      )
  if (deadLetter !== undefined && retryTopics.has(deadLetter.topic))
    throw new TypeError(
      `${place}: deadLetter.topic ${deadLetter.topic} is a retry topic, from which it would be read again`,
    )
}
