/** What `run()` of a share consumer accepts. */
import { integer, isFunction, optional, required, shaped } from '../config/option.ts'
import { settingsFrom } from '../config/settings.ts'
import type { ShareRunOptions } from './share-consumer.ts'

const runOptions = {
  eachRecord: required(shaped('a function that takes a record', isFunction)),
  concurrency: optional(integer(1), 1),
  rejects: optional<unknown>(shaped('a function that takes an error', isFunction), undefined),
  signal: optional<unknown>(
    shaped('an AbortSignal', (value) => value instanceof AbortSignal),
    undefined,
  ),
} as const

/**
 * Before any record is taken: those that no handler can be called for would be released until they are given up.
 * @throws TypeError for options that are unknown or wrong.
 */
export function checkShareRunOptions<K, V>(options: ShareRunOptions<K, V>): void {
  settingsFrom(runOptions, options as never, 'shareConsumer.run()')
}
