import { test } from 'node:test'
import assert from 'node:assert/strict'
import { simulation } from '@millrace/runtime/testing'
import type { TransportConnection } from '@millrace/runtime'
import { FrameSender } from './frame-sender.ts'

const buffer = new Uint8Array(1 << 16)

test('a slow reader is told once, and again when it has caught up; everybody learns what became of their frame', async () => {
  const world = simulation(1)
  const accepted = Promise.withResolvers<TransportConnection>()
  await world.host('a').transport.listen({ host: 'a', port: 1 }, accepted.resolve)
  const far = await world.time.run(world.host('b').transport.connect({ host: 'a', port: 1, timeoutMs: 100 }))
  far.start({ buffer: () => buffer, received: () => {}, ended: () => {}, closed: () => {} })
  far.pauseReading()
  const near = await accepted.promise
  near.start({ buffer: () => buffer, received: () => {}, ended: () => {}, closed: () => {} })

  const events: string[] = []
  const sender = new FrameSender({
    connection: near,
    congestedBytes: 100_000,
    congested: () => events.push('congested'),
    drained: () => events.push(`drained at ${sender.queuedBytes <= 50_000}`),
  })
  let sent = 0
  for (let i = 0; i < 40; i++) sender.send([new Uint8Array(4), new Uint8Array(20_000)], () => sent++)
  sender.send([new Uint8Array(4)])
  await world.time.runUntilIdle()
  assert.deepEqual(events, ['congested'])
  assert.ok(sender.isCongested && sender.queuedFrames > 0 && sent < 40)
  far.resumeReading()
  await world.time.runUntilIdle()
  assert.deepEqual(events, ['congested', 'drained at true'])
  assert.deepEqual([sent, sender.queuedFrames, sender.queuedBytes, sender.isCongested], [40, 0, 0, false])

  let error: Error | null = null
  near.destroy()
  sender.send([new Uint8Array(4)], (reason) => (error = reason))
  await world.time.runUntilIdle()
  assert.ok((error as Error | null) instanceof Error)
  assert.equal(sender.queuedFrames, 0)
})
