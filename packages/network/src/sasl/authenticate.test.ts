import { test } from 'node:test'
import assert from 'node:assert/strict'
import { ErrorCode, Metadata, SaslAuthenticate, SaslHandshake } from '@millrace/protocol'
import { scramServer } from '@millrace/protocol/testing'
import { nodeRuntime } from '@millrace/runtime'
import type { TransportConnection } from '@millrace/runtime'
import { simulation, type Simulation } from '@millrace/runtime/testing'
import type { BrokerConnection } from '../broker-connection.ts'
import { connectToBroker, type ConnectToBrokerOptions } from '../connect-to-broker.ts'
import { plainServer, startSaslBroker, type SaslBrokerOptions, type ServeToken } from '../testing/sasl-broker.ts'
import { startScriptedBroker } from '../testing/scripted-broker.ts'
import type { OAuthBearerTokenProvider, SaslCredentials } from './credentials.ts'

const alice: SaslCredentials = { mechanism: 'PLAIN', username: 'alice', password: 'secret' }
const empty = new Uint8Array(0)

function listen(world: Simulation, options: Partial<SaslBrokerOptions>): Promise<unknown> {
  const { transport, clock } = world.host('broker')
  const server = { mechanisms: ['PLAIN'], serveToken: plainServer('alice', 'secret') }
  return startSaslBroker({ transport, clock, host: 'broker', port: 9092, ...server, ...options })
}

function connect(
  world: Simulation,
  sasl: SaslCredentials,
  options: Partial<ConnectToBrokerOptions> = {},
): Promise<BrokerConnection> {
  const { transport, clock, random } = world.host('client')
  const all = { clock, random, clientId: 'test', sasl, ...options }
  return world.time.run(connectToBroker(transport, { host: 'broker', port: 9092 }, all))
}

for (const { tokens, expected } of [
  { tokens: 'requests', expected: [SaslHandshake.key, SaslAuthenticate.key, Metadata.key] },
  { tokens: 'bare', expected: [SaslHandshake.key, 'token', Metadata.key] },
] as const) {
  test(`name and password open a connection whose tokens are ${tokens}`, async () => {
    const world = simulation(1)
    const log: (number | 'token')[] = []
    await listen(world, { tokens, log: (what) => log.push(what) })
    const broker = await connect(world, alice)
    const { clusterId } = await world.time.run(broker.send(Metadata, { topics: [] }))
    assert.match(clusterId!, /^\d+$/)
    assert.deepEqual(log, expected)
    await world.time.run(broker[Symbol.asyncDispose]())
  })
}

test('a wrong password is told in the words of the broker, and not worth another try', async () => {
  const world = simulation(2)
  await listen(world, {})
  await assert.rejects(connect(world, { ...alice, password: 'wrong' }), {
    code: ErrorCode.SASL_AUTHENTICATION_FAILED,
    retriable: false,
    message:
      'broker:9092: authentication as "alice" by PLAIN failed: Authentication failed: Invalid username or password',
  })
})

test('a broker before 1.0, which just leaves after a wrong password, is understood', async () => {
  const world = simulation(3)
  await listen(world, { tokens: 'bare' })
  await assert.rejects(connect(world, { ...alice, password: 'wrong' }), {
    code: ErrorCode.NETWORK_EXCEPTION,
    message: /the broker closed the connection while we authenticated.*name or password are wrong/,
  })
})

test('a mechanism that the broker lacks is answered with those it has', async () => {
  const world = simulation(4)
  await listen(world, { mechanisms: ['SCRAM-SHA-512', 'OAUTHBEARER'] })
  await assert.rejects(connect(world, alice), {
    code: ErrorCode.UNSUPPORTED_SASL_MECHANISM,
    retriable: false,
    message: /does not offer the SASL mechanism PLAIN, but SCRAM-SHA-512, OAUTHBEARER\. Set sasl\.mechanism/,
  })
})

test('a port that does not ask for SASL says so', async () => {
  const world = simulation(5)
  await startScriptedBroker({
    ...world.host('broker').runtime,
    host: 'broker',
    port: 9092,
    apiKeys: [
      { apiKey: SaslHandshake.key, minVersion: 0, maxVersion: 1 },
      { apiKey: SaslAuthenticate.key, minVersion: 0, maxVersion: 2 },
    ],
    serve: ({ answer }) => answer(SaslHandshake, { errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] }),
  })
  await assert.rejects(connect(world, alice), { code: 34, message: /this port does not ask for SASL. Leave out sasl/ })
})

test('without credentials a SASL port closes the connection, and the message guesses why', async () => {
  const world = simulation(6)
  await listen(world, {})
  const { transport, clock } = world.host('client')
  const options = { clock, clientId: null }
  const broker = await world.time.run(connectToBroker(transport, { host: 'broker', port: 9092 }, options))
  await assert.rejects(world.time.run(broker.send(Metadata, { topics: [] })), {
    code: ErrorCode.NETWORK_EXCEPTION,
    message: /^broker:9092: .*if it is a SASL port, set sasl$/,
  })
})

