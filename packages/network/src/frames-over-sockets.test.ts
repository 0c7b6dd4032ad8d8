/** Frames through the real thing: Node keeps our buffers for its next read, and several connections share one. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { BufferPool, nodeRuntime, silentLogger } from '@millrace/runtime'
import type { TransportConnection } from '@millrace/runtime'
import { SeededRandom } from '@millrace/runtime/testing'
import type { Frame } from './frame.ts'
import { FrameReceiver } from './frame-receiver.ts'
import { FrameSender } from './frame-sender.ts'
import { ReceiveMemory } from './receive-memory.ts'

const MAX_FRAME_BYTES = 1 << 21

/** Content that tells its connection and its number at both ends, and repeats neither in between. */
function content(connection: number, number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = connection * 53 + number * 11 + i + (i >> 8)
  return bytes
}

test('a server echoes the frames of eight connections, holding each for a while, in little memory', async () => {
  const seed = 20261121
  const random = new SeededRandom(seed)
  const { transport, clock } = nodeRuntime()
  const memory = new ReceiveMemory({
    pool: new BufferPool({ maxKeptBytes: 1 << 24 }),
    clock,
    logger: silentLogger,
    limitBytes: 3 << 20,
  })
  const connections: TransportConnection[] = []
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connections.push(connection)
    const sender = new FrameSender({
      connection,
      congestedBytes: 1 << 20,
      congested: () => receiver.stop(),
      drained: () => receiver.resume(),
    })
    const receiver: FrameReceiver = new FrameReceiver({
      memory,
      connection,
      maxFrameBytes: MAX_FRAME_BYTES,
      logger: silentLogger,
      owner: {
        frameReceived: (frame) => {
          const echo = (): void => {
            const length = new Uint8Array(4)
            new DataView(length.buffer).setInt32(0, frame.bytes.length)
            // The frame's own bytes go back: they may be released only when sent.
            sender.send([length, frame.bytes], () => frame.release())
          }
          if (frame.bytes.length % 3 === 0) echo()
          else setImmediate(echo)
        },
        ended: () => connection.end(),
        closed: () => {},
      },
    })
    connection.start(receiver)
  })

  const plans = Array.from({ length: 8 }, (_, c) =>
    Array.from({ length: 60 }, (_, i) => {
      const size = [10, 1000, 20_000, 65_530, 200_000][random.integer(5)]!
      return content(c, i, random.integer(2 * size))
    }),
  )
  const clientMemory = new ReceiveMemory({
    pool: new BufferPool({ maxKeptBytes: 1 << 24 }),
    clock,
    logger: silentLogger,
    limitBytes: Number.MAX_SAFE_INTEGER,
  })
  await Promise.all(
    plans.map(async (plan) => {
      const connection = await transport.connect({ ...listener.address, timeoutMs: 5000 })
      const done = Promise.withResolvers<void>()
      const waiting = [...plan].sort((a, b) => a.length - b.length)
      let received = 0
      const receiver = new FrameReceiver({
        memory: clientMemory,
        connection,
        maxFrameBytes: MAX_FRAME_BYTES,
        logger: silentLogger,
        owner: {
          frameReceived: (frame: Frame) => {
            // Frames come back in nearly the order in which they went.
            const at = waiting.findIndex((bytes) => Buffer.from(bytes.buffer).equals(frame.bytes))
            assert.ok(at >= 0, `seed ${seed}: a frame of ${frame.bytes.length} bytes came back changed`)
            waiting.splice(at, 1)
            frame.release()
            if (++received === plan.length) connection.end()
          },
          ended: () => {},
          closed: (error) => (error === null ? done.resolve() : done.reject(error)),
        },
      })
      connection.start(receiver)
      for (const bytes of plan) {
        const length = new Uint8Array(4)
        new DataView(length.buffer).setInt32(0, bytes.length)
        connection.write([length, bytes], () => {})
      }
      await done.promise
    }),
  )
  assert.equal(memory.waiting, 0)
  assert.ok(memory.usedBytes <= 64 * 1024, `${memory.usedBytes} bytes are still lent`)
  for (const connection of connections) connection.destroy()
  await listener[Symbol.asyncDispose]()
})
