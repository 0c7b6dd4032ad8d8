/** What people are told who have got the address, the port or the security settings wrong. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Metadata } from '@millrace/protocol'
import { nodeRuntime } from '@millrace/runtime'
import type { Address, TlsClientOptions, TlsServerOptions } from '@millrace/runtime'
import {
  testCa,
  testClientCertificate,
  testClientKey,
  testExpiredCertificate,
  testSelfSignedCertificate,
  testSelfSignedKey,
  testServerCertificate,
  testServerKey,
} from '@millrace/runtime/testing'
import type { BrokerConnection } from './broker-connection.ts'
import { connectToBroker } from './connect-to-broker.ts'
import { connectFailure } from './failures.ts'
import { answerWithId } from './testing/sasl-broker.ts'
import { startScriptedBroker } from './testing/scripted-broker.ts'

const { transport, clock } = nodeRuntime()

function connect(address: Address, tls?: TlsClientOptions, connectTimeoutMs = 10_000): Promise<BrokerConnection> {
  return connectToBroker(transport, address, {
    clock,
    clientId: null,
    connectTimeoutMs,
    ...(tls === undefined ? {} : { tls }),
  })
}

async function fails(address: Address, tls: TlsClientOptions | undefined, expected: object): Promise<void> {
  await assert.rejects(connect(address, tls, 'patience' in expected ? 100 : 10_000), (error: Error) => {
    const { message, ...rest } = expected as { message: RegExp }
    assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${address.port}: `))
    assert.match(error.message, message)
    for (const [name, value] of Object.entries(rest))
      if (name !== 'patience') assert.equal(error[name as keyof Error], value)
    return true
  })
}

/** A server that is no broker: does `serve` with each connection. */
async function listen(serve: (socket: Socket) => void): Promise<Address & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listenAsBroker(tls?: TlsServerOptions): Promise<Address & AsyncDisposable> {
  const listener = await startScriptedBroker({
    transport,
    clock,
    host: '127.0.0.1',
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    apiKeys: [{ apiKey: Metadata.key, minVersion: 0, maxVersion: 9 }],
    serve: answerWithId,
  })
  return { ...listener.address, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() }
}

const serverTls = { key: testServerKey, certificate: testServerCertificate, clientAuth: 'none' } as const

test('nothing listens there', async () => {
  const { port } = await (async () => {
    await using server = await listen(() => {})
    return { port: server.port }
  })()
  const expected = { code: 13, retriable: true, message: /connection refused: nothing listens there. Check that/ }
  await fails({ host: '127.0.0.1', port }, undefined, expected)
})

