/**
 * What went wrong with a connection, in words that say what to do. What happens on a connection that was never of use is mostly a wrong port or a
 * wrong setting, and the other side cannot say so: it speaks another language. So the messages guess.
 */

import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Address } from '@millrace/runtime'
import { FrameError } from './frame-receiver.ts'
import { isAlert, tlsHint } from './tls-failures.ts'

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

/** Trying again makes sense, unless `retriable` is false: then a setting has to be changed. */
export function networkFailure(message: string, cause?: unknown, retriable = true): KafkaError {
  const options = cause === undefined || cause === null ? { retriable } : { cause, retriable }
  return new KafkaError(ErrorCode.NETWORK_EXCEPTION, message, options)
}

/** The broker ended the connection, or it broke. */
export function connectionLost(facts: ConnectionFacts, error: Error | null): KafkaError {
  if (error instanceof FrameError) return notKafka(facts, error.message, { retriable: !error.isForeign })
  const { address, stage } = facts
  const what = error === null ? 'the broker closed the connection' : `the connection broke: ${error.message}`
  const when =
    stage === 'greeting' ? ' before it answered anything' : stage === 'authenticating' ? ' while we authenticated' : ''
  // With TLS 1.3 a broker refuses our certificate only after the handshake.
  const code = codeOf(error)
  const alert = stage !== 'ready' && isAlert(code) ? tlsHint(code) : null
  const guess = alert?.text ?? guessFor(facts)
  const text = `${nameOf(address)}: ${what}${when}${guess === '' ? '' : `. ${guess}`}`
  return networkFailure(text, error, alert === null || !alert.isFinal)
}

function guessFor({ stage, encrypted, authenticates, answered }: ConnectionFacts): string {
  if (stage === 'greeting') {
    return encrypted
      ? 'If it asks for client certificates, set ssl.certificate and ssl.key'
      : 'If it is a TLS port, set ssl: true; else check that a Kafka broker listens there'
  }
  if (stage === 'authenticating')
    return 'Brokers do that when name or password are wrong, and older ones do not say so: check sasl, and that the port is one with SASL'
  if (answered === 0 && !authenticates)
    return 'Brokers do that to clients that have not authenticated: if it is a SASL port, set sasl'
  return ''
}

/** No answer came in time. */
export function noAnswer(facts: ConnectionFacts, apiName: string, timeoutMs: number): KafkaError {
  const guess =
    facts.stage === 'greeting' ? `. It accepts connections, but may be no Kafka broker. ${guessFor(facts)}` : ''
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
export function notKafka(
  facts: ConnectionFacts,
  reason: string,
  { retriable }: { readonly retriable: boolean } = { retriable: true },
): KafkaError {
  const guess = facts.stage === 'greeting' ? '. Check that a Kafka broker listens there' : ''
  return networkFailure(`${nameOf(facts.address)}: ${reason}${guess}`, null, retriable)
}

/** There is no connection to begin with. `error`: what the transport threw. */
export function connectFailure(address: Address, encrypted: boolean, error: unknown): KafkaError {
  const code = codeOf(error)
  const reason = reasonOf(error)
  const tls = encrypted ? tlsHint(code) : null
  const hint = tls?.text ?? hints[code]
  const text = hint === undefined ? reason : `${hint} (${reason})`
  return networkFailure(`${nameOf(address)}: ${text}`, error, tls === null || !tls.isFinal)
}

const hints: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'connection refused: nothing listens there. Check that the broker runs, and the port',
  ENOTFOUND: "the host name is not known. Check brokers, and the broker's advertised.listeners",
  EAI_AGAIN: 'the name server did not answer',
  EHOSTUNREACH: "the host cannot be reached. Check the network, and the broker's advertised.listeners",
  ENETUNREACH: 'there is no way to its network. Check the network of this machine',
  ETIMEDOUT: 'no connection in time. Check the address, and firewalls between',
}

/** OpenSSL's messages are full of file names, and that of several addresses tried in vain is empty: what is meant stands elsewhere. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ')
  const { message, reason = message } = error as Error & { readonly reason?: string }
  return reason
}

/** '' when there is none. */
function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}
