/** Brokers that answer anything: the client gets an error or an answer, in time, and keeps no memory. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import {
  ApiVersions,
  encodeResponseFrame,
  Fetch,
  KafkaError,
  Metadata,
  Reader,
  readRequestHeader,
  SaslAuthenticate,
  SaslHandshake,
} from '@millrace/protocol'
import { BufferPool, silentLogger } from '@millrace/runtime'
import type { TransportConnection } from '@millrace/runtime'
import { SeededRandom, simulation, type Simulation } from '@millrace/runtime/testing'
import { connectToBroker } from './connect-to-broker.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { ReceiveMemory } from './receive-memory.ts'

const SEEDS = 400
const TIMEOUT_MS = 1_000

/** What a well-behaved broker would say, as one piece. */
function goodAnswer(request: Uint8Array): Uint8Array {
  // A client that was told of no SaslAuthenticate sends bare tokens.
  if (request.length < 10) return new Uint8Array(4)
  const { apiKey, apiVersion, correlationId } = readRequestHeader(new Reader(request))
  const frame = ((): Uint8Array[] => {
    switch (apiKey) {
      case ApiVersions.key: {
        const apiKeys = [Metadata, Fetch, SaslHandshake, SaslAuthenticate].map(({ key, versions }) => ({
          apiKey: key,
          minVersion: versions[0],
          maxVersion: versions[1],
        }))
        return encodeResponseFrame(ApiVersions, apiVersion, correlationId, { errorCode: 0, apiKeys })
      }
      case SaslHandshake.key:
        return encodeResponseFrame(SaslHandshake, apiVersion, correlationId, { errorCode: 0, mechanisms: ['PLAIN'] })
      case SaslAuthenticate.key: {
        const value = { errorCode: 0, errorMessage: null, authBytes: new Uint8Array(0), sessionLifetimeMs: 2_000n }
        return encodeResponseFrame(SaslAuthenticate, apiVersion, correlationId, value)
      }
      case Metadata.key:
        return encodeResponseFrame(Metadata, apiVersion, correlationId, { brokers: [], controllerId: 1, topics: [] })
      default:
        return encodeResponseFrame(Fetch, apiVersion, correlationId, {
          responses: [
            {
              topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
              partitions: [
                { partitionIndex: 0, errorCode: 0, highWatermark: 1n, records: new Uint8Array(100_000).fill(apiKey) },
              ],
            },
          ],
        })
    }
  })()
  return new Uint8Array(Buffer.concat(frame))
}

/** One of many ways to be wrong; often none. */
function spoiled(good: Uint8Array, random: SeededRandom): Uint8Array {
  const bytes = good.slice()
  switch (random.integer(12)) {
    case 0:
      return bytes.subarray(0, random.integer(bytes.length))
    case 1:
      bytes[random.integer(bytes.length)]! ^= 1 << random.integer(8)
      return bytes
    case 2:
      bytes[random.integer(Math.min(bytes.length, 24))] = random.integer(256)
      return bytes
    case 3:
      return new Uint8Array(Buffer.concat([bytes, bytes]))
    case 4:
      return random.bytes(random.integer(300))
    case 5:
      // A right length, and junk.
      return new Uint8Array(Buffer.concat([bytes.subarray(0, 8), random.bytes(bytes.length - 8)]))
    case 6:
      return new Uint8Array(0)
    default:
      return bytes
  }
}

async function startHostileBroker(world: Simulation, random: SeededRandom): Promise<void> {
  const { transport, clock } = world.host('broker')
  const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
  const memory = new ReceiveMemory({ pool, clock, logger: silentLogger, limitBytes: 1 << 26 })
  await transport.listen({ host: 'broker', port: 9092 }, (connection: TransportConnection) => {
    const owner = {
      frameReceived: (frame: { bytes: Uint8Array; release(): void }) => {
        const answer = spoiled(goodAnswer(frame.bytes), random)
        frame.release()
        connection.write([answer], () => {})
        const manner = random.integer(30)
        if (manner === 0) connection.end()
        else if (manner === 1) connection.destroy()
      },
      ended: () => connection.end(),
      closed: () => {},
    }
    connection.start(new FrameReceiver({ memory, connection, maxFrameBytes: 1 << 20, logger: silentLogger, owner }))
  })
}

test(`whatever a broker answers, each request ends, with ${SEEDS} seeds`, async () => {
  const outcomes = { connected: 0, answered: 0, failed: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new SeededRandom(seed)
    const world = simulation(seed)
    await startHostileBroker(world, random)
    const { transport, clock, random: chance } = world.host('client')
    const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
    const memory = new ReceiveMemory({ pool, clock, logger: silentLogger, limitBytes: 1 << 26 })
    const fails = (error: unknown): void => {
      assert.ok(error instanceof KafkaError, `seed ${seed}: ${String(error)}`)
      outcomes.failed++
    }
    const connecting = connectToBroker(
      transport,
      { host: 'broker', port: 9092 },
      {
        clock,
        random: chance,
        memory,
        clientId: null,
        connectTimeoutMs: TIMEOUT_MS,
        requestTimeoutMs: TIMEOUT_MS,
        closeOnTimeout: random.integer(2) === 0,
        ...(random.integer(2) === 0 ? {} : { sasl: { mechanism: 'PLAIN', username: 'a', password: 'b' } as const }),
      },
    ).catch(fails)
    const broker = await world.time.run(connecting)
    assert.ok(world.time.nowMs <= TIMEOUT_MS + 1, `seed ${seed}: connecting took ${world.time.nowMs} ms`)
    if (broker !== undefined) {
      outcomes.connected++
      for (let round = 0; round < 6; round++) {
        const start = world.time.nowMs
        const sends = [
          broker.send(Metadata, { topics: [] }),
          broker.send(Fetch, { maxWaitMs: 0, minBytes: 0, topics: [] }, { version: 13 }),
          broker.send(Metadata, { topics: [] }, { timeoutMs: 1 + random.integer(500) }),
        ].map((sent) => sent.then(() => outcomes.answered++, fails))
        await world.time.run(Promise.all(sends))
        assert.ok(world.time.nowMs - start <= TIMEOUT_MS + 1, `seed ${seed}: took ${world.time.nowMs - start} ms`)
        await world.time.advance(random.integer(900))
      }
      await world.time.run(broker[Symbol.asyncDispose]())
    }
    assert.ok(memory.usedBytes <= 1 << 16, `seed ${seed}: ${memory.usedBytes} bytes are still used`)
  }
  assert.ok(Math.min(...Object.values(outcomes)) > SEEDS / 10, JSON.stringify(outcomes))
})
