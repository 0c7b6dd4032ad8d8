/** What every transport must do, whichever it is. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { Clock } from './clock.ts'
import { NodeClock } from './node/node-clock.ts'
import { NodeTransport } from './node/node-transport.ts'
import { simulation } from './testing/index.ts'
import { testCa, testClientCertificate, testClientKey } from './testing/test-certificates.ts'
import { testServerCertificate, testServerKey } from './testing/test-certificates.ts'
import type { Address, ByteSink, TlsClientOptions, TlsServerOptions } from './transport.ts'
import type { Transport, TransportConnection, TransportListener } from './transport.ts'

interface World {
  readonly clock: Clock
  readonly server: Transport
  readonly client: Transport
  /** To listen on. */
  readonly host: string
  readonly serverTls?: TlsServerOptions
  readonly clientTls?: TlsClientOptions
  readonly run: <T>(promise: Promise<T>) => Promise<T>
}

const serverTls = { key: testServerKey, certificate: testServerCertificate, clientAuth: 'none' } as const

function real(options: ConstructorParameters<typeof NodeTransport>[1]): World {
  const clock = new NodeClock()
  const transport = new NodeTransport(clock, options)
  return { clock, server: transport, client: transport, host: '127.0.0.1', run: (promise) => promise }
}

const worlds: Record<string, () => World> = {
  'node, own buffers': () => real({}),
  'node, data events': () => real({ receive: 'data-events' }),
  'node, TLS': () => ({ ...real({}), serverTls, clientTls: { ca: testCa } }),
  simulated: () => {
    const world = simulation(11)
    return {
      clock: world.clock,
      server: world.host('server').transport,
      client: world.host('client').transport,
      host: 'server',
      run: (promise) => world.time.run(promise),
    }
  },
}

/** Gathers what comes, through a buffer that all share, as receivers of frames do. */
class Gathering implements ByteSink {
  static readonly #shared = new Uint8Array(7000)
  readonly #chunks: Uint8Array[] = []
  readonly #waiters: { readonly bytes: number; readonly resolve: () => void }[] = []
  readonly end = Promise.withResolvers<void>()
  readonly close = Promise.withResolvers<Error | null>()
  onReceived: (() => void) | null = null
  length = 0
  closings = 0

  buffer(): Uint8Array {
    assert.equal(this.closings, 0)
    return Gathering.#shared
  }

  received(length: number): void {
    assert.equal(this.closings, 0)
    assert.ok(length >= 1)
    this.#chunks.push(Gathering.#shared.slice(0, length))
    this.length += length
    for (const waiter of this.#waiters) if (this.length >= waiter.bytes) waiter.resolve()
    this.onReceived?.()
  }

  ended(): void {
    this.end.resolve()
  }

  closed(error: Error | null): void {
    this.closings++
    this.close.resolve(error)
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  has(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.length >= bytes) resolve()
      else this.#waiters.push({ bytes, resolve })
    })
  }
}

interface Pair {
  readonly listener: TransportListener
  readonly near: TransportConnection
  readonly far: TransportConnection
  readonly nearSink: Gathering
  readonly farSink: Gathering
}

async function connectPair(world: World): Promise<Pair> {
  const accepted = Promise.withResolvers<TransportConnection>()
  const listener = await world.server.listen(
    { host: world.host, port: 0, ...(world.serverTls === undefined ? {} : { tls: world.serverTls }) },
    accepted.resolve,
  )
  const near = await world.run(connectTo(world, listener.address))
  const far = await world.run(accepted.promise)
  const [nearSink, farSink] = [new Gathering(), new Gathering()]
  near.start(nearSink)
  far.start(farSink)
  return { listener, near, far, nearSink, farSink }
}

function connectTo(world: World, address: Address): Promise<TransportConnection> {
  return world.client.connect({
    ...address,
    timeoutMs: 5000,
    ...(world.clientTls === undefined ? {} : { tls: world.clientTls }),
  })
}

async function finish(world: World, { listener, near, far, nearSink, farSink }: Pair): Promise<void> {
  near.destroy()
  far.destroy()
  await world.run(Promise.all([nearSink.close.promise, farSink.close.promise]))
  await listener[Symbol.asyncDispose]()
  assert.deepEqual([nearSink.closings, farSink.closings], [1, 1])
}

function written(connection: TransportConnection, buffers: Uint8Array[]): Promise<Error | null> {
  let calls = 0
  return new Promise((resolve) => {
    connection.write(buffers, (error) => {
      assert.equal(++calls, 1, 'onDone is called once')
      resolve(error)
    })
  })
}

function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 8)
  return bytes
}

