/** From KafkaJS's options of a cluster to those of the client. */
import type { KafkaOptions, SaslCredentials, TlsOptions } from '@millrace/client'
import { KafkaJSConnectionError, KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import { clientLogger, type logCreator, type logLevel, type Logger } from './logger.ts'
import { retryFrom, type RetryOptions } from './retry.ts'
import { translateError } from './translate-error.ts'

export type BrokersFunction = () => string[] | Promise<string[]>

type Pem = string | Buffer | { readonly pem: string | Buffer }
type Pems = Pem | Pem[] | undefined

/** Options of `tls.connect`. Those that are named here have an effect. */
export interface SslOptions {
  ca?: Pems
  cert?: Pems
  key?: Pems
  passphrase?: string | undefined
  servername?: string | undefined
  rejectUnauthorized?: boolean | undefined
  // oxlint-disable-next-line typescript/no-explicit-any -- what is of the type of all the options can be given.
  [option: string]: any
}

export interface OauthbearerProviderResponse {
  value: string
  extensions?: Record<string, string>
}

export type SASLOptions =
  | { mechanism: 'plain'; username: string; password: string }
  | { mechanism: 'scram-sha-256'; username: string; password: string }
  | { mechanism: 'scram-sha-512'; username: string; password: string }
  | { mechanism: 'oauthbearer'; oauthBearerProvider: () => Promise<OauthbearerProviderResponse> }

export type SASLMechanism = SASLOptions['mechanism']

export interface KafkaConfig {
  brokers: string[] | BrokersFunction
  ssl?: SslOptions | boolean
  sasl?: SASLOptions
  clientId?: string
  connectionTimeout?: number
  /** Without effect: authentication counts as part of connecting. */
  authenticationTimeout?: number
  /** Without effect: the client authenticates again at 85 to 95 % of the session. */
  reauthenticationThreshold?: number
  requestTimeout?: number
  /** False: a request may wait for its answer as long as it takes. */
  enforceRequestTimeout?: boolean
  retry?: RetryOptions
  logLevel?: logLevel
  logCreator?: logCreator
}

const DEFAULT_CLIENT_ID = 'kafkajs'
const UNLIMITED_MS = 0x7fff_ffff

/** @throws KafkaJSNonRetriableError for what cannot be. */
export async function kafkaOptions(config: KafkaConfig, logger: Logger): Promise<KafkaOptions> {
  const { brokers, ssl, sasl, clientId = DEFAULT_CLIENT_ID, connectionTimeout, requestTimeout = 30_000 } = config
  const addresses = typeof brokers === 'function' ? await asked(brokers) : brokers
  if (!Array.isArray(addresses) || addresses.length === 0)
    throw new KafkaJSNonRetriableError('Failed to connect: expected brokers array and got nothing')
  if ('socketFactory' in config) logger.warn('socketFactory has no effect: connections are made without it')
  const retry = retryFrom(config.retry)
  return {
    brokers: addresses,
    clientId,
    ssl: sslFrom(ssl, logger),
    sasl: sasl === undefined ? null : saslFrom(sasl),
    requestTimeoutMs: config.enforceRequestTimeout === false ? UNLIMITED_MS : requestTimeout,
    retryBackoffMs: retry.initialRetryTime,
    retryBackoffMaxMs: retry.maxRetryTime,
    logger: clientLogger(logger),
    ...(connectionTimeout === undefined ? {} : { socketConnectionSetupTimeoutMs: connectionTimeout }),
  }
}

async function asked(brokers: BrokersFunction): Promise<string[]> {
  try {
    return await brokers()
  } catch (error) {
    const { message } = translateError(error)
    throw new KafkaJSConnectionError(`Failed to connect: "config.brokers" threw: ${message}`, { cause: error })
  }
}

function sslFrom(ssl: SslOptions | boolean | undefined | null, logger: Logger): boolean | TlsOptions {
  if (ssl === undefined || ssl === null || typeof ssl === 'boolean') return ssl ?? false
  const { ca, cert, key, passphrase, servername, rejectUnauthorized, ...others } = ssl
  const ignored = Object.keys(others)
  if (ignored.length > 0) logger.warn(`These options of ssl have no effect: ${ignored.join(', ')}`)
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { certificate: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(servername === undefined ? {} : { serverName: servername }),
    ...(rejectUnauthorized === undefined ? {} : { verify: rejectUnauthorized }),
  }
}

function pem(value: Pem | Pem[]): string {
  const parts = Array.isArray(value) ? value : [value]
  return parts.map((part) => String(typeof part === 'object' && 'pem' in part ? part.pem : part)).join('\n')
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
