/**
 * Regular expressions that clients subscribe with. They are matched in linear time, by a port of the RE2/J that Kafka uses: with JavaScript's own
 * engine a client's expression could hold up the broker for as long as it likes. Loaded when a client first comes with one.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { expandedSize } from './regex-size.ts'

/** Of what one expression may compile to, as estimated before it is compiled: that alone takes a tenth of a second. */
const mostExpandedSize = 20_000
/** Of what it has compiled to. At worst, a name of 249 characters is matched in a tenth of a millisecond for each of these. */
const mostInstructions = 3000

export interface TopicPattern {
  /** The whole name. */
  matches(topic: string): boolean
}

export interface RegexEngine {
  /** @throws KafkaError INVALID_REGULAR_EXPRESSION. */
  compile(regex: string): TopicPattern
}

export async function loadRegexEngine(): Promise<RegexEngine> {
  const { RE2JS, RE2JSException, RE2JSSyntaxException } = await import('re2js')
  return {
    compile: (regex) => {
      if (expandedSize(regex) > mostExpandedSize) throw invalid(regex, 'expression is too large')
      try {
        const pattern = RE2JS.compile(regex)
        if (pattern.programSize() > mostInstructions) throw invalid(regex, 'expression is too large')
        return { matches: (topic) => pattern.matches(topic) }
      } catch (error) {
        if (!(error instanceof RE2JSException)) throw error
        const why = error instanceof RE2JSSyntaxException ? error.getDescription() : error.message
        throw invalid(regex, why, error)
      }
    },
  }
}

function invalid(regex: string, why: string, cause?: Error): KafkaError {
  return new KafkaError(
    ErrorCode.INVALID_REGULAR_EXPRESSION,
    `SubscribedTopicRegex \`${regex}\` is not a valid regular expression: ${why}.`,
    { cause },
  )
}
