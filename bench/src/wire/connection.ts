// A connection of the benchmark's own: it must not share code with the broker that it measures.
import { connect, type Socket } from 'node:net'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

const requestTimeoutMs = 180_000
const noTags = Buffer.alloc(1)

/** One request at a time. */
export class Connection implements Disposable {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #waiting: { resolve: (frame: Buffer) => void; reject: (error: Error) => void } | null = null
  #correlationId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')))
  }

  static open({ host, port }: Endpoint): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  /** Sends a request with header v1 and returns the body of its response. @throws Error when the connection ends. */
  request(apiKey: number, apiVersion: number, body: Uint8Array): Promise<Buffer> {
    return this.#exchange(apiKey, apiVersion, [body])
  }

  /** The same with the headers of flexible versions, which end with a set of tagged fields: ours, and all brokers', empty. */
  async flexibleRequest(apiKey: number, apiVersion: number, body: Uint8Array): Promise<Buffer> {
    return (await this.#exchange(apiKey, apiVersion, [noTags, body])).subarray(1)
  }

  #exchange(apiKey: number, apiVersion: number, afterHeader: readonly Uint8Array[]): Promise<Buffer> {
    const header = Buffer.alloc(14)
    header.writeInt32BE(10 + afterHeader.reduce((sum, part) => sum + part.length, 0), 0)
    header.writeInt16BE(apiKey, 4)
    header.writeInt16BE(apiVersion, 6)
    header.writeInt32BE(++this.#correlationId, 8)
    header.writeInt16BE(-1, 12)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(new Error(`API ${apiKey} took over ${requestTimeoutMs} ms`)),
        requestTimeoutMs,
      )
      const settle = () => clearTimeout(timer)
      this.#waiting = {
        resolve: (frame) => {
          settle()
          resolve(frame)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      this.#socket.write(Buffer.concat([header, ...afterHeader]))
    })
  }

  [Symbol.dispose](): void {
    this.#waiting = null
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    if (this.#received.length < 4) return
    const end = 4 + this.#received.readInt32BE(0)
    if (this.#received.length < end) return
    const frame = this.#received.subarray(8, end)
    this.#received = this.#received.subarray(end)
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve(frame)
  }

  #fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(error)
  }
}
