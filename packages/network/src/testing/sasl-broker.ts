/** A scripted broker that wants SASL before anything else, as Kafka's SaslServerAuthenticator does. */

import { ErrorCode, Metadata, SaslAuthenticate, SaslHandshake } from '@millrace/protocol'
import type { TransportConnection, TransportListener } from '@millrace/runtime'
import type { Transport, Clock } from '@millrace/runtime'
import { startScriptedBroker, type Served } from './scripted-broker.ts'

/** The broker's side of a mechanism: is given a token; returns its answer, or throws what is wrong. Null: says nothing, ever. */
export type ServeToken = (
  token: Uint8Array,
  connection: TransportConnection,
) => Promise<Uint8Array | null> | Uint8Array | null

export interface SaslBrokerOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly host: string
  readonly port: number
  readonly mechanisms: readonly string[]
  readonly serveToken: ServeToken
  /** `bare`: a broker before 1.0, whose tokens follow the handshake without headers. Default `requests`. */
  readonly tokens?: 'bare' | 'requests'
  readonly sessionLifetimeMs?: () => number
  /** Gets what comes from those who have authenticated. Default: an answer that names the correlation id. */
  readonly serve?: (request: Served) => void
  /** Gets the key of every request but ApiVersions, 'token' for a bare one. */
  readonly log?: (what: number | 'token') => void
}

interface Session {
  state: 'handshake' | 'tokens' | 'ready'
}

export function startSaslBroker(options: SaslBrokerOptions): Promise<TransportListener> {
  const { mechanisms, serveToken, log = () => {} } = options
  const bare = options.tokens === 'bare'
  const sessions = new WeakMap<TransportConnection, Session>()
  const sessionOf = (connection: TransportConnection): Session => {
    let session = sessions.get(connection)
    if (session === undefined) sessions.set(connection, (session = { state: 'handshake' }))
    return session
  }
  const shakeHands = ({ header, read, answer, connection }: Served): void => {
    const { mechanism } = read(SaslHandshake)
    const known = mechanisms.includes(mechanism)
    answer(SaslHandshake, {
      errorCode: known ? ErrorCode.NONE : ErrorCode.UNSUPPORTED_SASL_MECHANISM,
      mechanisms: [...mechanisms],
    })
    if (known && (bare ? 0 : 1) === header.apiVersion) sessionOf(connection).state = 'tokens'
    else connection.end()
  }
  const authenticate = async ({ read, answer, connection }: Served): Promise<void> => {
    try {
      const authBytes = await serveToken(read(SaslAuthenticate).authBytes, connection)
      if (authBytes === null) return
      sessionOf(connection).state = 'ready'
      const sessionLifetimeMs = BigInt(options.sessionLifetimeMs?.() ?? 0)
      answer(SaslAuthenticate, { errorCode: ErrorCode.NONE, errorMessage: null, authBytes, sessionLifetimeMs })
    } catch (error) {
      answer(SaslAuthenticate, {
        errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED,
        errorMessage: (error as Error).message,
        authBytes: new Uint8Array(0),
      })
      connection.end()
    }
  }
  const takeBareToken = async (token: Uint8Array, connection: TransportConnection): Promise<void> => {
    try {
      const answer = await serveToken(token, connection)
      if (answer === null) return
      connection.write([Uint8Array.of(0, 0, answer.length >> 8, answer.length), answer], () => {})
    } catch {
      connection.end()
    }
  }
  return startScriptedBroker({
    ...options,
    apiKeys: [
      { apiKey: SaslHandshake.key, minVersion: 0, maxVersion: bare ? 0 : 1 },
      ...(bare ? [] : [{ apiKey: SaslAuthenticate.key, minVersion: 0, maxVersion: 2 }]),
      { apiKey: Metadata.key, minVersion: 0, maxVersion: 9 },
    ],
    takeToken: (token, connection) => {
      // Requests begin with a key below 256; a token of these mechanisms never with a zero byte twice.
      const isToken =
        bare && sessionOf(connection).state === 'tokens' && !(token[0] === 0 && token[1]! < 128 && token[2] === 0)
      if (!isToken) return false
      log('token')
      void takeBareToken(token, connection)
      return true
    },
    serve: (request) => {
      const { header, connection } = request
      const session = sessionOf(connection)
      log(header.apiKey)
      if (header.apiKey === SaslHandshake.key) shakeHands(request)
      else if (header.apiKey === SaslAuthenticate.key && session.state !== 'handshake') void authenticate(request)
      else if (session.state === 'ready' || bare) (options.serve ?? answerWithId)(request)
      else connection.destroy()
    },
  })
}

/** Metadata whose cluster id is the request's correlation id. */
export function answerWithId({ header, answer }: Served): void {
  answer(Metadata, { brokers: [], clusterId: `${header.correlationId}`, controllerId: 1, topics: [] })
}

/** PLAIN for one user. */
export function plainServer(username: string, password: string): ServeToken {
  return (token) => {
    if (new TextDecoder().decode(token) !== `\0${username}\0${password}`)
      throw new Error('Authentication failed: Invalid username or password')
    return new Uint8Array(0)
  }
}
