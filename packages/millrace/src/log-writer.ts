/** The process's log: one line for each entry, on standard error, for people or as JSON for machines. */
import { inspect } from 'node:util'
import type { LogFields, Logger } from '@millrace/runtime'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export const logFormats = ['text', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

export interface LogWriterOptions {
  /** Lines below it are dropped. */
  readonly level: LogLevel
  readonly format: LogFormat
  readonly write: (line: string) => void
  readonly now: () => Date
}

export class LogWriter implements Logger {
  readonly #options: LogWriterOptions
  readonly #fields: LogFields

  constructor(options: LogWriterOptions, fields: LogFields = {}) {
    this.#options = options
    this.#fields = fields
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields)
  }

  child(fields: LogFields): Logger {
    return new LogWriter(this.#options, { ...this.#fields, ...fields })
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const { format, write, now } = this.#options
    if (logLevels.indexOf(level) < logLevels.indexOf(this.#options.level)) return
    const entry = { level, message, time: now(), fields: { ...this.#fields, ...fields } }
    write(format === 'json' ? jsonLine(entry) : textLine(entry))
  }
}

interface Entry {
  readonly level: LogLevel
  readonly message: string
  readonly time: Date
  readonly fields: LogFields
}

/** `12:34:56.789 warn  message  name=value`, an error's stack on lines of its own. */
function textLine({ level, message, time, fields }: Entry): string {
  const { error, ...others } = fields
  const values = Object.entries(others).map(([name, value]) => `  ${name}=${shown(value)}`)
  const trouble = error === undefined ? '' : `\n${indented(inspect(error).replace(otherControlCharacters, escaped))}`
  const told = message.replace(controlCharacters, escaped)
  return `${time.toISOString().slice(11, 23)} ${level.padEnd(5)} ${told}${values.join('')}${trouble}\n`
}

/** Names come from clients: they must not begin lines of their own, nor command the terminal on which the log is read. */
const controlCharacters = /\p{Cc}/gu
const otherControlCharacters = /(?!\n)\p{Cc}/gu
const longestText = 1000

function escaped(character: string): string {
  return inspect(character).slice(1, -1)
}

function shown(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=\p{C}]+$/u.test(value) && value.length <= longestText
    ? value
    : inspect(value, { breakLength: Infinity, depth: 3, maxStringLength: longestText })
}

function indented(text: string): string {
  return text.replace(/^/gm, '    ')
}

function jsonLine({ level, message, time, fields }: Entry): string {
  return `${JSON.stringify({ time: time.toISOString(), level, message, ...fields }, plain)}\n`
}

/** What JSON has no form for: bigints are text, errors are their parts. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (!(value instanceof Error)) return value
  const { name, message, stack, cause } = value
  const { code } = value as { code?: unknown }
  return { name, message, code, stack, cause }
}
