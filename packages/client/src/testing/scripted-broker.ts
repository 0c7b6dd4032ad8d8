/** A broker for tests that answers as the test says: real sockets, real frames, no state. */
import { startScriptedBroker, type Served } from '@millrace/network/testing'
import { apiByKey, ApiVersions, Metadata, type Api, type Request, type ResponseInput } from '@millrace/protocol'
import type { TransportConnection, TransportListener } from '@millrace/runtime'
import { realWorld } from '../world.ts'

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
  readonly #scripts = new Map<number, Script>()
  readonly #connections = new Set<TransportConnection>()
  #listener: TransportListener | null = null
  #waiting: (() => void)[] = []
  /** Connections that were ever made. */
  accepted = 0

  private constructor(scripts: readonly Script[]) {
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
  }

  static async start(scripts: readonly Script[]): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(scripts)
    const serve = (request: Served): void => void broker.#answer(request)
    broker.#listener = await startScriptedBroker({
      ...realWorld(),
      host: '127.0.0.1',
      port: 0,
      apiKeys: [],
      serve,
      serveVersions: serve,
      onConnection: (connection) => broker.#opened(connection),
      onClosed: (connection) => broker.#closed(connection),
    })
    return broker
  }

  get port(): number {
    return this.#listener!.address.port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Resolves when no connection is open. */
  allClosed(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** As when the broker's process dies; it takes new ones. */
  cutConnections(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#listener![Symbol.asyncDispose]()
    this.cutConnections()
    await closed
  }

  #opened(connection: TransportConnection): void {
    this.accepted++
    this.#connections.add(connection)
  }

  #closed(connection: TransportConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #answer({ header, read, answer, connection }: Served): Promise<void> {
    const script = this.#scripts.get(header.apiKey)
    const api = apiByKey(header.apiKey)
    if (script === undefined || api === undefined) {
      connection.destroy()
      return
    }
    const response = await script.handle(read(api) as Request<Api>, header.apiVersion)
    if (response !== null && this.#connections.has(connection)) answer(api, response)
  }
}
