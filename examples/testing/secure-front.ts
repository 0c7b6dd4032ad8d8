/** A door in front of a broker that has none: TLS, and SASL/PLAIN for one user. Behind it everything goes to the broker as it came. */
import assert from 'node:assert/strict'
import { connect, createServer as listen, type AddressInfo, type Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import {
  ApiVersions,
  encodeResponseFrame,
  ErrorCode,
  Reader,
  readRequestHeader,
  SaslAuthenticate,
  SaslHandshake,
} from '@millrace/protocol'
import { testServerCertificate, testServerKey } from '@millrace/runtime/testing'

export class SecureFront implements AsyncDisposable {
  readonly #server: Server
  readonly #token: Buffer
  readonly #sockets = new Set<Socket>()
  /** Where the broker is. */
  brokerPort = 0
  /** Connections whose user was let in. */
  letIn = 0

  private constructor(username: string, password: string) {
    this.#token = Buffer.from(`\0${username}\0${password}`)
    this.#server = createServer({ cert: testServerCertificate, key: testServerKey }, (client) => this.#serve(client))
  }

  static async start(user: { readonly username: string; readonly password: string }): Promise<SecureFront> {
    const front = new SecureFront(user.username, user.password)
    await new Promise<void>((resolve) => front.#server.listen(0, '127.0.0.1', resolve))
    return front
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(client: TLSSocket): void {
    const broker = connect(this.brokerPort, '127.0.0.1')
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    broker.pipe(client)
    let isIn = false
    /** After version 0 of SaslHandshake the token comes as it is. */
    let isTokenNext = false
    let received = Buffer.alloc(0)
    client.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const frame = received.subarray(0, 4 + received.readInt32BE(0))
        received = received.subarray(frame.length)
        if (isTokenNext) {
          isTokenNext = false
          isIn = this.#token.equals(frame.subarray(4))
          if (isIn) this.letIn++
          if (isIn) client.write(Buffer.alloc(4))
          else client.end(Buffer.alloc(0))
          continue
        }
        const reader = new Reader(frame.subarray(4))
        const { apiKey, apiVersion, correlationId } = readRequestHeader(reader)
        if (apiKey === SaslHandshake.key) {
          isTokenNext = apiVersion === 0
          const answer = { errorCode: ErrorCode.NONE, mechanisms: ['PLAIN'] }
          client.write(Buffer.concat(encodeResponseFrame(SaslHandshake, apiVersion, correlationId, answer)))
        } else if (apiKey === SaslAuthenticate.key) {
          const { authBytes } = SaslAuthenticate.request.decode(reader, apiVersion)
          isIn = this.#token.equals(authBytes)
          if (isIn) this.letIn++
          const answer = {
            errorCode: isIn ? ErrorCode.NONE : ErrorCode.SASL_AUTHENTICATION_FAILED,
            errorMessage: isIn ? null : 'Authentication failed',
            authBytes: Buffer.alloc(0),
          }
          client.write(Buffer.concat(encodeResponseFrame(SaslAuthenticate, apiVersion, correlationId, answer)))
        } else {
          assert.ok(isIn || apiKey === ApiVersions.key, `request ${apiKey} before authentication`)
          broker.write(frame)
        }
      }
    })
  }
}

/** A port that nobody listens on now. */
export async function unusedPort(): Promise<number> {
  const server = listen()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
