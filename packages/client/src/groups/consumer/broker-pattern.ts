/** Patterns that the broker can match itself, in the syntax of RE2 (KIP-848), so that members need not know all topics. */
import { statelessPattern } from '../stateless-pattern.ts'

/** Flags that make no difference to whether a name matches. */
const HARMLESS_FLAGS = /^[dgimsu]*$/
/** What JavaScript and RE2 read in the same way. */
const COMMON_SYNTAX = /^(?:[\w\-.,:|()[\]^$*+?{} ]|\\[dwDW.\-_])*$/
/** Of those: groups that are more than groups, empty classes, classes by name. */
const NOT_COMMON = /\(\?(?!:)|\[\^?\]|\[:/
/** Brokers match these too, whatever `excludeInternalTopics` says. */
const INTERNAL_TOPICS = ['__consumer_offsets', '__transaction_state', '__share_group_state']

/**
 * The pattern for the broker, or null when only the client can match it. As in JavaScript a pattern matches anywhere in a name; RE2 has to be told,
 * as the broker matches whole names.
 */
export function brokerPattern(pattern: RegExp, excludeInternalTopics: boolean): string | null {
  const { source, flags } = pattern
  if (!HARMLESS_FLAGS.test(flags) || !COMMON_SYNTAX.test(source) || NOT_COMMON.test(source)) return null
  const stateless = statelessPattern(pattern)
  if (excludeInternalTopics && INTERNAL_TOPICS.some((topic) => stateless.test(topic))) return null
  return `${flags.includes('i') ? '(?i)' : ''}.*(?:${source}).*`
}