for (const [name, open] of Object.entries(worlds)) {
  test(`${name}: bytes arrive in order, both ways, whatever the sizes`, async () => {
    const world = open()
    const pair = await connectPair(world)
    const { near, far, nearSink, farSink } = pair
    const all = pattern(3_000_000)
    const done: Promise<Error | null>[] = []
    let at = 0
    for (let size = 1; at < all.length; size = size * 2 + 1) {
      done.push(written(near, [all.subarray(at, at + size), all.subarray(at + size, at + 2 * size)]))
      at += 2 * size
    }
    done.push(written(far, []), written(far, [all.subarray(0, 10), new Uint8Array(0), all.subarray(10, 1000)]))
    assert.equal(near.queuedBytes, all.length)
    await world.run(Promise.all([farSink.has(all.length), nearSink.has(1000)]))
    assert.ok(farSink.bytes().equals(all))
    assert.ok(nearSink.bytes().equals(all.subarray(0, 1000)))
    assert.ok((await world.run(Promise.all(done))).every((error) => error === null))
    assert.equal(near.queuedBytes, 0)
    await finish(world, pair)
  })

  test(`${name}: addresses and encryption are told`, async () => {
    const world = open()
    const pair = await connectPair(world)
    const { near, far, listener } = pair
    assert.notEqual(listener.address.port, 0)
    assert.deepEqual(near.remoteAddress, listener.address)
    assert.deepEqual(far.localAddress, listener.address)
    assert.deepEqual(far.remoteAddress, near.localAddress)
    assert.equal(near.encrypted, world.serverTls !== undefined)
    assert.equal(far.encrypted, near.encrypted)
    assert.equal(far.peerCertificateSubject, null)
    await finish(world, pair)
  })

  test(`${name}: who has ended its side still gets its answer, then both are closed without an error`, async () => {
    const world = open()
    const pair = await connectPair(world)
    const { near, far, nearSink, farSink, listener } = pair
    void written(near, [pattern(100_000)])
    near.end()
    assert.ok((await world.run(written(near, [pattern(1)]))) instanceof Error, 'nothing is written after the end')
    await world.run(farSink.end.promise)
    assert.equal(farSink.length, 100_000)
    void written(far, [pattern(200_000)])
    far.end()
    await world.run(nearSink.end.promise)
    assert.equal(nearSink.length, 200_000)
    const errors = await world.run(Promise.all([nearSink.close.promise, farSink.close.promise]))
    assert.deepEqual(errors, [null, null])
    await listener[Symbol.asyncDispose]()
  })

  test(`${name}: paused reading leaves the bytes with the peer, whose queue grows, until resumed`, async () => {
    const world = open()
    const pair = await connectPair(world)
    const { near, far, farSink } = pair
    far.pauseReading()
    const all = pattern(20_000_000)
    const done = written(near, [all])
    await world.run(world.clock.sleep(30))
    assert.equal(farSink.length, 0)
    assert.ok(near.queuedBytes > 0)
    // Every chunk pauses, and goes on a little later.
    let pauses = 0
    farSink.onReceived = () => {
      if (pauses++ > 20) return
      const { length } = farSink
      far.pauseReading()
      setImmediate(() => {
        assert.equal(farSink.length, length, 'nothing comes while paused')
        far.resumeReading()
      })
    }
    far.resumeReading()
    assert.equal(await world.run(done), null)
    await world.run(farSink.has(all.length))
    assert.ok(farSink.bytes().equals(all))
    await finish(world, pair)
  })

  test(`${name}: a connection not yet started loses nothing`, async () => {
    const world = open()
    const accepted = Promise.withResolvers<TransportConnection>()
    const tls = world.serverTls === undefined ? {} : { tls: world.serverTls }
    const listener = await world.server.listen({ host: world.host, port: 0, ...tls }, accepted.resolve)
    const near = await world.run(connectTo(world, listener.address))
    const far = await world.run(accepted.promise)
    void written(near, [pattern(5000)])
    void written(far, [pattern(5000)])
    await world.run(world.clock.sleep(20))
    const [nearSink, farSink] = [new Gathering(), new Gathering()]
    near.start(nearSink)
    far.start(farSink)
    await world.run(Promise.all([nearSink.has(5000), farSink.has(5000)]))
    assert.ok(nearSink.bytes().equals(pattern(5000)))
    assert.ok(farSink.bytes().equals(pattern(5000)))
    await finish(world, { listener, near, far, nearSink, farSink })
  })

  test(`${name}: destroying fails what is queued, once, and the peer notices`, async () => {
    const world = open()
    const pair = await connectPair(world)
    const { near, far, nearSink, farSink, listener } = pair
    far.pauseReading()
    const writes = [written(near, [pattern(15_000_000)]), written(near, [pattern(1000)])]
    await world.run(world.clock.sleep(20))
    writes.push(written(near, [pattern(10)]))
    near.destroy()
    near.destroy()
    const errors = await world.run(Promise.all(writes))
    assert.ok(errors.every((error) => error instanceof Error))
    assert.equal(await world.run(nearSink.close.promise), null)
    assert.ok((await world.run(written(near, [pattern(1)]))) instanceof Error)
    assert.equal(near.queuedBytes, 0)
    far.resumeReading()
    await world.run(Promise.race([farSink.end.promise, farSink.close.promise]))
    far.destroy()
    await world.run(farSink.close.promise)
    await listener[Symbol.asyncDispose]()
    assert.deepEqual([nearSink.closings, farSink.closings], [1, 1])
  })

  test(`${name}: connecting fails with a code, the signal's reason or a time-out`, async () => {
    const world = open()
    const listener = await world.server.listen({ host: world.host, port: 0 }, () => {})
    await assert.rejects(
      world.server.listen({ ...listener.address }, () => {}),
      { code: 'EADDRINUSE' },
    )
    await listener[Symbol.asyncDispose]()
    await listener[Symbol.asyncDispose]()
    await assert.rejects(world.run(connectTo(world, listener.address)), { code: 'ECONNREFUSED' })
    const reason = new Error('changed my mind')
    const options = { ...listener.address, timeoutMs: 5000 }
    await assert.rejects(world.client.connect({ ...options, signal: AbortSignal.abort(reason) }), reason)
    const controller = new AbortController()
    const connecting = world.client.connect({ ...options, signal: controller.signal })
    controller.abort(reason)
    await assert.rejects(world.run(connecting), reason)
  })

  test(`${name}: while accepting is paused connections wait, and the listener's end leaves the accepted ones alone`, async () => {
    const world = open()
    const accepted: TransportConnection[] = []
    const first = Promise.withResolvers<void>()
    const tls = world.serverTls === undefined ? {} : { tls: world.serverTls }
    const listener = await world.server.listen({ host: world.host, port: 0, ...tls }, (connection) => {
      accepted.push(connection)
      first.resolve()
    })
    listener.pauseAccepting()
    const near = await world.run(connectTo(world, listener.address))
    const nearSink = new Gathering()
    near.start(nearSink)
    await world.run(world.clock.sleep(20))
    assert.equal(accepted.length, 0)
    listener.resumeAccepting()
    await world.run(first.promise)
    await listener[Symbol.asyncDispose]()
    const farSink = new Gathering()
    accepted[0]!.start(farSink)
    void written(accepted[0]!, [pattern(10)])
    await world.run(nearSink.has(10))
    await finish(world, { listener, near, far: accepted[0]!, nearSink, farSink })
  })
}

