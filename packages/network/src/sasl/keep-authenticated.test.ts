import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, Metadata, Produce, SaslAuthenticate, SaslHandshake } from '@millrace/protocol'
import { SeededRandom, simulation, type Simulation } from '@millrace/runtime/testing'
import type { BrokerConnection } from '../broker-connection.ts'
import { connectToBroker, type ConnectToBrokerOptions } from '../connect-to-broker.ts'
import type { Served } from '../testing/scripted-broker.ts'
import { answerWithId, startSaslBroker, type SaslBrokerOptions } from '../testing/sasl-broker.ts'
import type { SaslCredentials } from './credentials.ts'

const empty = new Uint8Array(0)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

interface Seen {
  readonly what: number | 'token'
  readonly atMs: number
}

/** A broker whose sessions last ten seconds, and what it saw. */
async function listen(world: Simulation, options: Partial<SaslBrokerOptions> = {}): Promise<Seen[]> {
  const seen: Seen[] = []
  await startSaslBroker({
    ...world.host('broker').runtime,
    host: 'broker',
    port: 9092,
    mechanisms: ['OAUTHBEARER'],
    serveToken: () => empty,
    sessionLifetimeMs: () => 10_000,
    log: (what) => seen.push({ what, atMs: world.time.nowMs }),
    ...options,
  })
  return seen
}

/** Its tokens are numbered. */
function numberedTokens(): SaslCredentials {
  let count = 0
  return { mechanism: 'OAUTHBEARER', token: () => Promise.resolve({ value: `token-${++count}` }) }
}

function connect(world: Simulation, options: Partial<ConnectToBrokerOptions> = {}): Promise<BrokerConnection> {
  const { transport, clock, random } = world.host('client')
  const all = { clock, random, clientId: 'test', sasl: numberedTokens(), ...options }
  return world.time.run(connectToBroker(transport, { host: 'broker', port: 9092 }, all))
}

const metadata = (broker: BrokerConnection): Promise<string | null> =>
  broker.send(Metadata, { topics: [] }).then(({ clusterId }) => clusterId)

test('a session is renewed at 85 to 95 percent of its life, each time with a fresh token', async () => {
  const world = simulation(1)
  const tokens: string[] = []
  const seen = await listen(world, {
    serveToken: (token) => {
      tokens.push(/Bearer ([a-z0-9-]+)/.exec(decode(token))![1]!)
      return empty
    },
  })
  const broker = await connect(world)
  await world.time.advance(40_000)
  assert.deepEqual(tokens, ['token-1', 'token-2', 'token-3', 'token-4', 'token-5'])
  const times = seen.filter(({ what }) => what === SaslHandshake.key).map(({ atMs }) => atMs)
  for (let i = 1; i < times.length; i++) {
    const pause = times[i]! - times[i - 1]!
    assert.ok(pause >= 8_500 && pause < 9_520, `${pause} ms`)
  }
  await world.time.run(metadata(broker))
  await world.time.run(broker[Symbol.asyncDispose]())
  await world.time.advance(40_000)
  assert.equal(tokens.length, 5)
})

test('a lifetime too short to be renewed in time is renewed as soon as brokers allow', async () => {
  const world = simulation(2)
  const seen = await listen(world, { sessionLifetimeMs: () => 500 })
  await connect(world)
  await world.time.advance(5_000)
  const times = seen.filter(({ what }) => what === SaslHandshake.key).map(({ atMs }) => atMs)
  assert.equal(times.length, 5)
  for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! > 1_000)
})

test('a session without an end is not renewed', async () => {
  const world = simulation(3)
  const seen = await listen(world, { sessionLifetimeMs: () => 0 })
  await connect(world)
  await world.time.advance(10_000_000)
  assert.equal(seen.length, 2)
})

for (let seed = 1; seed <= 20; seed++) {
  test(`requests pass a re-authentication in their order, none lost and none in between (seed ${seed})`, async () => {
    const random = new SeededRandom(seed)
    const world = simulation(seed)
    const order: (string | number)[] = []
    const serve = (request: Served): void => {
      order.push(request.header.apiKey === Produce.key ? 'unanswered' : request.header.correlationId)
      if (request.header.apiKey === Produce.key) return
      // In order, as brokers do.
      lastAnswer = Math.max(lastAnswer, world.time.nowMs) + random.integer(200)
      world.time.after(lastAnswer - world.time.nowMs, () => answerWithId(request))
    }
    let lastAnswer = 0
    const seen = await listen(world, { serve })
    const broker = await connect(world, { requestTimeoutMs: 60_000 })
    const sent: (string | number)[] = []
    const answers: Promise<string | null>[] = []
    let id = 0
    while (world.time.nowMs < 60_000) {
      await world.time.advance(random.integer(300))
      if (broker.inFlight > 20) continue
      if (random.integer(5) === 0) {
        sent.push('unanswered')
        void broker.sendUnanswered(Produce, { acks: 0, timeoutMs: 1, topicData: [] }, { version: 7 })
      } else {
        sent.push('answered')
        answers.push(metadata(broker))
        id++
      }
    }
    const ids = (await world.time.run(Promise.all(answers))).map(Number)
    await world.time.advance(1_000)
    assert.equal(ids.length, id)
    // Correlation ids rise with the order of sending, so they say in which order the answers belong.
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    assert.deepEqual(
      order.map((what) => (what === 'unanswered' ? what : 'answered')),
      sent,
    )
    assert.deepEqual(
      order.filter((what) => what !== 'unanswered'),
      ids,
    )
    // Nothing comes between handshake and token.
    const handshakes = seen.flatMap(({ what }, at) => (what === SaslHandshake.key ? [at] : []))
    assert.ok(handshakes.length >= 6)
    for (const at of handshakes) assert.equal(seen[at + 1]!.what, SaslAuthenticate.key)
    assert.ok(broker.isOpen)
  })
}

