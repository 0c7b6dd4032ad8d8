/** The application's logger, for parts that must not fail because of it: one that writes to a stream that is closed throws. */
import { silentLogger, type LogFields, type Logger } from '@millrace/runtime'

/** As `logger`; lines that it cannot take are lost, and nobody is told, as there is nobody else to tell. */
export function carefulLogger(logger: Logger): Logger {
  if (logger === silentLogger) return logger
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      try {
        logger[level](message, fields)
      } catch {
        // Whatever was under way is worth more than its line.
      }
    }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child(fields) {
      try {
        return carefulLogger(logger.child(fields))
      } catch {
        return silentLogger
      }
    },
  }
}
