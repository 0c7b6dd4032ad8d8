/** Who we are to a broker that asks by SASL, and how we prove it. */

export type SaslCredentials = PlainCredentials | ScramCredentials | OAuthBearerCredentials

/** The password goes to the broker as it is: only over TLS. RFC 4616. */
export interface PlainCredentials {
  readonly mechanism: 'PLAIN'
  readonly username: string
  readonly password: string
}

/** The password never leaves the client, and the broker proves that it knows it too. RFC 5802, RFC 7677. */
export interface ScramCredentials {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  /** With `delegationToken` the token's id. */
  readonly username: string
  /** With `delegationToken` the token's HMAC in base64. */
  readonly password: string
  /** Authenticates by a delegation token (KIP-48) instead of a user's password: Kafka's `tokenauth`. Default false. */
  readonly delegationToken?: boolean
}

/** RFC 7628, KIP-255. */
export interface OAuthBearerCredentials {
  readonly mechanism: 'OAUTHBEARER'
  /** Asked at each authentication, re-authentication included. */
  readonly token: OAuthBearerTokenProvider
}

/** `signal` is aborted when nobody waits for the token any more. */
export type OAuthBearerTokenProvider = (signal: AbortSignal) => Promise<OAuthBearerToken>

export interface OAuthBearerToken {
  /** What is sent to the broker: a JWT in its compact form, as a rule. */
  readonly value: string
  /** When it ends, in milliseconds since the epoch: Kafka's `OAuthBearerToken.lifetimeMs`. */
  readonly expiresAt?: number
  /** Sent along with the token (KIP-342): names of letters, values of printable characters. */
  readonly extensions?: Readonly<Record<string, string>>
}
