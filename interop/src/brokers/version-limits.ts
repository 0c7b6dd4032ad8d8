// A broker as an older or another one would let itself be seen: a proxy in front of it that serves only some APIs, in some versions.
import { connect, createServer, type Server, type Socket } from 'node:net'
import {
  ApiVersions,
  encodeResponseFrame,
  Reader,
  readRequestHeader,
  readResponseHeader,
  type Response,
} from '@millrace/protocol'

/** By API key: oldest and newest version. */
export type VersionLimits = ReadonlyMap<number, readonly [oldest: number, newest: number]>

export interface LimitedBroker {
  close(): Promise<void>
}

/** Listens on `port` of the loopback address for the broker at `brokerPort`. A request outside of the limits ends its connection. */
export async function limitVersions(port: number, brokerPort: number, limits: VersionLimits): Promise<LimitedBroker> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const broker = connect({ host: '127.0.0.1', port: brokerPort, noDelay: true })
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    relay(client, broker, limits)
  })
  await listening(server, port)
  return {
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

function relay(client: Socket, broker: Socket, limits: VersionLimits): void {
  /** Of ApiVersions requests on their way: correlation id → version. */
  const asked = new Map<number, number>()
  onFrames(client, (frame) => {
    const { apiKey, apiVersion, correlationId } = readRequestHeader(new Reader(frame.subarray(4)))
    const range = limits.get(apiKey)
    if (apiKey === ApiVersions.key) asked.set(correlationId, apiVersion)
    else if (range === undefined || apiVersion < range[0] || apiVersion > range[1]) {
      client.destroy()
      return
    }
    broker.write(frame)
  })
  onFrames(broker, (frame) => {
    const correlationId = frame.readInt32BE(4)
    const version = asked.get(correlationId)
    asked.delete(correlationId)
    client.write(version === undefined ? frame : limited(frame, version, correlationId, limits))
  })
}

/** The answer to ApiVersions as it would be with the limits; what the cluster's features are is not told. */
function limited(frame: Buffer, version: number, correlationId: number, limits: VersionLimits): Buffer {
  const reader = new Reader(frame.subarray(4))
  readResponseHeader(reader, ApiVersions, version)
  const { errorCode, apiKeys } = ApiVersions.response.decode(reader, version) as Response<typeof ApiVersions>
  const allowed = apiKeys.flatMap(({ apiKey, minVersion, maxVersion }) => {
    const range = limits.get(apiKey)
    if (range === undefined) return []
    return [{ apiKey, minVersion: Math.max(minVersion, range[0]), maxVersion: Math.min(maxVersion, range[1]) }]
  })
  return Buffer.concat(encodeResponseFrame(ApiVersions, version, correlationId, { errorCode, apiKeys: allowed }))
}

/** Calls `handle` with each whole frame, its length included. */
function onFrames(socket: Socket, handle: (frame: Buffer) => void): void {
  let received: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
      const end = 4 + received.readInt32BE(0)
      handle(received.subarray(0, end))
      received = received.subarray(end)
    }
  })
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
}
