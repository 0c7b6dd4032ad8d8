import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BufferPool, silentLogger } from '@millrace/runtime'
import type { ByteSink, Clock, Logger, Timer, TransportConnection } from '@millrace/runtime'
import type { Frame } from './frame.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { ReceiveMemory } from './receive-memory.ts'

const KIB = 1024

/** Time that stands still until `pass`. */
class StillClock implements Clock {
  #now = 0
  #timers: { at: number; callback: () => void }[] = []

  now = (): number => this.#now
  monotonicMs = (): number => this.#now
  endOfTurn = (callback: () => void): void => callback()
  nextTurn = async (): Promise<void> => {}
  sleep = (): Promise<void> => Promise.reject(new Error('not here'))
  holdProcess = (): Disposable => ({ [Symbol.dispose]() {} })

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  pass(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#now = next.at
      next.callback()
    }
    this.#now = end
  }
}

/** A connection whose bytes the test hands out, treating the sink's buffers as Node does: asked for right after the read before. */
class Peer implements TransportConnection {
  readonly remoteAddress = { host: '192.0.2.1', port: 1234 }
  readonly localAddress = { host: '192.0.2.2', port: 9092 }
  readonly encrypted = false
  readonly peerCertificateSubject = null
  readonly queuedBytes = 0
  paused = false
  destroyed = false
  #sink!: ByteSink
  #buffer!: Uint8Array

  start(sink: ByteSink): void {
    this.#sink = sink
    this.#buffer = sink.buffer()
  }

  pauseReading(): void {
    assert.ok(!this.paused, 'paused twice')
    this.paused = true
  }

  resumeReading(): void {
    assert.ok(this.paused, 'resumed without a pause')
    this.paused = false
  }

  /** One read of what fits; returns how much that was. */
  readOnce(bytes: Uint8Array): number {
    if (this.paused || this.destroyed || bytes.length === 0) return 0
    const length = Math.min(bytes.length, this.#buffer.length)
    this.#buffer.set(bytes.subarray(0, length))
    this.#sink.received(length)
    this.#buffer = this.#sink.buffer()
    assert.ok(this.#buffer.length > 0)
    return length
  }

  /** As many reads as it takes and are possible, in a row, as libuv does; returns what was read. */
  send(bytes: Uint8Array): number {
    let done = 0
    for (let length = -1; length !== 0; done += length) length = this.readOnce(bytes.subarray(done))
    return done
  }

  endSending(): void {
    this.#sink.ended()
  }

  write(): void {
    assert.fail('nothing is written here')
  }

  end(): void {}

  destroy(): void {
    this.destroyed = true
  }

  close(): void {
    this.#sink.closed(null)
  }
}

interface Connected {
  readonly peer: Peer
  readonly receiver: FrameReceiver
  readonly frames: Frame[]
  readonly ended: () => boolean
  readonly error: () => Error | null | undefined
}

function connect(
  memory: ReceiveMemory,
  options: { maxFrameBytes?: number; logger?: Logger; onFrame?: (frame: Frame) => void } = {},
): Connected {
  const peer = new Peer()
  const frames: Frame[] = []
  let ended = false
  let error: Error | null | undefined
  const receiver = new FrameReceiver({
    memory,
    connection: peer,
    maxFrameBytes: options.maxFrameBytes ?? 100 * KIB * KIB,
    logger: options.logger ?? silentLogger,
    owner: {
      frameReceived: options.onFrame ?? ((frame) => frames.push(frame)),
      ended: () => (ended = true),
      closed: (reason) => (error = reason),
    },
  })
  peer.start(receiver)
  return { peer, receiver, frames, ended: () => ended, error: () => error }
}

function memoryOf(limitBytes: number, clock: Clock = new StillClock()): ReceiveMemory {
  return new ReceiveMemory({ pool: new BufferPool({ maxKeptBytes: 1 << 24 }), clock, logger: silentLogger, limitBytes })
}

function framed(...contents: Uint8Array[]): Uint8Array {
  return Buffer.concat(
    contents.flatMap((content) => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(content.length)
      return [length, content]
    }),
  )
}

function announcing(length: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(length)
  return bytes
}

/** Content that tells its connection, its number and its position. */
function content(connection: number, number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = connection * 31 + number * 7 + i + (i >> 8)
  return bytes
}

test('frames of several connections arrive whole and in order, however they are cut, mixed, held and stopped', () => {
  const lengths = fc.oneof(fc.nat(20), fc.nat(3 * KIB), fc.nat(70 * KIB), fc.nat(400 * KIB))
  const connections = fc.array(fc.array(lengths, { maxLength: 8 }), { minLength: 1, maxLength: 3 })
  const steps = fc.array(
    fc.record({
      connection: fc.nat(2),
      bytes: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.nat(5 * KIB), fc.nat(300 * KIB)),
      action: fc.constantFrom('nothing', 'release', 'stop', 'resume'),
    }),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(connections, steps, fc.constantFrom(300 * KIB, 1 << 26), (plan, program, limitBytes) => {
      const memory = memoryOf(limitBytes)
      const expected: Uint8Array[][] = plan.map((list, c) => list.map((length, i) => content(c, i, length)))
      const released = plan.map(() => 0)
      const stopped = plan.map(() => false)
      const links = plan.map(() => connect(memory))
      const unsent = expected.map((contents) => framed(...contents))
      const checkAll = (): void =>
        links.forEach(({ frames }, c) => {
          for (let i = released[c]!; i < frames.length; i++) {
            assert.ok(Buffer.from(expected[c]![i]!).equals(frames[i]!.bytes), `frame ${i} of connection ${c}`)
          }
        })
      const releaseOne = (c: number): void => {
        const frame = links[c]!.frames[released[c]!]
        if (frame === undefined) return
        released[c]!++
        frame.release()
      }
      for (const step of program) {
        const c = step.connection % plan.length
        const { peer, receiver } = links[c]!
        unsent[c] = unsent[c]!.subarray(peer.send(unsent[c]!.subarray(0, step.bytes)))
        if (step.action === 'release') releaseOne(c)
        if (step.action === 'stop') receiver.stop()
        if (step.action === 'resume') receiver.resume()
        if (step.action === 'stop' || step.action === 'resume') stopped[c] = step.action === 'stop'
        checkAll()
      }
      links.forEach(({ receiver }) => receiver.resume())
      // Everything comes in the end, as frames are released.
      for (let round = 0; round < 200 && links.some((_, c) => released[c]! < expected[c]!.length); round++) {
        links.forEach(({ peer }, c) => (unsent[c] = unsent[c]!.subarray(peer.send(unsent[c]!))))
        checkAll()
        links.forEach((_, c) => releaseOne(c))
      }
      links.forEach(({ frames }, c) => assert.equal(frames.length, expected[c]!.length))
      links.forEach(({ peer }) => peer.endSending())
      links.forEach(({ ended }) => assert.ok(ended()))
      links.forEach(({ peer }) => peer.close())
      assert.ok(memory.usedBytes <= 64 * KIB, `${memory.usedBytes} bytes are still lent`)
      assert.equal(memory.waiting, 0)
    }),
    { numRuns: 60 },
  )
})

