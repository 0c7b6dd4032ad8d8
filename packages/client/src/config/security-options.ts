/** How a client checks who the broker is, and proves who it is itself. */
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

export function isSaslOptions(value: unknown): boolean {
  if (!isObject(value)) return false
  if (value['mechanism'] === 'OAUTHBEARER') return typeof value['token'] === 'function'
  return (
    ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].includes(value['mechanism'] as string) &&
    typeof value['username'] === 'string' &&
    typeof value['password'] === 'string'
  )
}
