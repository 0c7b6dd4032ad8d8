/** From KafkaJS's options of a cluster to those of the client. */
import type { KafkaOptions, SaslCredentials, TlsOptions } from '@millrace/client'
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import { clientLogger, type logCreator, type logLevel, type Logger } from './logger.ts'
import { retryFrom, type RetryOptions } from './retry.ts'

export type BrokersFunction = () => string[] | Promise<string[]>

/** The options of `tls.connect` that have an effect. PEM only. */
export interface SslOptions {
  readonly ca?: Pem | readonly Pem[]
  readonly cert?: Pem | readonly Pem[]
  readonly key?: Pem | readonly Pem[]
  readonly passphrase?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

type Pem = string | Buffer

export interface OauthbearerProviderResponse {
  readonly value: string
  readonly extensions?: Readonly<Record<string, string>>
}

export type SASLOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'oauthbearer'; readonly oauthBearerProvider: () => Promise<OauthbearerProviderResponse> }

export type SASLMechanism = SASLOptions['mechanism']

export interface KafkaConfig {
  readonly brokers: readonly string[] | BrokersFunction
  readonly ssl?: SslOptions | boolean
  readonly sasl?: SASLOptions
  readonly clientId?: string
  readonly connectionTimeout?: number
  /** Without effect: authentication counts as part of connecting. */
  readonly authenticationTimeout?: number
  /** Without effect: the client authenticates again at 85 to 95 % of the session. */
  readonly reauthenticationThreshold?: number
  readonly requestTimeout?: number
  /** False: a request may wait for its answer as long as it takes. */
  readonly enforceRequestTimeout?: boolean
  readonly retry?: RetryOptions
  readonly logLevel?: logLevel
  readonly logCreator?: logCreator
}

const DEFAULT_CLIENT_ID = 'kafkajs'
const UNLIMITED_MS = 0x7fff_ffff

/** @throws KafkaJSNonRetriableError for what cannot be. */
export async function kafkaOptions(config: KafkaConfig, logger: Logger): Promise<KafkaOptions> {
  const { brokers, ssl, sasl, clientId = DEFAULT_CLIENT_ID, connectionTimeout, requestTimeout = 30_000 } = config
  const addresses = typeof brokers === 'function' ? await brokers() : brokers
  if (!Array.isArray(addresses) || addresses.length === 0)
    throw new KafkaJSNonRetriableError('Failed to connect: expected brokers array and got nothing')
  const retry = retryFrom(config.retry)
  return {
    brokers: addresses,
    clientId,
    ssl: sslFrom(ssl),
    sasl: sasl === undefined ? null : saslFrom(sasl),
    requestTimeoutMs: config.enforceRequestTimeout === false ? UNLIMITED_MS : requestTimeout,
    retryBackoffMs: retry.initialRetryTime,
    retryBackoffMaxMs: retry.maxRetryTime,
    logger: clientLogger(logger),
    ...(connectionTimeout === undefined ? {} : { socketConnectionSetupTimeoutMs: connectionTimeout }),
  }
}

function sslFrom(ssl: SslOptions | boolean | undefined): boolean | TlsOptions {
  if (ssl === undefined || typeof ssl === 'boolean') return ssl ?? false
  const { ca, cert, key, passphrase, servername, rejectUnauthorized } = ssl
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { certificate: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(servername === undefined ? {} : { serverName: servername }),
    ...(rejectUnauthorized === undefined ? {} : { verify: rejectUnauthorized }),
  }
}

function pem(value: Pem | readonly Pem[]): string {
  return (Array.isArray(value) ? value : [value]).map(String).join('\n')
}

function saslFrom(sasl: SASLOptions): SaslCredentials {
  switch (sasl.mechanism) {
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512': {
      const { username, password } = sasl
      return {
        mechanism: sasl.mechanism.toUpperCase() as 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
        username,
        password,
      }
    }
    case 'oauthbearer':
      return { mechanism: 'OAUTHBEARER', token: () => sasl.oauthBearerProvider() }
  }
  const { mechanism } = sasl as { mechanism: unknown }
  throw new KafkaJSNotImplemented(
    `SASL mechanism ${String(mechanism)} is not supported; there are plain, scram-sha-256, scram-sha-512 and oauthbearer`,
  )
}
