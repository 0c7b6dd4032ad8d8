import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { ByteSink, TransportConnection } from '../transport.ts'
import { simulation } from './index.ts'
import type { Simulation } from './index.ts'

/** What came, when, and how it ended. */
class Record implements ByteSink {
  readonly #buffer = new Uint8Array(100_000)
  readonly #world: Simulation
  length = 0
  pieces = 0
  lastMs = 0
  /** 'open', 'ended', 'closed', or the code of the error. */
  end: string = 'open'

  constructor(world: Simulation) {
    this.#world = world
  }

  buffer(): Uint8Array {
    return this.#buffer
  }

  received(length: number): void {
    this.length += length
    this.pieces++
    this.lastMs = this.#world.time.nowMs
  }

  ended(): void {
    this.end = 'ended'
  }

  closed(error: NodeJS.ErrnoException | null): void {
    this.end = error?.code ?? 'closed'
  }
}

async function connected(world: Simulation): Promise<{
  near: TransportConnection
  far: TransportConnection
  nearRecord: Record
  farRecord: Record
}> {
  const [nearRecord, farRecord] = [new Record(world), new Record(world)]
  const accepted = Promise.withResolvers<TransportConnection>()
  await world.host('b').transport.listen({ host: 'b', port: 9092 }, (connection) => {
    connection.start(farRecord)
    accepted.resolve(connection)
  })
  const near = await world.time.run(world.host('a').transport.connect({ host: 'b', port: 9092, timeoutMs: 1000 }))
  near.start(nearRecord)
  return { near, far: await accepted.promise, nearRecord, farRecord }
}

const nothing = (): void => {}

test('bytes take the time the link says', async () => {
  const world = simulation(1)
  const { near, farRecord } = await connected(world)
  world.network.link('a', 'b').settings = { latencyMs: [50, 60], bytesPerMs: 1000 }
  const start = world.time.nowMs
  near.write([new Uint8Array(100_000)], nothing)
  await world.time.runUntil(() => farRecord.length === 100_000)
  const took = farRecord.lastMs - start
  assert.ok(took >= 150 && took < 165, `${took} ms`)
})

test('a write arrives in pieces', async () => {
  const world = simulation(2)
  const { near, farRecord } = await connected(world)
  near.write([new Uint8Array(100_000)], nothing)
  await world.time.runUntilIdle()
  assert.equal(farRecord.length, 100_000)
  assert.ok(farRecord.pieces > 1)
})

test('a partition in one direction holds back that direction only, until healed', async () => {
  const world = simulation(3)
  const { near, far, nearRecord, farRecord } = await connected(world)
  world.network.link('a', 'b').cut()
  near.write([new Uint8Array(10)], nothing)
  far.write([new Uint8Array(20)], nothing)
  await world.time.advance(60_000)
  assert.equal(farRecord.length, 0)
  assert.equal(nearRecord.length, 20)
  world.network.link('a', 'b').heal()
  await world.time.advance(100)
  assert.equal(farRecord.length, 10)
  assert.deepEqual([nearRecord.end, farRecord.end], ['open', 'open'])
})

test('connecting through a partition times out', async () => {
  const world = simulation(4)
  await connected(world)
  world.network.partition('a', 'b')
  const connecting = world.host('a').transport.connect({ host: 'b', port: 9092, timeoutMs: 500 })
  const start = world.time.nowMs
  await assert.rejects(world.time.run(connecting), { code: 'ETIMEDOUT' })
  assert.equal(world.time.nowMs - start, 500)
  world.network.heal('a', 'b')
  await world.time.run(world.host('a').transport.connect({ host: 'b', port: 9092, timeoutMs: 500 }))
})

test('broken connections end at both sides, some bytes of a write having arrived', async () => {
  let halfDelivered = 0
  for (let seed = 0; seed < 20; seed++) {
    const world = simulation(seed)
    const { near, nearRecord, farRecord } = await connected(world)
    let outcome: Error | null | undefined
    near.write([new Uint8Array(200_000)], nothing)
    near.write([new Uint8Array(200_000)], (error) => (outcome = error))
    await world.time.advance(1)
    world.network.breakConnections('a', 'b')
    world.network.breakConnections('b', 'a')
    await world.time.runUntilIdle()
    assert.deepEqual([nearRecord.end, farRecord.end], ['ECONNRESET', 'ECONNRESET'])
    assert.ok(outcome !== undefined)
    if (farRecord.length > 0 && farRecord.length < 400_000) halfDelivered++
  }
  assert.ok(halfDelivered > 5, `${halfDelivered}`)
})

test('by chance a packet breaks its connection', async () => {
  const world = simulation(5)
  const { near, nearRecord, farRecord } = await connected(world)
  world.network.defaults.breakProbability = 0.2
  for (let i = 0; i < 100 && nearRecord.end === 'open'; i++) {
    near.write([new Uint8Array(10)], nothing)
    await world.time.advance(10)
  }
  assert.deepEqual([nearRecord.end, farRecord.end], ['ECONNRESET', 'ECONNRESET'])
})

test('a reader that does not read fills the window, and the writer waits', async () => {
  const world = simulation(6)
  const { near, far, farRecord } = await connected(world)
  far.pauseReading()
  let done = false
  near.write([new Uint8Array(1_000_000)], () => (done = true))
  await world.time.runUntilIdle()
  assert.ok(near.queuedBytes > 0)
  assert.deepEqual([done, farRecord.length], [false, 0])
  far.resumeReading()
  await world.time.runUntilIdle()
  assert.deepEqual([done, near.queuedBytes, farRecord.length], [true, 0, 1_000_000])
})

test('a dead process resets its connections and refuses new ones; its timers and callbacks are dead too', async () => {
  const world = simulation(7)
  const { near, far, nearRecord, farRecord } = await connected(world)
  world.host('b').clock.after(100, () => assert.fail('it is dead'))
  far.write([new Uint8Array(10)], () => assert.fail('it is dead'))
  world.host('b').crashProcess()
  await world.time.runUntilIdle()
  assert.equal(nearRecord.end, 'ECONNRESET')
  assert.equal(farRecord.end, 'open', 'nobody is there to be told')
  near.destroy()
  await assert.rejects(world.time.run(world.host('a').transport.connect({ host: 'b', port: 9092, timeoutMs: 500 })), {
    code: 'ECONNREFUSED',
  })
  await world.host('b').transport.listen({ host: 'b', port: 9092 }, nothing)
  await world.time.run(world.host('a').transport.connect({ host: 'b', port: 9092, timeoutMs: 500 }))
})

test('the loss of a machine is noticed when something is sent to it', async () => {
  const world = simulation(8)
  const { near, nearRecord } = await connected(world)
  world.host('b').crash()
  await world.time.advance(60_000)
  assert.equal(nearRecord.end, 'open')
  near.write([new Uint8Array(10)], nothing)
  await world.time.advance(100)
  assert.equal(nearRecord.end, 'ECONNRESET')
})

test('the same seed gives the same traffic', async () => {
  const run = async (seed: number): Promise<string> => {
    const world = simulation(seed)
    const { near, farRecord } = await connected(world)
    world.network.defaults.breakProbability = 0.02
    const log: number[] = []
    for (let i = 0; i < 50; i++) {
      near.write([new Uint8Array(i * 1000)], nothing)
      await world.time.advance(3)
      log.push(farRecord.length, farRecord.pieces, farRecord.lastMs)
    }
    return `${log.join()} ${farRecord.end}`
  }
  assert.equal(await run(42), await run(42))
  assert.notEqual(await run(42), await run(43))
})