test('a connection that waits for its next frame holds nothing', () => {
  const memory = memoryOf(1 << 26)
  const links = Array.from({ length: 1000 }, () => connect(memory))
  for (const { peer, frames } of links) {
    peer.send(framed(content(1, 1, 100)))
    frames.pop()!.release()
  }
  assert.equal(memory.usedBytes, 64 * KIB)
})

test('announcing a large frame takes next to nothing until its bytes come', () => {
  const memory = memoryOf(1 << 28)
  const links = Array.from({ length: 40 }, () => connect(memory))
  for (const { peer } of links) peer.send(announcing(100_000_000))
  assert.ok(memory.usedBytes <= 40 * 64 * KIB)
  for (const { peer } of links) peer.send(new Uint8Array(500 * KIB))
  assert.ok(memory.usedBytes <= 40 * 512 * KIB)
})

test('at the bound only those who want a large buffer wait, first come first served', () => {
  const memory = memoryOf(1024 * KIB)
  const [first, second, third, small] = [connect(memory), connect(memory), connect(memory), connect(memory)]
  const large = framed(content(1, 1, 500 * KIB))
  first.peer.send(large)
  const secondSent = second.peer.send(large)
  const thirdSent = third.peer.send(large)
  assert.equal(first.frames.length, 1)
  assert.ok(second.peer.paused && third.peer.paused)
  assert.equal(memory.waiting, 2)
  small.peer.send(framed(content(1, 1, 1000)))
  assert.equal(small.frames.length, 1)

  first.frames[0]!.release()
  assert.ok(!second.peer.paused, 'the one who came first goes on')
  second.peer.send(large.subarray(secondSent))
  assert.equal(second.frames.length, 1)
  assert.equal(third.frames.length, 0)
  second.frames[0]!.release()
  third.peer.send(large.subarray(thirdSent))
  assert.equal(third.frames.length, 1)
  assert.deepEqual([...third.frames[0]!.bytes.subarray(-50)], [...content(1, 1, 500 * KIB).subarray(-50)])
})

test('when all holders wait for each other one after another completes above the bound', () => {
  const memory = memoryOf(600 * KIB)
  const large = framed(content(1, 1, 900 * KIB))
  const links = Array.from({ length: 4 }, () => connect(memory))
  const sent = links.map(({ peer }) => peer.send(large.subarray(0, 70 * KIB)))
  for (let round = 0; round < 20; round++) {
    links.forEach(({ peer, frames }, c) => {
      sent[c]! += peer.send(large.subarray(sent[c]))
      assert.ok(memory.usedBytes <= 600 * KIB + 1024 * KIB + 64 * KIB)
      if (frames.length === 1 && round % 2 === 1) frames.pop()!.release()
    })
  }
  assert.deepEqual(sent, [large.length, large.length, large.length, large.length])
})

