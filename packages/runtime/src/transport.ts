/**
 * Byte streams between hosts as the rest of the house sees them: TCP, TLS, or a simulated network.
 * No Kafka here: framing lives in `network`.
 */

export interface Address {
  /** Numeric address or host name; without brackets for IPv6. */
  readonly host: string
  readonly port: number
}

/** What the owner of a connection gives it to put bytes into. Called only between `start` and the one call of `closed`. */
export interface ByteSink {
  /**
   * Where the next bytes shall be put: at least one byte. Asked anew for every read, but early: at the start and then at once after each
   * `received`, maybe long before the bytes come, as Node wants it. Connections may share a buffer (they are read one after another) if
   * each leaves nothing in it when `received` returns. More bytes that wait already are read right after `received`, before any other
   * connection is.
   */
  buffer(): Uint8Array
  /** The first `length` bytes of what `buffer` last returned have been filled (length ≥ 1). */
  received(length: number): void
  /** The peer has ended its side in an orderly way: no more bytes. Writing is still possible. */
  ended(): void
  /** The connection is gone, by whoever; nothing is called after this. `error` when it broke. */
  closed(error: Error | null): void
}

export interface TransportConnection {
  readonly remoteAddress: Address
  /** The address the peer connected to. */
  readonly localAddress: Address
  readonly encrypted: boolean
  /** The subject of the peer's verified certificate in RFC 2253 form, or null. */
  readonly peerCertificateSubject: string | null
  /** Begins to read into `sink`. Once. */
  start(sink: ByteSink): void
  /** Stops reading (bytes stay with the peer) until `resumeReading`. Even when paused, a peer that vanishes is noticed where the system tells. */
  pauseReading(): void
  resumeReading(): void
  /**
   * Queues the buffers in order, as one system call where possible. The buffers must not change until `onDone`, which is called once:
   * null when the bytes are handed to the system, an error when the connection failed before.
   */
  write(buffers: readonly Uint8Array[], onDone: (error: Error | null) => void): void
  /** Bytes given to `write` and not yet handed to the system. */
  readonly queuedBytes: number
  /** Ends the writing side after what is queued; reading goes on until the peer ends. */
  end(): void
  /** Drops the connection at once, queue and all. `closed` follows. */
  destroy(): void
}

export interface TlsServerOptions {
  /** PEM: private key and certificate chain; CA certificates to verify clients against. */
  readonly key: string
  readonly certificate: string
  readonly passphrase?: string
  readonly clientCa?: string
  readonly clientAuth: 'none' | 'requested' | 'required'
}

export interface TlsClientOptions {
  /** PEM: authorities to trust instead of those that Node comes with. */
  readonly ca?: string
  /** PEM: what we prove ourselves with to servers that ask: private key, and certificate chain beginning with our own. */
  readonly key?: string
  readonly certificate?: string
  /** Opens an encrypted `key`. */
  readonly passphrase?: string
  /** The name that the server's certificate must be for, and that is asked for (SNI). Default: the host connected to. */
  readonly serverName?: string
  /** false accepts any certificate, for any name. Default true. */
  readonly verify?: boolean
}

export interface ListenOptions extends Address {
  /** Length of the system's queue of connections not yet accepted. Default 511. */
  readonly backlog?: number
  readonly tls?: TlsServerOptions
  /** Told what befell a connection before it was handed over: a failed accept or TLS handshake. */
  readonly onFailedAccept?: (error: Error) => void
}

export interface ConnectOptions extends Address {
  readonly timeoutMs: number
  readonly tls?: TlsClientOptions
  readonly signal?: AbortSignal
}

export interface TransportListener extends AsyncDisposable {
  /** The bound address: the port is the real one when 0 was asked for. */
  readonly address: Address
  /**
   * Stops handing over connections for a while (bounded connections), and goes on. Up to `backlog` that come meanwhile wait, unread;
   * more are dropped.
   */
  pauseAccepting(): void
  resumeAccepting(): void
}

export interface Transport {
  /** @throws Error with code EADDRINUSE, EACCES, EADDRNOTAVAIL… */
  listen(options: ListenOptions, onConnection: (connection: TransportConnection) => void): Promise<TransportListener>
  /** @throws Error with code ECONNREFUSED, ETIMEDOUT, ERR_TLS_HANDSHAKE_TIMEOUT…, or the signal's reason. */
  connect(options: ConnectOptions): Promise<TransportConnection>
}