test('credentials that are none are refused before anything is sent', async () => {
  const world = simulation(7)
  await listen(world, {})
  const none = undefined as unknown as string
  await assert.rejects(connect(world, { ...alice, password: none }), {
    name: 'TypeError',
    message: 'sasl.password: expected a text, got none',
  })
  await assert.rejects(connect(world, { ...alice, mechanism: 'GSSAPI' } as unknown as SaslCredentials), {
    name: 'TypeError',
    message: /sasl.mechanism: expected PLAIN, .*, got GSSAPI/,
  })
})

test('a broker that never answers a token is given up in time', async () => {
  const world = simulation(8)
  await listen(world, { serveToken: () => null })
  await assert.rejects(connect(world, alice, { connectTimeoutMs: 700 }), {
    code: ErrorCode.REQUEST_TIMED_OUT,
    message: /no answer to SaslAuthenticate within/,
  })
  assert.ok(world.time.nowMs < 710, `${world.time.nowMs} ms`)
  const other = simulation(8)
  await listen(other, { serveToken: () => null, tokens: 'bare' })
  await assert.rejects(connect(other, alice, { connectTimeoutMs: 700 }), {
    message: /no answer to a SASL token within/,
  })
})

test('who gives up while authenticating gets his reason, and the connection is gone', async () => {
  const world = simulation(9)
  await listen(world, { serveToken: () => null })
  const controller = new AbortController()
  const reason = new Error('changed my mind')
  const connecting = connect(world, alice, { signal: controller.signal })
  world.clock.after(500, () => controller.abort(reason))
  await assert.rejects(connecting, (error) => error === reason)
})

const jwt = 'header.payload.signature'

/** OAUTHBEARER that takes one token. */
const tokenServer: ServeToken = (token) => {
  const message = new TextDecoder().decode(token)
  if (message === '\u0001') throw new Error('{"status":"invalid_token"}')
  return message === `n,,\u0001auth=Bearer ${jwt}\u0001traceId=7\u0001\u0001`
    ? empty
    : new TextEncoder().encode('{"status":"invalid_token"}')
}

function bearer(token: OAuthBearerTokenProvider): SaslCredentials {
  return { mechanism: 'OAUTHBEARER', token }
}

test('a token is asked for and sent with its extensions', async () => {
  const world = simulation(10)
  await listen(world, { mechanisms: ['OAUTHBEARER'], serveToken: tokenServer })
  const token = { value: jwt, extensions: { traceId: '7' } }
  const broker = await connect(
    world,
    bearer(() => Promise.resolve(token)),
  )
  await world.time.run(broker.send(Metadata, { topics: [] }))
  await assert.rejects(
    connect(
      world,
      bearer(() => Promise.resolve({ value: 'other' })),
    ),
    { code: 58, message: 'broker:9092: authentication by OAUTHBEARER failed: {"status":"invalid_token"}' },
  )
})

for (const { name, token, expected } of [
  {
    name: 'throws',
    token: () => {
      throw new Error('no way')
    },
    expected: { code: 58, message: 'sasl.token gave no OAUTHBEARER token: no way' },
  },
  { name: 'rejects', token: () => Promise.reject(new Error('no way')), expected: { code: 58, message: /: no way$/ } },
  {
    name: 'gives nothing',
    token: () => Promise.resolve(undefined as never),
    expected: { code: 58, message: /expected \{ value: <the token> \}, got nothing/ },
  },
  {
    name: 'never comes back',
    token: () => new Promise<never>(() => {}),
    expected: { code: 7, message: /sasl.token gave no OAUTHBEARER token within/ },
  },
]) {
  test(`a token provider that ${name} fails the connection`, async () => {
    const world = simulation(11)
    await listen(world, { mechanisms: ['OAUTHBEARER'], serveToken: tokenServer })
    await assert.rejects(connect(world, bearer(token), { connectTimeoutMs: 1000 }), expected)
  })
}

for (const { mechanism, hash } of [
  { mechanism: 'SCRAM-SHA-256', hash: 'sha256' },
  { mechanism: 'SCRAM-SHA-512', hash: 'sha512' },
] as const) {
  for (const tokens of ['requests', 'bare'] as const) {
    test(`${mechanism} over a real connection, its tokens ${tokens}`, async () => {
      const { transport, clock, random } = nodeRuntime()
      const servers = new WeakMap<TransportConnection, ReturnType<typeof scramServer>>()
      await using listener = await startSaslBroker({
        transport,
        clock,
        host: '127.0.0.1',
        port: 0,
        mechanisms: [mechanism],
        tokens,
        serveToken: async (token, connection) => {
          let server = servers.get(connection)
          if (server === undefined) {
            servers.set(connection, (server = scramServer({ hash, password: 'pencil' })))
            await server.next()
          }
          return (await server.next(token)).value as Uint8Array
        },
      })
      const options = { clock, random, clientId: null }
      const sasl = { mechanism, username: 'user', password: 'pencil' }
      await using broker = await connectToBroker(transport, listener.address, { ...options, sasl })
      await broker.send(Metadata, { topics: [] })
      const wrong = connectToBroker(transport, listener.address, { ...options, sasl: { ...sasl, password: 'pen' } })
      await assert.rejects(wrong, tokens === 'bare' ? { code: 13 } : { code: 58, message: /the proof is wrong/ })
    })
  }
}
