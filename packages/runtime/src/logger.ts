/** Log lines as the rest of the house writes them. Who starts the process decides where they go. */

export type LogFields = Readonly<Record<string, unknown>>

/** `message` is one sentence without the values that vary; those are `fields`. An error goes in as the field `error`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger
}

/** Drops every line. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child() {
    return silentLogger
  },
}