test('a holder that sends nothing while others wait is closed after the deadline, one that sends is not', () => {
  const clock = new StillClock()
  const memory = memoryOf(800 * KIB, clock)
  const [idle, busy, waiting] = [connect(memory), connect(memory), connect(memory)]
  idle.peer.send(framed(content(1, 1, 300 * KIB)).subarray(0, 250 * KIB))
  const large = framed(content(1, 1, 256 * KIB))
  let sent = busy.peer.send(large.subarray(0, 66 * KIB))
  clock.pass(60_000)
  assert.ok(!idle.peer.destroyed, 'alone it harms nobody')
  waiting.peer.send(framed(content(1, 1, 300 * KIB)))
  assert.ok(waiting.peer.paused)
  for (let i = 0; i < 2; i++) {
    clock.pass(4_900)
    sent += busy.peer.send(large.subarray(sent, sent + 66 * KIB))
    assert.ok(!idle.peer.destroyed)
  }
  clock.pass(3_000)
  assert.ok(idle.peer.destroyed)
  assert.ok(!busy.peer.destroyed)
  assert.ok(!waiting.peer.paused, 'its memory goes to the one that waits')
  idle.peer.close()
  assert.match(idle.error()!.message, /bytes of a request came, then none while others waited/)
})

test('a holder that its owner has stopped is not closed, and does not keep others waiting for ever', () => {
  const clock = new StillClock()
  const memory = memoryOf(400 * KIB, clock)
  const [stopped, waiting] = [connect(memory), connect(memory)]
  stopped.peer.send(framed(content(1, 1, 600 * KIB)).subarray(0, 200 * KIB))
  waiting.peer.send(framed(content(1, 1, 300 * KIB)).subarray(0, 100 * KIB))
  assert.ok(waiting.peer.paused)
  stopped.receiver.stop()
  assert.ok(!waiting.peer.paused)
  clock.pass(60_000)
  assert.ok(!stopped.peer.destroyed)
})

test('a connection that closes while it waits or holds gives everything back', () => {
  const memory = memoryOf(700 * KIB)
  const [holder, waiter] = [connect(memory), connect(memory)]
  holder.peer.send(framed(content(1, 1, 900 * KIB)).subarray(0, 300 * KIB))
  waiter.peer.send(framed(content(1, 1, 900 * KIB)).subarray(0, 300 * KIB))
  assert.equal(memory.waiting, 1)
  waiter.peer.close()
  assert.equal(memory.waiting, 0)
  holder.peer.close()
  assert.equal(memory.usedBytes, 0)
})

test('stop keeps what has arrived until resume, in order', () => {
  const memory = memoryOf(1 << 26)
  const seen: number[] = []
  const link: Connected = connect(memory, {
    onFrame: (frame) => {
      seen.push(frame.bytes.length)
      frame.release()
      link.receiver.stop()
    },
  })
  link.peer.send(framed(...[1, 2, 3].map((length) => content(1, 1, length))))
  assert.deepEqual(seen, [1])
  assert.ok(link.peer.paused)
  link.receiver.resume()
  assert.deepEqual(seen, [1, 2])
  link.receiver.resume()
  link.peer.endSending()
  assert.deepEqual(seen, [1, 2, 3])
  assert.ok(!link.ended(), 'the end comes when it may')
  link.receiver.resume()
  assert.ok(link.ended())
})

for (const { name, bytes, reason } of [
  {
    name: 'a negative length',
    bytes: announcing(-2),
    reason: /expected a request of 0 to 1000 bytes, got the length -2$/,
  },
  { name: 'too large a length', bytes: announcing(1001), reason: /got the length 1001$/ },
  { name: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n'), reason: /look like HTTP/ },
  { name: 'TLS', bytes: Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]), reason: /look like TLS/ },
]) {
  test(`${name} closes the connection with a line in the log`, () => {
    const lines: unknown[] = []
    const logger = { ...silentLogger, warn: (message: string, fields?: object) => lines.push([message, fields]) }
    for (const cut of [1, 4, bytes.length]) {
      const { peer, error } = connect(memoryOf(1 << 20), { maxFrameBytes: 1000, logger })
      peer.send(bytes.subarray(0, cut))
      peer.send(bytes.subarray(cut))
      assert.ok(peer.destroyed)
      peer.close()
      assert.match(error()!.message, reason)
    }
    assert.equal(lines.length, 3)
    assert.match(JSON.stringify(lines[0]), /192\.0\.2\.1:1234/)
  })
}

test('a frame released twice is caught', () => {
  const { peer, frames } = connect(memoryOf(1 << 20))
  peer.send(framed(content(1, 1, 10)))
  frames[0]!.release()
  assert.throws(() => frames[0]!.release(), /released twice/)
})
