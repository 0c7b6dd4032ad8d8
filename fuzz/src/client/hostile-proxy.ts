/**
 * Stands between a client and a broker and passes on requests unharmed; what becomes of the answers is decided by `mischief`. Answers keep to
 * the connection they belong to but for what the mischief does.
 */
import { createServer, connect, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { apiByKey, type Api } from '@millrace/protocol'

/** An answer on its way to the client, its length in front. */
export interface Answer {
  /** Null for a request that no broker knows. */
  readonly api: Api | null
  readonly version: number
  readonly frame: Uint8Array
}

/** The client's side of one connection. */
export interface Victim {
  write(bytes: Uint8Array): void
  /** After `delayMs`, if the connection is still there. */
  writeLater(bytes: Uint8Array, delayMs: number): void
  /** Sends what was written and ends the connection. */
  end(): void
  /** Resets it. */
  destroy(): void
}

export interface Mischief {
  /** A new connection. False: it is not to be served. */
  connected?(victim: Victim): boolean
  answered(answer: Answer, victim: Victim): void
}

export const harmless: Mischief = { answered: ({ frame }, victim) => victim.write(frame) }

export class HostileProxy implements AsyncDisposable {
  readonly port: number
  readonly #server: Server
  readonly #sockets: Set<Socket>
  mischief: Mischief = harmless
  brokerPort = 0

  private constructor(server: Server, port: number, sockets: Set<Socket>) {
    this.#server = server
    this.port = port
    this.#sockets = sockets
  }

  static async start(): Promise<HostileProxy> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => proxy.#serve(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new HostileProxy(server, (server.address() as { port: number }).port, sockets)
    return proxy
  }

  #serve(client: Socket): void {
    client.setNoDelay(true)
    const victim: Victim = {
      write: (bytes) => void (client.writable && client.write(bytes)),
      writeLater: (bytes, delayMs) => void setTimeout(() => victim.write(bytes), delayMs).unref(),
      end: () => client.end(),
      destroy: () => client.resetAndDestroy(),
    }
    const forget = (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
    }
    forget(client)
    if (this.mischief.connected?.(victim) === false) {
      client.resume()
      return
    }
    const broker = connect({ port: this.brokerPort, host: '127.0.0.1', noDelay: true })
    forget(broker)
    client.once('close', () => broker.destroy())
    broker.once('close', () => client.end())
    const asked = new Map<number, { api: Api | null; version: number }>()
    const requests = new Frames((frame) => {
      const view = new DataView(frame.buffer, frame.byteOffset)
      asked.set(view.getInt32(8), { api: apiByKey(view.getInt16(4)) ?? null, version: view.getInt16(6) })
    })
    const answers = new Frames((frame) => {
      const correlationId = new DataView(frame.buffer, frame.byteOffset).getInt32(4)
      const question = asked.get(correlationId) ?? { api: null, version: 0 }
      asked.delete(correlationId)
      this.mischief.answered({ ...question, frame }, victim)
    })
    client.on('data', (chunk: Uint8Array) => {
      requests.add(chunk)
      if (broker.writable) broker.write(chunk)
    })
    broker.on('data', (chunk: Uint8Array) => answers.add(chunk))
  }

  /** Ends all connections that there are now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, 'close')
  }
}

/** Cuts a stream into frames, each with its length in front. */
class Frames {
  readonly #take: (frame: Uint8Array) => void
  #rest: Uint8Array = new Uint8Array(0)

  constructor(take: (frame: Uint8Array) => void) {
    this.#take = take
  }

  add(chunk: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 4) {
      const end = 4 + new DataView(this.#rest.buffer, this.#rest.byteOffset).getInt32(0)
      if (this.#rest.length < end) return
      this.#take(this.#rest.slice(0, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}
