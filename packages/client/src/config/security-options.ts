/** How a client proves who it is, and checks who the broker is. */
import { isObject } from './option.ts'

/** Certificates and keys are PEM texts. */
export interface TlsOptions {
  /** Certificates of the authorities to trust instead of the system's. */
  readonly ca?: string
  /** The client's own certificate chain and private key, for brokers with `ssl.client.auth`. */
  readonly certificate?: string
  readonly key?: string
  readonly passphrase?: string
  /** The name expected in the broker's certificate. Default: the host connected to. */
  readonly serverName?: string
  /** False trusts any certificate: for experiments only. Default true. */
  readonly verify?: boolean
}

export interface OAuthToken {
  readonly value: string
  /** Milliseconds since the epoch at which it ends. Default: what the token itself says (`exp` of a JWT), else an hour. */
  readonly expiresAt?: number
  /** SASL extensions (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>
}

export type SaslOptions =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
      readonly username: string
      readonly password: string
      /** The user name is the id of a delegation token, the password its HMAC. Only with SCRAM. */
      readonly delegationToken?: boolean
    }
  | {
      readonly mechanism: 'OAUTHBEARER'
      /** Called for every connection, and again before a token ends. */
      readonly token: (signal: AbortSignal) => Promise<OAuthToken>
    }

export function isSaslOptions(value: unknown): boolean {
  if (!isObject(value)) return false
  if (value['mechanism'] === 'OAUTHBEARER') return typeof value['token'] === 'function'
  return (
    ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].includes(value['mechanism'] as string) &&
    typeof value['username'] === 'string' &&
    typeof value['password'] === 'string'
  )
}
