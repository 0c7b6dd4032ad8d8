/** KafkaJS's loggers: levels by number, namespaces, and a creator that says where lines go. Lines of JSON on the console by default. */
import type { Logger as ClientLogger, LogFields } from '@millrace/client'

export const logLevel = { NOTHING: 0, ERROR: 1, WARN: 2, INFO: 4, DEBUG: 5 } as const
export type logLevel = (typeof logLevel)[keyof typeof logLevel]

export interface LoggerEntryContent {
  readonly timestamp: string
  readonly message: string
  readonly [key: string]: unknown
}

export interface LogEntry {
  readonly namespace: string
  readonly level: logLevel
  readonly label: string
  readonly log: LoggerEntryContent
}

export type logCreator = (level: logLevel) => (entry: LogEntry) => void

type Log = (message: string, extra?: object) => void

export interface Logger {
  info: Log
  error: Log
  warn: Log
  debug: Log
  namespace(namespace: string, level?: logLevel): Logger
  setLogLevel(level: logLevel): void
}

export function createLogger(level: logLevel, creator: logCreator = consoleLogger): Logger {
  const root = { level: fromEnvironment(level) }
  return loggerOf('', null, root, creator(root.level))
}

/** For the client underneath, whose lines are those of `namespace`. */
export function clientLogger(logger: Logger, bound: LogFields = {}): ClientLogger {
  const line =
    (log: Log) =>
    (message: string, fields: LogFields = {}): void =>
      log(message, plain({ ...bound, ...fields }))
  return {
    debug: line(logger.debug),
    info: line(logger.info),
    warn: line(logger.warn),
    error: line(logger.error),
    child: (fields) => clientLogger(logger, { ...bound, ...fields }),
  }
}

function loggerOf(
  namespace: string,
  ownLevel: logLevel | null,
  root: { level: logLevel },
  write: (entry: LogEntry) => void,
): Logger {
  const line =
    (label: string, level: logLevel): Log =>
    (message, extra = {}) => {
      if (level > (ownLevel ?? root.level)) return
      const log = { timestamp: new Date().toISOString(), logger: 'kafkajs', message, ...extra }
      write({ namespace, level, label, log })
    }
  return {
    info: line('INFO', logLevel.INFO),
    error: line('ERROR', logLevel.ERROR),
    warn: line('WARN', logLevel.WARN),
    debug: line('DEBUG', logLevel.DEBUG),
    namespace: (inner, level) => loggerOf(inner, level === undefined ? null : fromEnvironment(level), root, write),
    setLogLevel: (level) => {
      root.level = level
    },
  }
}

const consoleLogger: logCreator =
  () =>
  ({ namespace, level, label, log }) => {
    const prefix = namespace === '' ? '' : `[${namespace}] `
    const text = JSON.stringify({ level: label, ...log, message: `${prefix}${log.message}` })
    if (level === logLevel.ERROR) console.error(text)
    else if (level === logLevel.WARN) console.warn(text)
    else console.log(text)
  }

/** KAFKAJS_LOG_LEVEL has precedence over what the program says. */
function fromEnvironment(level: logLevel): logLevel {
  const name = (process.env['KAFKAJS_LOG_LEVEL'] ?? '').toUpperCase()
  return name in logLevel ? logLevel[name as keyof typeof logLevel] : level
}

/** Errors and large integers as JSON can have them. */
function plain(fields: LogFields): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (value instanceof Error) return [name, value.message]
      return [name, typeof value === 'bigint' ? value.toString() : value]
    }),
  )
}
