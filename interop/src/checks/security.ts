// Our client's connections against the security of Apache Kafka: every SASL mechanism, in plaintext and over TLS, client certificates,
// re-authentication, and what is said to those who have it wrong. Our own broker has no such listeners yet.
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AlterUserScramCredentials,
  CreateDelegationToken,
  DescribeUserScramCredentials,
  ErrorCode,
  Metadata,
} from '@millrace/protocol'
import { Kafka, serde } from '@millrace/client'
import { clientCredentials, connectToBroker } from '@millrace/network'
import type {
  BrokerConnection,
  ConnectToBrokerOptions,
  OAuthBearerTokenProvider,
  SaslCredentials,
} from '@millrace/network'
import { nodeRuntime, type TlsClientOptions } from '@millrace/runtime'
import {
  testCa,
  testClientCertificate,
  testClientKey,
  testServerCertificate,
  testServerKey,
} from '@millrace/runtime/testing'
import { apacheKafka } from '../brokers/apache-kafka.ts'
import { freePorts } from '../brokers/free-port.ts'
import { kafkaVersion } from '../brokers/kafka-distribution.ts'
import { apacheKafka011 } from '../brokers/older-kafka.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Report } from '../report.ts'
import { eventually } from './eventually.ts'

export const ourConnections = { name: '@millrace/network', version: `on Apache Kafka ${kafkaVersion}` }
const ourClients = { name: '@millrace/client', version: ourConnections.version }
const onOldest = { name: ourConnections.name, version: 'on Apache Kafka 0.11' }

const { clock, random, transport } = nodeRuntime()
const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']
/** How long a session of the listener SHORT lasts: it is renewed when a twentieth of it is left, or more, which has to do for a busy machine. */
const sessionMs = 5_000
const throughSessionsMs = 2.5 * sessionMs
const password = 'päss,wörd='

const plain: SaslCredentials = { mechanism: 'PLAIN', username: 'alice', password: 'alice-secret' }

/** `host` is named, as certificates have names. */
function connect(port: number, options: Partial<ConnectToBrokerOptions> = {}): Promise<BrokerConnection> {
  return connectToBroker(transport, { host: 'localhost', port }, { clock, random, clientId: 'security', ...options })
}

/** Connects, and has something answered that only the authenticated may ask. */
async function expectServed(port: number, options: Partial<ConnectToBrokerOptions> = {}): Promise<void> {
  await using broker = await connect(port, options)
  const { brokers } = await broker.send(Metadata, { topics: [] })
  expectEqual(brokers.length, 1, 'brokers')
}

async function expectRefused(
  port: number,
  options: Partial<ConnectToBrokerOptions>,
  expected: { readonly code?: number; readonly message: RegExp },
): Promise<string> {
  try {
    await expectServed(port, options)
  } catch (error) {
    const { message, code } = error as Error & { readonly code?: number }
    expectTrue(expected.message.test(message), `expected ${expected.message}, got: ${message}`)
    if (expected.code !== undefined) expectEqual(code, expected.code, 'code')
    return message
  }
  throw new Error('expected a failure, but was served')
}

