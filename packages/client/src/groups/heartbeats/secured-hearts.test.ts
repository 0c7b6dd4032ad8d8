import assert from 'node:assert/strict'
import { connect, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createServer } from 'node:tls'
import { FindCoordinator, Heartbeat, Metadata, SaslAuthenticate, SaslHandshake } from '@millrace/protocol'
import { testCa, testServerCertificate, testServerKey } from '@millrace/runtime/testing'
import { ClientContexts } from '../../client-context.ts'
import { clientOptions, type KafkaOptions } from '../../config/client-options.ts'
import type { Tracing } from '../../observe/tracing.ts'
import { answers, ScriptedBroker, type Script } from '../../testing/scripted-broker.ts'
import { realWorld } from '../../world.ts'
import type { Heart } from './heart.ts'
import { ThreadHost } from './thread-host.ts'

/** A heart in a thread that beats ten times a second. */
function beatingHeart(context: TestContext, options: KafkaOptions): Heart {
  const { cluster } = new ClientContexts(options, realWorld()).open(clientOptions, {}, 'test')
  const plan = { groupId: 'g', groupInstanceId: null, maxPollIntervalMs: 60_000, pollMemory: new SharedArrayBuffer(8) }
  const { settings, world } = cluster
  const heart = new ThreadHost().open({ settings, world, plan, listener: () => {} })
  context.after(async () => {
    await heart[Symbol.asyncDispose]()
    await cluster[Symbol.asyncDispose]()
  })
  heart.beat({
    protocol: 'classic',
    memberId: 'm',
    generationId: 1,
    heartbeatIntervalMs: 20,
    sessionTimeoutMs: 5000,
  })
  return heart
}

/** `port`: where it says that it is, when that is not where it listens. */
async function coordinator(context: TestContext, scripts: readonly Script[], port?: number): Promise<ScriptedBroker> {
  const broker: ScriptedBroker = await ScriptedBroker.start([
    answers(
      FindCoordinator,
      () => ({
        coordinators: [
          { key: 'g', nodeId: 1, host: '127.0.0.1', port: port ?? broker.port, errorCode: 0, errorMessage: null },
        ],
      }),
      4,
    ),
    answers(Metadata, () => ({
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: port ?? broker.port }],
      controllerId: 1,
      topics: [],
    })),
    ...scripts,
  ])
  context.after(() => broker[Symbol.asyncDispose]())
  return broker
}

test('a heart in its thread authenticates with the tokens of a provider, which is called ahead of time', async (context) => {
  const used: string[] = []
  let onBeat: () => void = () => {}
  const nextBeat = (): Promise<void> =>
    new Promise((resolve) => {
      onBeat = resolve
    })
  const broker = await coordinator(context, [
    answers(SaslHandshake, () => ({ errorCode: 0, mechanisms: ['OAUTHBEARER'] })),
    answers(SaslAuthenticate, ({ authBytes }) => {
      used.push(/auth=Bearer (token-\d+)/.exec(Buffer.from(authBytes).toString())![1]!)
      return { errorCode: 0, errorMessage: null, authBytes: new Uint8Array(), sessionLifetimeMs: 0n }
    }),
    answers(Heartbeat, () => {
      onBeat()
      return { errorCode: 0 }
    }),
  ])
  let made = 0
  const first = nextBeat()
  beatingHeart(context, {
    brokers: broker.address,
    sasl: {
      mechanism: 'OAUTHBEARER',
      // Lives so long that only its use makes the client want another.
      token: () => Promise.resolve({ value: `token-${++made}`, expiresAt: Date.now() + 3_600_000 }),
    },
  })
  await first
  assert.equal(used[0], 'token-1')
  const usedAtFirst = used.length
  broker.cutConnections()
  await nextBeat()
  assert.ok(used.length > usedAtFirst)
  assert.ok(!used.slice(usedAtFirst).includes('token-1'), used.join())
})

test('settings that cannot be handed over, as what makes spans, keep no heart from its thread', async (context) => {
  const beaten = Promise.withResolvers<void>()
  const broker = await coordinator(context, [
    answers(Heartbeat, () => {
      beaten.resolve()
      return { errorCode: 0 }
    }),
  ])
  const tracing = { sending: () => null, handling: () => null } as unknown as Tracing
  beatingHeart(context, { brokers: broker.address, tracing })
  await beaten.promise
})

test('a heart in its thread speaks TLS, and trusts whom it is told to', async (context) => {
  const beaten = Promise.withResolvers<void>()
  const scripts = [
    answers(Heartbeat, () => {
      beaten.resolve()
      return { errorCode: 0 }
    }),
  ]
  const door = createServer({ key: testServerKey, cert: testServerCertificate }, (socket) => {
    const inner = connect(broker.port, '127.0.0.1')
    for (const one of [socket, inner]) one.on('error', () => one.destroy())
    socket.pipe(inner).pipe(socket)
  })
  await new Promise<void>((resolve) => {
    door.listen(0, '127.0.0.1', resolve)
  })
  context.after(() => door.close())
  const { port } = door.address() as AddressInfo
  const broker = await coordinator(context, scripts, port)
  beatingHeart(context, { brokers: `127.0.0.1:${port}`, ssl: { ca: testCa, serverName: 'localhost' } })
  await beaten.promise
})
