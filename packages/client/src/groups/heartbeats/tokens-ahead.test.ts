import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@millrace/runtime'
import { simulation } from '@millrace/runtime/testing'
import { TokenInbox } from './token-inbox.ts'
import { TokenSupply } from './token-supply.ts'

const HOUR_MS = 3_600_000
const signal = new AbortController().signal

test('the thread takes the newest token without waiting, and waits when the last has ended', async () => {
  const { clock, time } = simulation(1)
  let wanted = 0
  const inbox = new TokenInbox(clock, () => wanted++)
  const first = inbox.take(signal)
  assert.equal(wanted, 1)
  inbox.put({ value: 'a', expiresAt: clock.now() + HOUR_MS })
  assert.equal((await first).value, 'a')
  assert.equal((await inbox.take(signal)).value, 'a')
  assert.equal(wanted, 2)
  await time.advance(HOUR_MS)
  const late = inbox.take(signal)
  inbox.put({ value: 'b' })
  assert.equal((await late).value, 'b')
})

test('nobody waits for a token for longer than they want to', async () => {
  const inbox = new TokenInbox(simulation(1).clock, () => {})
  const giveUp = new AbortController()
  const waiting = inbox.take(giveUp.signal)
  giveUp.abort(new Error('enough'))
  await assert.rejects(waiting, { message: 'enough' })
})

test('a token is fetched anew when four fifths of its life are over, and again soon after a failure', async () => {
  const world = simulation(1)
  const { clock, time } = world
  const { random, transport } = world.host('a')
  const fetchedAt: number[] = []
  const put: string[] = []
  using supply = new TokenSupply({
    world: { clock, random, transport },
    logger: silentLogger,
    provider: () => {
      fetchedAt.push(time.nowMs)
      if (fetchedAt.length === 2) return Promise.reject(new Error('the issuer is away'))
      return Promise.resolve({ value: `token ${fetchedAt.length}`, expiresAt: clock.now() + HOUR_MS })
    },
    put: ({ value }) => put.push(value),
  })
  await time.advance(HOUR_MS)
  assert.deepEqual(fetchedAt, [0, 0.8 * HOUR_MS, 0.8 * HOUR_MS + 10_000])
  assert.deepEqual(put, ['token 1', 'token 3'])
  supply.fetch()
  await time.advance(1)
  assert.equal(put.length, 3)
})