/** A token that the broker's default validator takes: not signed. */
function unsecuredToken(subject: string, lifetimeMs: number): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${encode({ alg: 'none' })}.${encode({ sub: subject, iat: now, exp: now + Math.floor(lifetimeMs / 1000) })}.`
}

const bearer = (token: OAuthBearerTokenProvider): SaslCredentials => ({ mechanism: 'OAUTHBEARER', token })

/** Gives tokens to `app` with `app-secret`, as an identity provider does. */
async function startTokenEndpoint(): Promise<{ url: string; requests: number } & AsyncDisposable> {
  const server = createServer((request, response) => {
    endpoint.requests++
    const expected = `Basic ${Buffer.from('app:app-secret').toString('base64')}`
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: 'invalid_client', error_description: 'who are you' }))
      return
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    const token = unsecuredToken('app', 600_000)
    response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 600 }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    requests: 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return endpoint
}

interface Ports {
  readonly plaintext: number
  readonly sasl: number
  readonly saslTls: number
  readonly mutualTls: number
  readonly short: number
}

function securityProperties(directory: string, ports: Ports, controllerPort: number): Record<string, string> {
  const file = (name: string, content: string) => {
    const path = join(directory, name)
    writeFileSync(path, content)
    return path
  }
  const keys = file('server.pem', testServerKey + testServerCertificate)
  const authority = file('ca.pem', testCa)
  const listeners = [
    ['PLAINTEXT', 'PLAINTEXT', ports.plaintext],
    ['SASL', 'SASL_PLAINTEXT', ports.sasl],
    ['SASLTLS', 'SASL_SSL', ports.saslTls],
    ['MUTUAL', 'SSL', ports.mutualTls],
    ['SHORT', 'SASL_SSL', ports.short],
  ] as const
  const modules = {
    plain: 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";',
    'scram-sha-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'scram-sha-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    oauthbearer:
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
  }
  const properties: Record<string, string> = {
    listeners: [
      ...listeners.map(([name, , port]) => `${name}://127.0.0.1:${port}`),
      `CONTROLLER://127.0.0.1:${controllerPort}`,
    ].join(','),
    'advertised.listeners': listeners.map(([name, , port]) => `${name}://localhost:${port}`).join(','),
    'listener.security.protocol.map': [
      ...listeners.map(([name, protocol]) => `${name}:${protocol}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'sasl.enabled.mechanisms': mechanisms.join(','),
    'delegation.token.secret.key': 'a secret of the cluster',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keys,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': authority,
    'listener.name.mutual.ssl.client.auth': 'required',
  }
  for (const listener of ['sasl', 'sasltls', 'short'])
    for (const [mechanism, module] of Object.entries(modules))
      properties[`listener.name.${listener}.${mechanism}.sasl.jaas.config`] = module
  for (const mechanism of Object.keys(modules))
    properties[`listener.name.short.${mechanism}.connections.max.reauth.ms`] = String(sessionMs)
  return properties
}

/** Gives `name` a password, by the plaintext listener. */
async function createScramUser(port: number, name: string): Promise<void> {
  await using broker = await connect(port)
  const salt = new Uint8Array(randomBytes(16))
  // One request each: a user may be named only once in it.
  for (const { mechanism, hash, bytes } of [
    { mechanism: 1, hash: 'sha256', bytes: 32 },
    { mechanism: 2, hash: 'sha512', bytes: 64 },
  ]) {
    const saltedPassword = new Uint8Array(pbkdf2Sync(password, salt, 4096, bytes, hash))
    const upsertion = { name, mechanism, iterations: 4096, salt, saltedPassword }
    const { results } = await broker.send(AlterUserScramCredentials, { deletions: [], upsertions: [upsertion] })
    for (const { errorCode, errorMessage } of results) expectEqual(errorCode, 0, errorMessage ?? 'error')
  }
  await eventually(async () => {
    const described = await broker.send(DescribeUserScramCredentials, { users: [{ name }] })
    expectEqual(described.results[0]!.credentialInfos.length, 2, 'credentials')
  })
}

/** A delegation token of alice's: its id, and its HMAC as the password is. */
async function createDelegationToken(port: number): Promise<{ username: string; password: string }> {
  await using broker = await connect(port, { sasl: plain })
  const answer = await broker.send(CreateDelegationToken, {
    ownerPrincipalType: null,
    ownerPrincipalName: null,
    renewers: [],
    maxLifetimeMs: -1n,
  })
  expectEqual(answer.errorCode, ErrorCode.NONE, 'error')
  return { username: answer.tokenId, password: Buffer.from(answer.hmac).toString('base64') }
}

/** Sends without a pause over sessions that end meanwhile, up to five at a time. Returns how many were answered. */
async function sendThroughSessions(port: number, sasl: SaslCredentials, durationMs: number): Promise<number> {
  await using broker = await connect(port, { sasl, tls: { ca: testCa } })
  const end = performance.now() + durationMs
  let answered = 0
  const sendOnAndOn = async () => {
    for (; performance.now() < end; answered++) {
      await broker.send(Metadata, { topics: [] })
      await delay(5)
    }
  }
  await Promise.all(Array.from({ length: 5 }, sendOnAndOn))
  expectTrue(broker.isOpen, 'the connection has ended')
  return answered
}

async function checkMechanisms(report: Report, ports: Ports): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(ourConnections, what, run)
  const tls: TlsClientOptions = { ca: testCa }
  const scram = (mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512', word = password): SaslCredentials => ({
    mechanism,
    username: 'bob, =',
    password: word,
  })
  const good: readonly SaslCredentials[] = [
    plain,
    scram('SCRAM-SHA-256'),
    scram('SCRAM-SHA-512'),
    bearer(() => Promise.resolve({ value: unsecuredToken('carol', 60_000) })),
  ]
  await check('SASL: users of SCRAM', () => createScramUser(ports.plaintext, 'bob, ='))
  for (const sasl of good) {
    await check(`SASL: ${sasl.mechanism} in plaintext`, async () => {
      await eventually(() => expectServed(ports.sasl, { sasl }))
    })
    await check(`SASL: ${sasl.mechanism} over TLS`, () => expectServed(ports.saslTls, { sasl, tls }))
  }
  await check('SASL: delegation tokens', async () => {
    const token = await createDelegationToken(ports.sasl)
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      const sasl = { mechanism, delegationToken: true, ...token }
      await eventually(() => expectServed(ports.sasl, { sasl }))
    }
  })
  for (const sasl of [
    { ...plain, password: 'wrong' } as const,
    scram('SCRAM-SHA-256', 'x'),
    scram('SCRAM-SHA-512', 'x'),
  ]) {
    await check(`SASL: ${sasl.mechanism} with a wrong password is refused`, () =>
      expectRefused(ports.sasl, { sasl }, { code: 58, message: /authentication as .* failed: Authentication failed/ }),
    )
  }
  await check('SASL: OAUTHBEARER with a bad token is refused', () => {
    const sasl = bearer(() => Promise.resolve({ value: unsecuredToken('carol', -60_000) }))
    return expectRefused(ports.sasl, { sasl }, { code: 58, message: /invalid_token/ })
  })
  await check('SASL: tokens by client credentials', async () => {
    await using endpoint = await startTokenEndpoint()
    const token = clientCredentials({ tokenEndpointUrl: endpoint.url, clientId: 'app', clientSecret: 'app-secret' })
    for (let i = 0; i < 3; i++) await expectServed(ports.sasl, { sasl: bearer(token) })
    expectEqual(endpoint.requests, 1, 'requests for a token')
    const wrong = clientCredentials({ tokenEndpointUrl: endpoint.url, clientId: 'app', clientSecret: 'x' })
    return await expectRefused(ports.sasl, { sasl: bearer(wrong) }, { code: 58, message: /401.*invalid_client/ })
  })
}

async function checkMistakes(report: Report, ports: Ports): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(ourConnections, what, run)
  const { plaintext, sasl: saslPort, saslTls, mutualTls } = ports
  await check('TLS: a client certificate', () =>
    expectServed(mutualTls, { tls: { ca: testCa, key: testClientKey, certificate: testClientCertificate } }),
  )
  await check('mistakes: no client certificate', () =>
    expectRefused(mutualTls, { tls: { ca: testCa } }, { message: /ssl\.certificate and ssl\.key/ }),
  )
  await check('mistakes: an authority that is not trusted', () =>
    expectRefused(saslTls, { tls: {}, sasl: plain }, { message: /give the authority's certificate as ssl\.ca/ }),
  )
  await check('mistakes: a certificate for another name', () =>
    expectRefused(saslTls, { tls: { ca: testCa, serverName: 'other' }, sasl: plain }, { message: /ssl\.serverName/ }),
  )
  await check('mistakes: plaintext to a TLS port', () =>
    expectRefused(saslTls, { sasl: plain }, { message: /set ssl: true/ }),
  )
  await check('mistakes: TLS to a plaintext port', () =>
    expectRefused(plaintext, { tls: { ca: testCa } }, { message: /leave out ssl/ }),
  )
  await check('mistakes: no SASL to a SASL port', () => expectRefused(saslPort, {}, { message: /set sasl$/ }))
  await check('mistakes: SASL to a port without', () =>
    expectRefused(plaintext, { sasl: plain }, { code: 34, message: /Leave out sasl/ }),
  )
  await check('mistakes: a mechanism that the broker lacks', () => {
    const sasl = { ...plain, mechanism: 'GSSAPI' } as unknown as SaslCredentials
    return expectRefused(saslPort, { sasl }, { message: /expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER/ })
  })
}

const sessionCredentials: readonly SaslCredentials[] = [
  plain,
  { mechanism: 'SCRAM-SHA-512', username: 'bob, =', password },
  bearer(() => Promise.resolve({ value: unsecuredToken('carol', 60_000) })),
]

async function checkSessions(report: Report, { short }: Ports): Promise<void> {
  await Promise.all(
    sessionCredentials.map((sasl) =>
      report.part().check(ourConnections, `SASL: ${sasl.mechanism} re-authenticates under load`, async () => {
        const answered = await sendThroughSessions(short, sasl, throughSessionsMs)
        expectTrue(answered > 100, `${answered} answers`)
        return `${answered} requests answered in three sessions`
      }),
    ),
  )
}

/** A producer and a consumer group, over TLS, while sessions end: each record is read once, in order. */
async function checkClients(report: Report, ports: Ports): Promise<void> {
  for (const sasl of sessionCredentials) {
    const what = `SASL: producer and consumer group go on over sessions of ${sasl.mechanism}`
    await report.check(ourClients, what, async () => {
      const kafka = new Kafka({ brokers: `localhost:${ports.short}`, sasl, ssl: { ca: testCa } })
      const topic = `sessions-${sasl.mechanism}`
      await using admin = kafka.admin()
      await admin.createTopics([{ name: topic, numPartitions: 1 }])
      await using producer = kafka.producer({ topic, value: serde.string })
      await using consumer = kafka.consumer({ groupId: topic, value: serde.string, offsetReset: 'earliest' })
      consumer.subscribe([topic])
      const read: string[] = []
      const reading = (async () => {
        for await (const { value } of consumer) {
          if (value === 'end') return
          read.push(value!)
        }
      })()
      const written: string[] = []
      for (const end = performance.now() + throughSessionsMs; performance.now() < end; await delay(2)) {
        written.push(`record ${written.length}`)
        producer.sendAndForget({ value: written.at(-1)! })
      }
      await producer.send({ value: 'end' })
      await reading
      expectEqual(read, written, 'records')
      return `${read.length} records`
    })
  }
}

/** Brokers before 1.0 take tokens without headers. */
async function checkOldest(report: Report, directory: string): Promise<void> {
  await report.check(onOldest, 'SASL: tokens without headers', async () => {
    await apacheKafka011.prepare()
    const [port, sasl] = (await freePorts(2)) as [number, number]
    const module =
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="alice-secret" user_alice="alice-secret";'
    const jaas = join(directory, 'jaas.conf')
    writeFileSync(jaas, `KafkaServer {\n  ${module}\n};\n`)
    const listeners = `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://127.0.0.1:${sasl}`
    const broker = await apacheKafka011.start({
      dataDirectory: join(directory, 'oldest'),
      port,
      jvmFlags: [`-Djava.security.auth.login.config=${jaas}`],
      properties: { listeners, 'advertised.listeners': listeners, 'sasl.enabled.mechanisms': 'PLAIN' },
    })
    try {
      await broker.ready()
      await eventually(() => expectServed(sasl, { sasl: plain }), 20_000)
      const wrong = { ...plain, password: 'wrong' } as const
      return await expectRefused(sasl, { sasl: wrong }, { code: 13, message: /name or password are wrong/ })
    } finally {
      await broker.kill()
    }
  })
}

export async function checkSecurity(report: Report, directory: string): Promise<void> {
  await apacheKafka.prepare()
  const [plaintext, sasl, saslTls, mutualTls, short, controller] = (await freePorts(6)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const ports = { plaintext, sasl, saslTls, mutualTls, short }
  const properties = securityProperties(directory, ports, controller)
  const broker = await apacheKafka.start({ dataDirectory: join(directory, 'secure'), port: plaintext, properties })
  try {
    await broker.ready()
    await checkMechanisms(report, ports)
    await checkMistakes(report, ports)
    await checkSessions(report, ports)
    await checkClients(report, ports)
  } finally {
    await broker.kill()
  }
  await checkOldest(report, directory)
}
