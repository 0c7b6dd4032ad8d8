/** A broker for tests that does what the test says, over any transport. */

import {
  ApiVersions,
  encodeResponseFrame,
  Reader,
  readRequestHeader,
  type Api,
  type Request,
  type RequestHeader,
  type ResponseInput,
} from '@millrace/protocol'
import { BufferPool, silentLogger } from '@millrace/runtime'
import type { Clock, TlsServerOptions, Transport, TransportConnection, TransportListener } from '@millrace/runtime'
import { FrameReceiver } from '../frame-receiver.ts'
import { ReceiveMemory } from '../receive-memory.ts'

export interface Served {
  readonly header: RequestHeader
  /** The request without its header. */
  readonly read: <A extends Api>(api: A) => Request<A>
  readonly answer: <A extends Api>(api: A, value: ResponseInput<A>, version?: number) => void
  readonly connection: TransportConnection
}

export interface ScriptedBrokerOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly host: string
  readonly port: number
  readonly tls?: TlsServerOptions
  /** What it says that it serves. */
  readonly apiKeys: ResponseInput<typeof ApiVersions>['apiKeys']
  /** Gets every request, but ApiVersions unless `serveVersions` takes those. */
  readonly serve: (request: Served) => void
  readonly serveVersions?: (request: Served) => void
  /** Gets what is no request: asked first, for every frame. False: it is a request. */
  readonly takeToken?: (token: Uint8Array, connection: TransportConnection) => boolean
  readonly onConnection?: (connection: TransportConnection) => void
  readonly onClosed?: (connection: TransportConnection) => void
}

const MAX_FRAME_BYTES = 1 << 24

export async function startScriptedBroker(options: ScriptedBrokerOptions): Promise<TransportListener> {
  const { transport, clock, host, port, tls } = options
  const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
  const memory = new ReceiveMemory({ pool, clock, logger: silentLogger, limitBytes: 1 << 26 })
  const serveVersions =
    options.serveVersions ??
    ((request: Served): void => request.answer(ApiVersions, { errorCode: 0, apiKeys: options.apiKeys }))
  return transport.listen({ host, port, ...(tls === undefined ? {} : { tls }) }, (connection) => {
    const owner = {
      frameReceived: (frame: { bytes: Uint8Array; release(): void }) => {
        const body = frame.bytes.slice()
        frame.release()
        if (options.takeToken?.(body, connection) === true) return
        const reader = new Reader(body)
        const header = readRequestHeader(reader)
        const request: Served = {
          header,
          connection,
          read: (api) => api.request.decode(reader, header.apiVersion) as Request<typeof api>,
          answer: (api, value, version = header.apiVersion) =>
            connection.write(encodeResponseFrame(api, version, header.correlationId, value), () => {}),
        }
        if (header.apiKey === ApiVersions.key) serveVersions(request)
        else options.serve(request)
      },
      ended: () => connection.end(),
      closed: () => options.onClosed?.(connection),
    }
    options.onConnection?.(connection)
    connection.start(
      new FrameReceiver({ memory, connection, maxFrameBytes: MAX_FRAME_BYTES, logger: silentLogger, owner }),
    )
  })
}