test('what was sent before has its answers first, however long that takes', async () => {
  const world = simulation(4)
  let answerLater: () => void = () => {}
  const serve = (request: Served): void => {
    answerLater = () => answerWithId(request)
  }
  const seen = await listen(world, { serve })
  const broker = await connect(world, { requestTimeoutMs: 5_000, closeOnTimeout: true })
  await world.time.advance(8_000)
  const before = broker.send(Metadata, { topics: [] }, { timeoutMs: 60_000 })
  await world.time.advance(4_000)
  const meanwhile = metadata(broker)
  const late = broker.send(Metadata, { topics: [] }, { timeoutMs: 100 })
  await assert.rejects(world.time.run(late), { code: ErrorCode.REQUEST_TIMED_OUT })
  assert.equal(seen.filter(({ what }) => what === SaslHandshake.key).length, 1)
  answerLater()
  await world.time.run(before)
  await world.time.advance(100)
  // The one whose time was over before it could be sent was not sent.
  assert.deepEqual(
    seen.map(({ what }) => what),
    [SaslHandshake.key, SaslAuthenticate.key, Metadata.key, SaslHandshake.key, SaslAuthenticate.key, Metadata.key],
  )
  answerLater()
  await world.time.run(meanwhile)
})

for (const { name, broken, expected } of [
  {
    name: 'the broker refuses',
    broken: {
      serveToken: (() => {
        let count = 0
        return () => {
          if (++count > 1) throw new Error('token expired')
          return empty
        }
      })(),
    },
    expected: { code: 13, retriable: true, message: /as re-authentication failed: .*token expired/ },
  },
  {
    name: 'the broker does not answer',
    broken: {
      serveToken: (() => {
        let count = 0
        return () => (++count > 1 ? null : empty)
      })(),
    },
    expected: { code: 13, retriable: true, message: /as re-authentication failed: .*no answer to SaslAuthenticate/ },
  },
] satisfies { name: string; broken: Partial<SaslBrokerOptions>; expected: object }[]) {
  test(`when ${name} the connection ends, and all requests with it`, async () => {
    const world = simulation(5)
    await listen(world, broken)
    const broker = await connect(world, { requestTimeoutMs: 2_000 })
    const failures: unknown[] = []
    for (let at = 0; at < 20_000 && broker.isOpen; at++) {
      await world.time.advance(1)
      if (at < 8_400 || broker.inFlight > 100) continue
      broker.send(Metadata, { topics: [] }, { timeoutMs: 30_000 }).catch((error: unknown) => failures.push(error))
    }
    await world.time.run(broker.closed)
    assert.ok(failures.length > 0)
    for (const failure of failures) assert.equal(failure, broker.failure)
    await assert.rejects(metadata(broker), expected)
  })
}

test('a provider that fails ends the connection when its session is to be renewed', async () => {
  const world = simulation(6)
  await listen(world)
  let count = 0
  const token = (): Promise<{ value: string }> =>
    ++count > 1 ? Promise.reject(new Error('no token today')) : Promise.resolve({ value: 'abc' })
  const broker = await connect(world, { sasl: { mechanism: 'OAUTHBEARER', token } })
  await world.time.run(broker.closed)
  assert.match(broker.failure!.message, /as re-authentication failed: .*no token today/)
})

test('a connection closed while its session is renewed leaves nothing behind', async () => {
  const world = simulation(7)
  await listen(world)
  let signal: AbortSignal | undefined
  let count = 0
  const token = (given: AbortSignal): Promise<{ value: string }> => {
    signal = given
    return ++count > 1 ? new Promise<never>(() => {}) : Promise.resolve({ value: 'abc' })
  }
  const broker = await connect(world, { sasl: { mechanism: 'OAUTHBEARER', token } })
  await world.time.advance(10_000)
  assert.equal(count, 2)
  await world.time.run(broker[Symbol.asyncDispose]())
  await world.time.advance(0)
  assert.ok(signal!.aborted)
})