test('node: a connection that takes no time-out for an answer is given up', async () => {
  const { client } = real({})
  // A server that accepts and says nothing: TLS never gets ready.
  const { server } = real({})
  const listener = await server.listen({ host: '127.0.0.1', port: 0 }, (connection) =>
    connection.start(new Gathering()),
  )
  const connecting = client.connect({ ...listener.address, timeoutMs: 30, tls: { ca: testCa } })
  await assert.rejects(connecting, { code: 'ERR_TLS_HANDSHAKE_TIMEOUT' })
  await listener[Symbol.asyncDispose]()
})

test('node: a certificate of the client is asked for, checked and named', async () => {
  const world = real({})
  const tls = { ...serverTls, clientCa: testCa, clientAuth: 'required' } as const
  const failed = Promise.withResolvers<Error>()
  const accepted = Promise.withResolvers<TransportConnection>()
  const listener = await world.server.listen(
    { host: '127.0.0.1', port: 0, tls, onFailedAccept: failed.resolve },
    accepted.resolve,
  )
  const withCertificate = { ca: testCa, key: testClientKey, certificate: testClientCertificate }
  const near = await world.client.connect({ ...listener.address, timeoutMs: 5000, tls: withCertificate })
  const far = await accepted.promise
  assert.equal(far.peerCertificateSubject, 'CN=orders,OU=Billing,O=Example\\, Inc.,C=DE')
  assert.equal(near.peerCertificateSubject, 'CN=localhost')

  const stranger = world.client.connect({ ...listener.address, timeoutMs: 5000, tls: { ca: testCa } })
  stranger.then(
    (connection) => connection.destroy(),
    () => {},
  )
  assert.ok((await failed.promise) instanceof Error)
  await assert.rejects(world.client.connect({ ...listener.address, timeoutMs: 5000, tls: {} }), Error)
  near.destroy()
  far.destroy()
  await listener[Symbol.asyncDispose]()
})

test('node: accepted connections are read into the sink’s own buffers: Node’s internals are as expected', async () => {
  const world = real({})
  const accepted = Promise.withResolvers<TransportConnection>()
  const listener = await world.server.listen({ host: '127.0.0.1', port: 0 }, accepted.resolve)
  const near = await connectTo(world, listener.address)
  near.start(new Gathering())
  const far = await accepted.promise
  // Node's own chunks have at most 64 KiB.
  const large = new Uint8Array(1_000_000)
  const largest = new Promise<void>((resolve) =>
    far.start({
      buffer: () => large,
      received: (length) => {
        if (length > 65_536) resolve()
      },
      ended: () => {},
      closed: () => {},
    }),
  )
  void written(near, [pattern(20_000_000)])
  await largest
  near.destroy()
  far.destroy()
  await listener[Symbol.asyncDispose]()
})

test('node: what is written in one turn leaves together', async () => {
  const world = real({})
  const pair = await connectPair(world)
  let reads = 0
  pair.farSink.onReceived = () => reads++
  for (let i = 0; i < 600; i++) pair.near.write([pattern(10)], () => {})
  await pair.farSink.has(6000)
  assert.ok(reads <= 3, `${reads} reads`)
  await finish(world, pair)
})
