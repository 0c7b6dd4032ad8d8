/** What a connection holds of the memory that all share, and for how long: on a transport whose bytes the test hands out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReceiveMemory } from '@millrace/network'
import { encodeRequestFrame, Fetch, Metadata, Produce, type Api, type RequestInput } from '@millrace/protocol'
import { BufferPool, silentLogger, type ByteSink, type Logger, type TransportConnection } from '@millrace/runtime'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import type { BrokerServices } from './broker-services.ts'
import { ClientConnection } from './client-connection.ts'
import { handler, type Handler } from './handler.ts'
import type { RequestContext } from './request-context.ts'

/** The client's end. */
class Peer implements TransportConnection {
  readonly remoteAddress = { host: '192.0.2.1', port: 1234 }
  readonly localAddress = { host: '192.0.2.2', port: 9092 }
  readonly encrypted = false
  readonly peerCertificateSubject = null
  queuedBytes = 0
  isPaused = false
  isDestroyed = false
  readonly #sent: { bytes: number; onDone: (error: Error | null) => void }[] = []
  #sink!: ByteSink

  start(sink: ByteSink): void {
    this.#sink = sink
  }

  pauseReading(): void {
    this.isPaused = true
  }

  resumeReading(): void {
    this.isPaused = false
  }

  write(buffers: readonly Uint8Array[], onDone: (error: Error | null) => void): void {
    const bytes = buffers.reduce((sum, { length }) => sum + length, 0)
    this.queuedBytes += bytes
    this.#sent.push({ bytes, onDone })
  }

  end(): void {}

  destroy(): void {
    this.isDestroyed = true
  }

  get unreadAnswers(): number {
    return this.#sent.length
  }

  /** As much as the connection lets in. Returns how much that was. */
  send(bytes: Uint8Array): number {
    let at = 0
    while (at < bytes.length && !this.isPaused && !this.isDestroyed) {
      const buffer = this.#sink.buffer()
      const length = Math.min(buffer.length, bytes.length - at)
      buffer.set(bytes.subarray(at, at + length))
      at += length
      this.#sink.received(length)
    }
    return at
  }

  /** Takes what was sent to it so far. */
  readAnswers(error: Error | null = null): void {
    for (const { bytes, onDone } of this.#sent.splice(0)) {
      this.queuedBytes -= bytes
      onDone(error)
    }
  }

  /** What follows `destroy`, or the client's leaving. */
  closed(): void {
    this.readAnswers(new Error('closed'))
    this.#sink.closed(null)
  }
}

interface World {
  readonly peer: Peer
  readonly connection: ClientConnection
  readonly memory: ReceiveMemory
  readonly errors: string[]
  readonly clock: SimulatedClock
  readonly time: SimulatedTime
}

function connected(...handlers: readonly unknown[]): World {
  const errors: string[] = []
  const logger: Logger = { ...silentLogger, error: (message) => void errors.push(message) }
  const time = new SimulatedTime()
  const clock = new SimulatedClock(time)
  const pool = new BufferPool({ maxKeptBytes: 1 << 26 })
  const memory = new ReceiveMemory({ pool, clock, logger, limitBytes: 1 << 28 })
  const served = (handlers as Handler[]).map((one) => [one.api.key, one] as const)
  const services = { nodeId: 1, clock, logger, buffers: pool, handlers: new Map(served) } as unknown as BrokerServices
  const peer = new Peer()
  const connection = new ClientConnection({
    id: 1,
    listenerName: 'PLAINTEXT',
    advertised: null,
    connection: peer,
    memory,
    maxRequestBytes: 100 << 20,
    services,
    onClosed: () => {},
  })
  connection.start()
  return { peer, connection, memory, errors, clock, time }
}

function frame<A extends Api>(api: A, version: number, request: RequestInput<A>): Uint8Array {
  return Buffer.concat(encodeRequestFrame(api, version, 1, 'test', request))
}

function produceOf(bytes: number): Uint8Array {
  const records = new Uint8Array(bytes)
  const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
  return frame(Produce, 7, { acks: 1, timeoutMs: 0, topicData })
}

const fetchRequest = frame(Fetch, 11, { maxWaitMs: 0x7fffffff, minBytes: 1, maxBytes: 1, topics: [] })
const noAnswer = { responses: [], throttleTimeMs: 0 }

/** One slab is kept for the next small frames. */
const slabBytes = 64 * 1024

