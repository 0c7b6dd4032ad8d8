/** Options of `new Kafka`, and those of every client that can be set for one client alone. Names and defaults are Kafka's. */
import type { SaslCredentials } from '@millrace/network'
import type { Logger } from '@millrace/runtime'
import { silentLogger } from '@millrace/runtime'
import type { Tracing } from '../observe/tracing.ts'
import {
  MAX_INT32,
  flag,
  isFunction,
  isObject,
  listOf,
  milliseconds,
  nullable,
  oneOf,
  optional,
  required,
  secret,
  shaped,
  text,
  type Option,
  type OptionsInput,
  type Settings,
} from './option.ts'
import { saslProblem, tlsProblem, type TlsOptions } from './security-options.ts'

/** Interfaces, so that the declarations of each client's options name them. Of the types themselves the compiler finds some package that exports them. */
export interface TracingOption extends Option<Tracing | null> {}
export interface LoggerOption extends Option<Logger> {}

/** Of the connections and requests of a client; may be given to `new Kafka` and, for one client alone, to `producer()` and the others. */
export const clientOptions = {
  /** Names the client in the broker's logs, quotas and metrics. Never without one: Kafka 2.8 cannot store groups of members without a name. */
  clientId: optional(text, 'millrace'),
  /** How long a request may wait for its answer. The connection it was sent on is dropped then. */
  requestTimeoutMs: optional(milliseconds(1, MAX_INT32), 30_000),
  /** How long an operation may take with all its attempts, where it has no time-out of its own. */
  defaultApiTimeoutMs: optional(milliseconds(1, MAX_INT32), 60_000),
  /** Pause before the first repetition; it doubles with each, up to `retryBackoffMaxMs`, give or take 20 %. */
  retryBackoffMs: optional(milliseconds(), 100),
  retryBackoffMaxMs: optional(milliseconds(), 1_000),
  /** Pause before connecting again to a host that refused; doubles as above. */
  reconnectBackoffMs: optional(milliseconds(), 50),
  reconnectBackoffMaxMs: optional(milliseconds(), 1_000),
  /** How long a connection may take to be ready; doubles with each failure up to the maximum. */
  socketConnectionSetupTimeoutMs: optional(milliseconds(1), 10_000),
  socketConnectionSetupTimeoutMaxMs: optional(milliseconds(1), 30_000),
  /** Connections not used for so long are closed; -1: never. */
  connectionsMaxIdleMs: optional(milliseconds(-1), 540_000),
  /** Metadata older than this are asked for again though nothing went wrong. */
  metadataMaxAgeMs: optional(milliseconds(), 300_000),
  /** What to do when none of the known brokers can be reached: begin again from `brokers`, or fail. */
  metadataRecoveryStrategy: optional(oneOf('rebootstrap', 'none'), 'rebootstrap'),
  /** Begin again from `brokers` when metadata could not be had for so long. */
  metadataRecoveryRebootstrapTriggerMs: optional(milliseconds(), 300_000),
  /** Push client metrics to brokers that ask for them (KIP-714). */
  enableMetricsPush: optional(flag, true),
  /** Spans of what is sent and handled: see `openTelemetry`. */
  tracing: tracing(),
  /** Gets the client's log lines. Default: nobody. */
  logger: logger(),
} as const

function tracing(): TracingOption {
  return optional(nullable(shaped<Tracing>('what openTelemetry() returns', isObject)), null)
}

function logger(): LoggerOption {
  const methods = ['debug', 'info', 'warn', 'error', 'child']
  const isLogger = (value: unknown): boolean =>
    (isObject(value) || isFunction(value)) &&
    methods.every((name) => isFunction((value as Record<string, unknown>)[name]))
  return optional(shaped<Logger>('a logger with debug, info, warn, error and child', isLogger), silentLogger)
}

export const kafkaOptions = {
  /** Where to find the cluster first: `host:port`, several for safety. A text may hold several, separated by commas. */
  brokers: required(
    shaped<string | readonly string[]>(
      '"host:port", or a list of them',
      (value) => text.accepts(value) || (listOf(text).accepts(value) && (value as unknown[]).length > 0),
    ),
    'bootstrapServers',
  ),
  /** TLS to the brokers: true, or certificates. */
  ssl: optional(secret<boolean | TlsOptions>('true, false, or an object with certificates', tlsProblem), false),
  /** How to authenticate. Null: not at all. */
  sasl: optional(nullable(secret<SaslCredentials>('an object with a mechanism and what it needs', saslProblem)), null),
  ...clientOptions,
} as const

export type KafkaOptions = OptionsInput<typeof kafkaOptions>
export type ClientSettings = Settings<typeof kafkaOptions>

/** A function that `does`. */
export const callback = <T>(does: string) => shaped<T>(`a function that ${does}`, isFunction)
