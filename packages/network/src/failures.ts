/**
 * What went wrong with a connection, in words that say what to do. What happens on a connection that was never of use is mostly a wrong port or a
 * wrong setting, and the other side cannot say so: it speaks another language. So the messages guess.
 */

import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Address } from '@millrace/runtime'
import { FrameError } from './frame-receiver.ts'

/** How far a connection has come. */
export type Stage =
  /** Nothing came of the broker yet that could be read. */
  | 'greeting'
  | 'authenticating'
  /** Requests may be sent. */
  | 'ready'

export interface ConnectionFacts {
  readonly address: Address
  readonly encrypted: boolean
  readonly stage: Stage
  /** Whether SASL is configured. */
  readonly authenticates: boolean
  /** Requests answered since it is ready. */
  readonly answered: number
}

export function nameOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** A failure after which trying again makes sense. */
export function networkFailure(message: string, cause?: unknown): KafkaError {
  return new KafkaError(ErrorCode.NETWORK_EXCEPTION, message, cause === undefined || cause === null ? {} : { cause })
}

/** The broker ended the connection, or it broke. */
export function connectionLost(facts: ConnectionFacts, error: Error | null): KafkaError {
  if (error instanceof FrameError) return notKafka(facts, error.message)
  const { address, stage } = facts
  const what = error === null ? 'the broker closed the connection' : `the connection broke: ${error.message}`
  const when =
    stage === 'greeting' ? ' before it answered anything' : stage === 'authenticating' ? ' while we authenticated' : ''
  const guess = guessFor(facts, error)
  return networkFailure(`${nameOf(address)}: ${what}${when}${guess === '' ? '' : `. ${guess}`}`, error)
}

function guessFor({ stage, encrypted, authenticates, answered }: ConnectionFacts, error: Error | null): string {
  if (stage === 'greeting') {
    return encrypted
      ? (alertHint(codeOf(error)) ?? 'If it asks for client certificates, set ssl.certificate and ssl.key')
      : 'If it is a TLS port, set ssl: true; else check that a Kafka broker listens there'
  }
  if (stage === 'authenticating')
    return 'Brokers do that when name or password are wrong, and older ones do not say so: check sasl'
  if (answered === 0 && !authenticates)
    return 'Brokers do that to clients that have not authenticated: if it is a SASL port, set sasl'
  return ''
}

/** No answer came in time. */
export function noAnswer(facts: ConnectionFacts, apiName: string, timeoutMs: number): KafkaError {
  const guess =
    facts.stage === 'greeting' ? `. It accepts connections, but may be no Kafka broker. ${guessFor(facts, null)}` : ''
  const message = `${nameOf(facts.address)}: no answer to ${apiName} within ${Math.round(timeoutMs)} ms${guess}`
  return new KafkaError(ErrorCode.REQUEST_TIMED_OUT, message)
}

/** An answer that is not as it should be. */
export function unreadable(facts: ConnectionFacts, what: string, cause: Error): KafkaError {
  const guess = facts.stage === 'greeting' ? '. Check that a Kafka broker listens there' : ''
  const message = `${nameOf(facts.address)}: ${what} cannot be read: ${cause.message}${guess}`
  return new KafkaError(ErrorCode.CORRUPT_MESSAGE, message, { cause })
}

/** The other side sent something that is no Kafka. `reason` tells what was wrong. */
export function notKafka(facts: ConnectionFacts, reason: string): KafkaError {
  const guess = facts.stage === 'greeting' ? '. Check that a Kafka broker listens there' : ''
  return networkFailure(`${nameOf(facts.address)}: ${reason}${guess}`)
}

/** There is no connection to begin with. `error`: what the transport threw. */
export function connectFailure(address: Address, encrypted: boolean, error: unknown): KafkaError {
  const code = codeOf(error)
  // OpenSSL's messages are full of file names; what is meant stands in `reason`.
  const { message: whole, reason: message = whole } = error as Error & { readonly reason?: string }
  const setting = encrypted ? settingHint(code) : null
  if (setting !== null) {
    return new KafkaError(ErrorCode.NETWORK_EXCEPTION, `${nameOf(address)}: ${setting} (${message})`, {
      cause: error,
      retriable: false,
    })
  }
  const hint = (encrypted ? handshakeHint(code) : null) ?? hints[code]
  return networkFailure(`${nameOf(address)}: ${hint === undefined ? message : `${hint} (${message})`}`, error)
}

const hints: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'connection refused: nothing listens there. Check that the broker runs, and the port',
  ENOTFOUND: "the host name is not known. Check brokers, and the broker's advertised.listeners",
  EAI_AGAIN: 'the name server did not answer',
  EHOSTUNREACH: "the host cannot be reached. Check the network, and the broker's advertised.listeners",
  ENETUNREACH: 'there is no way to its network. Check the network of this machine',
  ETIMEDOUT: 'no connection in time. Check the address, and firewalls between',
}

/** What stays wrong however often one tries: certificates, keys. null for anything else. */
function settingHint(code: string): string | null {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return "the broker's certificate has expired, and has to be renewed on the broker"
    case 'CERT_NOT_YET_VALID':
      return "the broker's certificate is not valid yet: check the clocks of both machines"
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return "the broker's certificate is signed by itself. If you trust it, give it as ssl.ca"
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_UNTRUSTED':
      return "the broker's certificate comes from an authority that is not trusted here: give the authority's certificate as ssl.ca"
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return "the broker's certificate is for another name: connect by a name that is in it, or give that name as ssl.serverName"
    case 'CERT_REVOKED':
    case 'CERT_SIGNATURE_FAILURE':
      return "the broker's certificate is not to be trusted"
    default:
      return /^ERR_(OSSL|CRYPTO)_/.test(code)
        ? 'ssl.ca, ssl.certificate, ssl.key or ssl.passphrase is wrong: PEM texts are expected, not files, JKS or PKCS#12'
        : null
  }
}

/** A handshake that did not come about. */
function handshakeHint(code: string): string | undefined {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'what answers there does not speak TLS. If it is a plaintext port, leave out ssl'
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT')
    return 'it accepts connections, but does not speak TLS in time. If it is a plaintext port, leave out ssl'
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return 'the connection was closed during the TLS handshake. If it is a plaintext port, leave out ssl'
  return alertHint(code)
}

/** TLS alerts, by which the broker says what it does not like about us. */
function alertHint(code: string): string | undefined {
  if (!/^ERR_SSL_.*ALERT/.test(code)) return undefined
  if (/CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE/.test(code))
    return 'the broker refused the TLS handshake. If it asks for client certificates, set ssl.certificate and ssl.key'
  if (/UNKNOWN_CA|CERTIFICATE_UNKNOWN/.test(code))
    return "the broker does not trust the certificate in ssl.certificate: its authority is not in the broker's truststore"
  return 'the broker refused the TLS handshake'
}

/** '' when there is none. */
function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}
