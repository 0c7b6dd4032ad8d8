import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { BufferPool, nodeRuntime, silentLogger } from '@millrace/runtime'
import { BrokerConfig } from '../config/broker-config.ts'
import type { BrokerServices } from './broker-services.ts'
import { SocketServer } from './socket-server.ts'

const { clock, transport } = nodeRuntime()

function newServer(): SocketServer {
  const services = { nodeId: 1, clock, logger: silentLogger, handlers: new Map() } as unknown as BrokerServices
  return new SocketServer(services, {
    transport,
    logger: silentLogger,
    buffers: new BufferPool({ maxKeptBytes: 1 << 20 }),
    maxRequestBytes: 1 << 20,
    maxReceiveBytes: 1 << 24,
    maxIdleMs: 60_000,
    backlog: 10,
    limits: { maxConnections: 100, maxConnectionsPerIp: 100, perIpOverrides: new Map() },
  })
}

test('a server that is closed before it was opened ends the connections that came early', async () => {
  const server = newServer()
  const [listener] = BrokerConfig.of({ listeners: 'PLAINTEXT://127.0.0.1:0', 'log.dirs': '/none' }).listeners
  await server.bind(listener!)
  const { port } = server.bound[0]!.address
  const [early, left] = [connect({ host: '127.0.0.1', port }), connect({ host: '127.0.0.1', port })]
  for (const socket of [early, left]) socket.on('error', () => {})
  await Promise.all([once(early, 'connect'), once(left, 'connect')])
  early.write(Buffer.from([0, 0, 0, 10, 0]))
  left.destroy()
  while (server.connectionCount < 2) await new Promise((resolve) => setImmediate(resolve))
  const closed = new Promise((resolve) => early.once('close', resolve))
  await server[Symbol.asyncDispose]()
  await closed
  assert.equal(server.connectionCount, 0)
})