/** A Fetch that waits until it is told to hurry, or for ever. */
function waitingFetch(hurried: string[] = []) {
  return handler(Fetch, async (_request, context) => {
    await new Promise<void>((resolve) => context.connection.onHurry(resolve))
    hurried.push('hurried')
    return { responses: [], throttleTimeMs: 0, errorCode: 0, sessionId: 0 }
  })
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

const failures: [name: string, handle: (context: RequestContext) => never | Promise<never>][] = [
  [
    'throws',
    () => {
      throw new Error('a bug')
    },
  ],
  ['rejects', () => Promise.reject(new Error('a bug'))],
  ['answers what cannot be encoded', () => ({ responses: null }) as never],
]
for (const [name, handle] of failures)
  test(`a handler that ${name} gives back its request and its buffers, and ends the connection`, async () => {
    let releases = 0
    const failing = handler(Produce, (_request, context) => {
      context.onSent(() => releases++)
      return handle(context)
    })
    const { peer, memory, errors } = connected(failing)
    peer.send(produceOf(300_000))
    await turns()
    assert.equal(errors.length, 1)
    assert.match(errors[0]!, /^cannot serve Produce version 7 of 192\.0\.2\.1:1234/)
    assert.deepEqual([peer.isDestroyed, releases, memory.usedBytes], [true, 1, 0])
    peer.closed()
    assert.deepEqual([releases, memory.usedBytes], [1, 0])
  })

test('a handler that fails after another has, or after the connection is gone, gives everything back once', async () => {
  const ends: ((error: Error) => void)[] = []
  let releases = 0
  const failing = handler(Produce, (_request, context) => {
    context.onSent(() => releases++)
    context.letNextStart()
    return new Promise<never>((_resolve, reject) => ends.push(reject))
  })
  const { peer, memory } = connected(failing)
  for (let at = 0; at < 3; at++) peer.send(produceOf(100_000))
  assert.equal(ends.length, 3)
  ends[1]!(new Error('second'))
  await turns()
  assert.equal(releases, 0, 'the first is still under way')
  peer.closed()
  ends[0]!(new Error('first'))
  ends[2]!(new Error('third'))
  await turns()
  assert.deepEqual([releases, memory.usedBytes], [3, 0])
})

test('answers that are not taken when the connection goes give their buffers back once', async () => {
  let releases = 0
  const answering = handler(Produce, (_request, context) => {
    context.onSent(() => releases++)
    return noAnswer
  })
  const { peer, memory } = connected(answering)
  for (let at = 0; at < 5; at++) peer.send(produceOf(100))
  assert.deepEqual([peer.unreadAnswers, releases], [5, 0])
  peer.closed()
  assert.deepEqual([releases, memory.usedBytes], [5, slabBytes])
})

test('only records keep a request’s memory while it is served, and no longer than they are needed', async () => {
  const finish = Promise.withResolvers<void>()
  const replicating = handler(Produce, async (_request, context) => {
    context.letNextStart()
    await Promise.resolve()
    context.releaseRequest()
    await finish.promise
    return noAnswer
  })
  const looking = handler(Metadata, () => finish.promise.then(() => ({ topics: [], brokers: [] })))
  const { peer, memory } = connected(replicating, looking)
  peer.send(produceOf(300_000))
  assert.ok(memory.usedBytes >= 300_000)
  await turns()
  assert.equal(memory.usedBytes, 0)
  const names = Array.from({ length: 20_000 }, (_, at) => ({ name: `topic-${at}` }))
  peer.send(frame(Metadata, 4, { topics: names, allowAutoTopicCreation: false }))
  assert.equal(memory.usedBytes, 0)
  finish.resolve()
  await turns()
  assert.deepEqual([peer.unreadAnswers, peer.isDestroyed], [2, false])
})

test('who sends much behind a request that waits is read no further, and the wait ends', async () => {
  const hurried: string[] = []
  let produced = 0
  const counting = handler(Produce, () => {
    produced++
    return noAnswer
  })
  const { peer, memory } = connected(waitingFetch(hurried), counting)
  peer.send(fetchRequest)
  const small = produceOf(1000)
  peer.send(Buffer.concat(Array.from({ length: 30 }, () => small)))
  await turns()
  assert.deepEqual([hurried.length, produced, peer.isPaused], [0, 0, false], 'a little ahead is no harm')
  const large = produceOf(900_000)
  let sent = 0
  while (!peer.isPaused) sent += peer.send(large)
  assert.ok(sent <= 4_000_000, `${sent} bytes were read ahead`)
  await turns()
  assert.equal(hurried.length, 1)
  assert.equal(produced, 30 + sent / large.length)
  assert.deepEqual([peer.isPaused, memory.usedBytes], [false, slabBytes])
})

test('a request that comes to wait when much is queued behind it does not wait at all', async () => {
  const hurried: string[] = []
  const gate = Promise.withResolvers<void>()
  const slow = handler(Metadata, () => gate.promise.then(() => ({ topics: [], brokers: [] })))
  const { peer } = connected(
    slow,
    waitingFetch(hurried),
    handler(Produce, () => noAnswer),
  )
  peer.send(frame(Metadata, 4, { topics: [], allowAutoTopicCreation: false }))
  peer.send(fetchRequest)
  while (!peer.isPaused) peer.send(produceOf(900_000))
  gate.resolve()
  await turns()
  assert.equal(hurried.length, 1)
  assert.ok(!peer.isPaused)
})

test('a client that never reads is served no more, holds little, and counts as idle', async () => {
  const answering = handler(Produce, () => ({
    responses: [{ name: 'x'.repeat(30_000), partitionResponses: [] }],
    throttleTimeMs: 0,
  }))
  const { peer, memory, connection, clock, time } = connected(answering)
  const request = produceOf(100)
  const flood = Buffer.concat(Array.from({ length: 10_000 }, () => request))
  peer.send(flood)
  assert.ok(peer.isPaused)
  assert.ok(peer.queuedBytes < 1_200_000, `${peer.queuedBytes} bytes of answers wait`)
  assert.ok(memory.usedBytes <= 3 * slabBytes, `${memory.usedBytes} bytes of requests wait`)
  connection.idleSinceMs(clock.monotonicMs())
  await time.advance(5000)
  const nowMs = clock.monotonicMs()
  assert.ok(nowMs - connection.idleSinceMs(nowMs)! >= 5000)
  peer.readAnswers()
  assert.equal(connection.idleSinceMs(nowMs), nowMs, 'taking an answer is a sign of life')
  for (let round = 0; peer.isPaused; round++) {
    assert.ok(round < 100, 'reading goes on when answers are taken')
    peer.readAnswers()
  }
  peer.closed()
  assert.ok(memory.usedBytes <= slabBytes)
})

test('ten thousand pipelined requests are all answered', async () => {
  const later = handler(Produce, (_request, context) => {
    context.letNextStart()
    return Promise.resolve(noAnswer)
  })
  const { peer, memory } = connected(later)
  const request = produceOf(10)
  let rest: Uint8Array = Buffer.concat(Array.from({ length: 10_000 }, () => request))
  let answered = 0
  for (let round = 0; answered < 10_000; round++) {
    assert.ok(round < 10_000, `stuck after ${answered} answers`)
    rest = rest.subarray(peer.send(rest))
    await turns()
    answered += peer.unreadAnswers
    peer.readAnswers()
  }
  assert.equal(memory.usedBytes, slabBytes)
})

test('bytes of a large request are a sign of life while they come', async () => {
  const { peer, connection, clock, time } = connected(handler(Produce, () => noAnswer))
  const large = produceOf(500_000)
  peer.send(large.subarray(0, 100_000))
  connection.idleSinceMs(clock.monotonicMs())
  await time.advance(1000)
  peer.send(large.subarray(100_000, 200_000))
  const nowMs = clock.monotonicMs()
  assert.equal(connection.idleSinceMs(nowMs), nowMs)
  await time.advance(1000)
  assert.equal(connection.idleSinceMs(clock.monotonicMs()), nowMs)
})

test('nothing that was sent behind a request that ends the connection is done', async () => {
  const done: string[] = []
  const noting = handler(Produce, (request) => {
    done.push(`acks ${request.acks}`)
    return noAnswer
  })
  const notServed = frame(Metadata, 0, { topics: [] })
  const { peer, memory } = connected(noting)
  peer.send(Buffer.concat([produceOf(10), notServed, produceOf(10), produceOf(10)]))
  assert.deepEqual([done.length, peer.isDestroyed], [1, true])
  peer.closed()
  assert.equal(memory.usedBytes, slabBytes)
})

test('a handler that closes the connection ends what is behind it', async () => {
  let served = 0
  const closing = handler(Produce, (_request, context) => {
    if (++served === 2) context.closeConnection('as the test wants')
    return null
  })
  const { peer, memory, errors } = connected(closing)
  peer.send(Buffer.concat([produceOf(10), produceOf(10), produceOf(10), produceOf(10)]))
  peer.closed()
  assert.deepEqual([served, peer.isDestroyed, errors.length, memory.usedBytes], [2, true, 0, slabBytes])
})