test('nothing listens at any of the addresses of a name', () => {
  const refused = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:9092`))
  const error = Object.assign(new AggregateError(refused), { code: 'ECONNREFUSED' })
  assert.equal(
    connectFailure({ host: 'localhost', port: 9092 }, false, error).message,
    'localhost:9092: connection refused: nothing listens there. Check that the broker runs, and the port (connect ECONNREFUSED ::1:9092, connect ECONNREFUSED 127.0.0.1:9092)',
  )
})

test('the host name is not known', async () => {
  await assert.rejects(connect({ host: 'broker.invalid', port: 9092 }), {
    code: 13,
    retriable: true,
    message: /^broker\.invalid:9092: (the host name is not known. Check brokers|the name server did not answer)/,
  })
})

test('an address that is none is a mistake of the caller', async () => {
  await assert.rejects(connect({ host: '127.0.0.1', port: 99_999 }), RangeError)
})

test('a TLS port spoken to in plaintext', async () => {
  await using broker = await listenAsBroker(serverTls)
  await fails(broker, undefined, { code: 13, message: /set ssl: true/ })
})

test('a TLS port that answers with an alert', async () => {
  const alert = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 70)
  await using server = await listen((socket) => socket.once('data', () => socket.end(alert)))
  const message = /the first bytes look like TLS: if it is a TLS port, set ssl: true/
  await fails(server, undefined, { code: 13, retriable: false, message })
})

test('a TLS port that just closes when spoken to in plaintext', async () => {
  await using server = await listen((socket) => socket.once('data', () => socket.end()))
  await fails(server, undefined, {
    code: 13,
    retriable: true,
    message: /closed the connection before it answered anything. If it is a TLS port, set ssl: true/,
  })
})

test('a plaintext port spoken to in TLS', async () => {
  await using broker = await listenAsBroker()
  await fails(broker, {}, { code: 13, retriable: true, message: /If it is a plaintext port, leave out ssl/ })
})

const httpAnswer = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'

test('an HTTP server', async () => {
  await using server = await listen((socket) => socket.once('data', () => socket.end(httpAnswer)))
  await fails(server, undefined, {
    code: 13,
    message: /the first bytes look like HTTP. Check that a Kafka broker listens there$/,
  })
  await fails(server, {}, { code: 13, retriable: false, message: /does not speak TLS.*leave out ssl/ })
})

test('a server of another kind', async () => {
  await using server = await listen((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
  await fails(server, undefined, { code: 13, message: /the first bytes look like the text "SSH-"/ })
})

for (const { name, bytes, message } of [
  {
    name: 'a negative length',
    bytes: [0xff, 0xff, 0xff, 0xff],
    message: /expected an answer of 0 to 1048576 bytes, got/,
  },
  { name: 'a huge length', bytes: [0x7f, 0xff, 0xff, 0xff], message: /got the length 2147483647/ },
  {
    name: 'no correlation id',
    bytes: [0, 0, 0, 1, 7],
    message: /expected an answer with a correlation id, got 1 bytes/,
  },
  { name: 'an id not asked for', bytes: [0, 0, 0, 4, 0, 0, 0, 9], message: /not made, with correlation id 9. Check/ },
  { name: 'a short answer', bytes: [0, 0, 0, 6, 0, 0, 0, 0, 0, 0], message: /ApiVersions version 4 cannot be read/ },
  { name: 'half a frame', bytes: [0, 0, 1, 0, 0, 0, 0, 0], message: /closed the connection before it answered/ },
]) {
  test(`a server that answers with ${name}`, async () => {
    const closed = Promise.withResolvers<void>()
    await using server = await listen((socket) => {
      socket.once('data', () => socket.end(Uint8Array.from(bytes)))
      socket.on('close', () => closed.resolve())
    })
    await fails(server, undefined, { message })
    await closed.promise
  })
}

test('a server that accepts and never answers', async () => {
  await using server = await listen(() => {})
  await fails(server, undefined, {
    patience: 'none',
    code: 7,
    message:
      /no answer to ApiVersions within \d+ ms. It accepts connections, but may be no Kafka broker. If it is a TLS port/,
  })
  await fails(server, {}, { patience: 'none', code: 13, message: /does not speak TLS in time/ })
})

test('a certificate whose authority is not known here', async () => {
  await using broker = await listenAsBroker(serverTls)
  const message = /comes from an authority that is not trusted here: give the authority's certificate as ssl.ca/
  await fails(broker, {}, { code: 13, retriable: false, message })
})

test('a certificate signed by itself', async () => {
  const tls = { ...serverTls, key: testSelfSignedKey, certificate: testSelfSignedCertificate }
  await using broker = await listenAsBroker(tls)
  const message = /is signed by itself. If you trust it, give it as ssl.ca/
  await fails(broker, {}, { code: 13, retriable: false, message })
  await using trusted = await connect(broker, { ca: testSelfSignedCertificate })
  assert.ok(trusted.isOpen)
})

test('a certificate that has expired', async () => {
  await using broker = await listenAsBroker({
    ...serverTls,
    key: testSelfSignedKey,
    certificate: testExpiredCertificate,
  })
  const message = /certificate has expired, and has to be renewed on the broker/
  await fails(broker, { ca: testExpiredCertificate }, { code: 13, retriable: false, message })
})

test('a certificate for another name', async () => {
  await using broker = await listenAsBroker(serverTls)
  const message = /is for another name: connect by a name that is in it, or give that name as ssl.serverName/
  await fails(broker, { ca: testCa, serverName: 'kafka.example' }, { code: 13, retriable: false, message })
  await using named = await connect(broker, { ca: testCa, serverName: 'localhost' })
  await named.send(Metadata, { topics: [] })
  await using unchecked = await connect(broker, { verify: false, serverName: 'kafka.example' })
  await unchecked.send(Metadata, { topics: [] })
})

test('a broker that asks for a certificate of ours', async () => {
  await using broker = await listenAsBroker({ ...serverTls, clientCa: testCa, clientAuth: 'required' })
  const message = /If it asks for client certificates, set ssl.certificate and ssl.key/
  await fails(broker, { ca: testCa }, { code: 13, message })
  const foreign = { ca: testCa, key: testSelfSignedKey, certificate: testSelfSignedCertificate }
  await fails(broker, foreign, { code: 13, message: /ssl\.certificate/ })
  await using welcome = await connect(broker, { ca: testCa, key: testClientKey, certificate: testClientCertificate })
  await welcome.send(Metadata, { topics: [] })
})

test('keys and certificates that are none', async () => {
  await using broker = await listenAsBroker(serverTls)
  await fails(
    broker,
    { ca: testCa, key: testSelfSignedKey, certificate: testClientCertificate },
    { code: 13, retriable: false, message: /ssl.ca, ssl.certificate, ssl.key or ssl.passphrase is wrong: PEM texts/ },
  )
  for (const name of ['ca', 'certificate', 'key']) {
    await assert.rejects(connect(broker, { [name]: '/etc/kafka/some.pem' }), {
      name: 'TypeError',
      message: new RegExp(`^ssl.${name}: expected a PEM text`),
    })
  }
})
