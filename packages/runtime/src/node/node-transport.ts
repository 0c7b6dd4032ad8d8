/** TCP and TLS by Node. */

import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import type {
  Address,
  ConnectOptions,
  ListenOptions,
  TlsClientOptions,
  Transport,
  TransportConnection,
  TransportListener,
} from '../transport.ts'
import { acceptHandles, socketOn } from './accept-handles.ts'
import { NodeListener } from './node-listener.ts'
import { SocketConnection } from './socket-connection.ts'

const DEFAULT_BACKLOG = 511
const HANDSHAKE_TIMEOUT_MS = 30_000

export interface NodeTransportOptions {
  /** `data-events` never lets Node read into our buffers. Default `own-buffers`, which falls back where Node does not offer it. */
  readonly receive?: 'own-buffers' | 'data-events'
}

export class NodeTransport implements Transport {
  readonly #clock: Clock
  readonly #ownBuffers: boolean

  constructor(clock: Clock, options: NodeTransportOptions = {}) {
    this.#clock = clock
    this.#ownBuffers = options.receive !== 'data-events'
  }

  async listen(
    options: ListenOptions,
    onConnection: (connection: TransportConnection) => void,
  ): Promise<TransportListener> {
    const backlog = options.backlog ?? DEFAULT_BACKLOG
    const server = options.tls === undefined ? createTcpServer(SERVER_OPTIONS) : createSecureServer(options)
    await listening(server, options, backlog)
    const address = server.address() as AddressInfo
    const listener = new NodeListener(server, { host: address.address, port: address.port }, backlog, onConnection)
    server.on('error', (error) => options.onFailedAccept?.(error))
    if (options.tls !== undefined) {
      server.on('secureConnection', (socket: TLSSocket) => {
        // Not before: a peer that leaves in the handshake would be kept until its time-out.
        socket.allowHalfOpen = true
        listener.accepted(this.#secure(socket))
      })
      server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
        socket.destroy()
        options.onFailedAccept?.(error)
      })
    } else if (
      !this.#ownBuffers ||
      !acceptHandles(server, (handle) => {
        const connection = new SocketConnection(this.#clock)
        connection.attach(socketOn(handle, connection.onread))
        listener.accepted(connection)
      })
    ) {
      server.on('connection', (socket: Socket) => {
        const connection = new SocketConnection(this.#clock)
        connection.attach(socket)
        listener.accepted(connection)
      })
    }
    return listener
  }

  async connect(options: ConnectOptions): Promise<TransportConnection> {
    options.signal?.throwIfAborted()
    if (options.tls !== undefined) {
      const socket = connectTls(secureOptions(options, options.tls))
      await this.#established(socket, 'secureConnect', options)
      return this.#secure(socket)
    }
    const connection = new SocketConnection(this.#clock)
    const socket = connectTcp({
      host: options.host,
      port: options.port,
      allowHalfOpen: true,
      ...(this.#ownBuffers ? { onread: connection.onread } : {}),
    })
    // Or it would read before there is a sink.
    socket.pause()
    await this.#established(socket, 'connect', options)
    connection.attach(socket)
    return connection
  }

  #secure(socket: TLSSocket): SocketConnection {
    const connection = new SocketConnection(this.#clock)
    connection.attachSecure(socket)
    return connection
  }

  #established(socket: Socket, event: 'connect' | 'secureConnect', options: ConnectOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        timer.cancel()
        options.signal?.removeEventListener('abort', onAbort)
        socket.off('error', onError)
        socket.off('close', onClose)
        socket.off(event, onReady)
      }
      const fail = (error: Error): void => {
        finish()
        // Destroying may still bring an error, which nobody wants to hear.
        socket.on('error', () => {})
        socket.destroy()
        reject(error)
      }
      const onError = (error: Error): void => fail(error)
      const onClose = (): void => fail(failure('ECONNRESET', `${name} closed the connection before it was ready`))
      const onAbort = (): void => fail(options.signal!.reason as Error)
      const onReady = (): void => {
        finish()
        resolve()
      }
      const name = `${options.host}:${options.port}`
      const timer = this.#clock.after(options.timeoutMs, () => {
        const within = `${name} within ${options.timeoutMs} ms`
        if (socket.connecting) fail(failure('ETIMEDOUT', `no connection to ${within}`))
        else fail(failure('ERR_TLS_HANDSHAKE_TIMEOUT', `no TLS handshake with ${within}`))
      })
      options.signal?.addEventListener('abort', onAbort, { once: true })
      socket.on('error', onError)
      socket.on('close', onClose)
      socket.on(event, onReady)
    })
  }
}

const SERVER_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true }

function createSecureServer(options: ListenOptions): Server {
  const { key, certificate, passphrase, clientCa, clientAuth } = options.tls!
  return createTlsServer({
    key,
    cert: certificate,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'required',
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  })
}

function secureOptions(address: Address, tls: TlsClientOptions): ConnectionOptions {
  // Node takes allowHalfOpen here too, though its types do not say so.
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host: address.host,
    port: address.port,
    allowHalfOpen: true,
    rejectUnauthorized: tls.verify ?? true,
  }
  if (tls.ca !== undefined) options.ca = tls.ca
  if (tls.key !== undefined) options.key = tls.key
  if (tls.certificate !== undefined) options.cert = tls.certificate
  if (tls.passphrase !== undefined) options.passphrase = tls.passphrase
  if (tls.serverName !== undefined) options.servername = tls.serverName
  return options
}

function listening(server: Server, options: ListenOptions, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: options.port, backlog, ...(options.host === '' ? {} : { host: options.host }) }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
