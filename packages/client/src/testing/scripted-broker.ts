/** A broker for tests that answers as the test says: real sockets, real frames, no state. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import {
  apiByKey,
  ApiVersions,
  encodeResponseFrame,
  Metadata,
  Reader,
  readRequestHeader,
  type Api,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'

type Handler<A extends Api> = (
  request: Request<A>,
  version: number,
) => ResponseInput<A> | null | Promise<ResponseInput<A> | null>

export interface Script {
  readonly api: Api
  readonly handle: Handler<Api>
  /** Served: an older broker has fewer. */
  readonly newest: number
}

/** How requests of `api` are answered, up to the version `newest`. Null: not at all. */
export function answers<A extends Api>(api: A, handle: Handler<A>, newest: number = api.versions[1]): Script {
  return { api, handle: handle as unknown as Handler<Api>, newest }
}

/** Serves the APIs of its scripts, ApiVersions, and Metadata with itself as the only broker and no topics. */
export class ScriptedBroker implements AsyncDisposable {
  readonly #server: Server
  readonly #scripts = new Map<number, Script>()
  readonly #sockets = new Set<Socket>()
  #waiting: (() => void)[] = []
  /** Connections that were ever made. */
  accepted = 0

  private constructor(server: Server, scripts: readonly Script[]) {
    this.#server = server
    const own = [
      answers(ApiVersions, () => ({
        errorCode: 0,
        apiKeys: [...this.#scripts.values()].map(({ api, newest }) => ({
          apiKey: api.key,
          minVersion: api.versions[0],
          maxVersion: newest,
        })),
      })),
      answers(Metadata, () => ({
        brokers: [{ nodeId: 1, host: '127.0.0.1', port: this.port }],
        controllerId: 1,
        topics: [],
      })),
    ]
    for (const script of [...own, ...scripts]) this.#scripts.set(script.api.key, script)
    server.on('connection', (socket) => this.#serve(socket))
  }

  static async start(scripts: readonly Script[]): Promise<ScriptedBroker> {
    const server = createServer()
    const broker = new ScriptedBroker(server, scripts)
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Resolves when no connection is open. */
  allClosed(): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** As when the broker's process dies; it takes new ones. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutConnections()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  #serve(socket: Socket): void {
    this.accepted++
    this.#sockets.add(socket)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
    })
    socket.on('error', () => {})
    let received = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const end = 4 + received.readInt32BE(0)
        void this.#answer(socket, received.subarray(4, end))
        received = received.subarray(end)
      }
    })
  }

  async #answer(socket: Socket, frame: Uint8Array): Promise<void> {
    const reader = new Reader(frame)
    const { apiKey, apiVersion, correlationId } = readRequestHeader(reader)
    const script = this.#scripts.get(apiKey)
    const api = apiByKey(apiKey)
    if (script === undefined || api === undefined) {
      socket.destroy()
      return
    }
    const response = await script.handle(api.request.decode(reader, apiVersion) as Request<Api>, apiVersion)
    if (response === null || socket.destroyed) return
    socket.write(Buffer.concat(encodeResponseFrame(api, apiVersion, correlationId, response)))
  }
}
