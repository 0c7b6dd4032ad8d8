/** The least client: one connection, frames out, frames or the end of the connection back. */
import { connect, type Socket } from 'node:net'
import {
  encodeRequestFrame,
  Reader,
  readResponseHeader,
  type Api,
  type RequestInput,
  type Response,
} from '@millrace/protocol'

export class RawClient {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #isClosed = false
  #wake: (() => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#chunkBytes += chunk.length
      this.#wake?.()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake?.()
    })
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new RawClient(socket))
      })
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  /** The next frame without its length; `closed` or `silent` when there is none within `patienceMs`. */
  async frame(patienceMs: number): Promise<Buffer | 'closed' | 'silent'> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const frame = this.#takeFrame()
      if (frame !== null) return frame
      if (this.#isClosed) return 'closed'
      const remaining = deadline - performance.now()
      if (remaining <= 0) return 'silent'
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, remaining)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = null
    }
  }

  #takeFrame(): Buffer | null {
    if (this.#chunkBytes < 4) return null
    if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)]
    const end = 4 + this.#chunks[0]!.readInt32BE(0)
    if (this.#chunkBytes < end) return null
    const received = Buffer.concat(this.#chunks)
    this.#chunks = received.length > end ? [received.subarray(end)] : []
    this.#chunkBytes = received.length - end
    return received.subarray(4, end)
  }

  /** One request and its answer. @throws Error when there is none within 10 s. */
  async ask<A extends Api>(api: A, version: number, request: RequestInput<A>): Promise<Response<A>> {
    this.write(Buffer.concat(encodeRequestFrame(api, version, 7, 'fuzz', request)))
    const frame = await this.frame(10_000)
    if (typeof frame === 'string')
      throw new Error(`${api.name} version ${version} got no answer: the connection is ${frame}`)
    const reader = new Reader(frame)
    const correlationId = readResponseHeader(reader, api, version)
    if (correlationId !== 7) throw new Error(`${api.name} was answered with correlation id ${correlationId}, not 7`)
    return api.response.decode(reader, version) as Response<A>
  }
}
