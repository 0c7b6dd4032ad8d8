// What needs a broker with SASL and two log directories: passwords that open the door, delegation tokens, replicas that move.
import { join } from 'node:path'
import { Kafka, ErrorCode, serde, type DelegationToken } from '@millrace/client'
import type { RunningBroker } from '../brokers/broker.ts'
import { freePorts } from '../brokers/free-port.ts'
import { startKraftNode } from '../brokers/kraft-node.ts'
import { eventually } from '../checks/eventually.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import { canonical } from './canonical.ts'
import type { Effect } from './effect.ts'
import { javaAnswers } from './java-answers.ts'
import { codeOf } from './stage.ts'

const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule'

interface SecuredBroker {
  readonly process: RunningBroker
  readonly directory: string
  readonly open: string
  readonly sasl: string
}

export async function startSecured(directory: string): Promise<SecuredBroker> {
  const [port, controllerPort, saslPort] = (await freePorts(3)) as [number, number, number]
  const data = join(directory, 'secured')
  const process = await startKraftNode({
    dataDirectory: data,
    nodeId: 1,
    port,
    controllerPort,
    voters: new Map([[1, controllerPort]]),
    flags: () => ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'],
    properties: {
      listeners: `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://127.0.0.1:${saslPort},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://127.0.0.1:${saslPort}`,
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': `${scramModule} required;`,
      'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': `${scramModule} required;`,
      'delegation.token.secret.key': 'a secret of the brokers',
      'log.dirs': `${data}/first,${data}/second`,
    },
  })
  await process.ready(120_000)
  return { process, directory, open: `127.0.0.1:${port}`, sasl: `127.0.0.1:${saslPort}` }
}

export function securedEffects(broker: SecuredBroker): readonly Effect[] {
  return [
    { what: 'credentials made here open the door, wrong ones do not', run: () => logins(broker) },
    { what: 'delegation tokens: made, as Java sees them, used, renewed, ended', run: () => tokens(broker) },
    { what: 'a replica moves to another log directory', run: () => moves(broker) },
  ]
}

type Mechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

function login(
  broker: SecuredBroker,
  username: string,
  password: string,
  more: { mechanism?: Mechanism; tokenauth?: boolean } = {},
) {
  const { mechanism = 'SCRAM-SHA-256', tokenauth } = more
  return new Kafka({
    brokers: broker.sasl,
    sasl: { mechanism, username, password, ...(tokenauth === true ? { delegationToken: true } : {}) },
  })
}

async function addUsers(broker: SecuredBroker): Promise<void> {
  await using admin = new Kafka({ brokers: broker.open }).admin()
  await admin.alterUserScramCredentials([
    { user: 'alice', mechanism: 'SCRAM-SHA-256', password: 'pass ä word', iterations: 5000 },
    { user: 'bob', mechanism: 'SCRAM-SHA-512', password: 'other' },
  ])
}

async function logins(broker: SecuredBroker): Promise<void> {
  await addUsers(broker)
  await eventually(async () => {
    await using admin = login(broker, 'alice', 'pass ä word').admin()
    expectEqual((await admin.describeCluster()).brokers.length, 1, 'brokers')
  })
  await using bob = login(broker, 'bob', 'other', { mechanism: 'SCRAM-SHA-512' }).admin()
  await bob.listTopics()
  await using wrong = login(broker, 'alice', 'wrong').admin()
  expectEqual(await codeOf(wrong.listTopics()), ErrorCode.SASL_AUTHENTICATION_FAILED, 'with a wrong password')
}

async function tokens(broker: SecuredBroker): Promise<void> {
  await addUsers(broker)
  await using admin = login(broker, 'alice', 'pass ä word').admin()
  const token = await eventually(() =>
    admin.createDelegationToken({ renewers: ['User:bob'], maxLifetimeMs: 3_600_000 }),
  )
  expectEqual([token.owner, token.requester, token.renewers], ['User:alice', 'User:alice', ['User:bob']], 'principals')
  expectEqual(token.maxAt - token.issuedAt, 3_600_000, 'lifetime')
  const described = await eventually(async () => {
    const all = await admin.describeDelegationToken()
    expectEqual(all.length, 1, 'tokens')
    return all
  })
  expectEqual(canonical(shown(described[0]!)), canonical(shown(token)), 'described as created')
  await asJavaSees(broker, described)
  expectEqual((await admin.describeDelegationToken({ owners: ['User:bob'] })).length, 1, 'tokens that bob may renew')
  expectEqual(await admin.describeDelegationToken({ owners: ['User:carol'] }), [], 'tokens of somebody else')

  const hmac = Buffer.from(token.hmac)
  await using holder = login(broker, token.tokenId, hmac.toString('base64'), { tokenauth: true }).admin()
  expectEqual((await holder.describeCluster()).brokers.length, 1, 'brokers, by token')
  expectEqual(
    await codeOf(holder.createDelegationToken()),
    ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    'a token by a token',
  )
  const renewed = await admin.renewDelegationToken(token.hmac, { renewPeriodMs: 600_000 })
  expectTrue(Math.abs(renewed - Date.now() - 600_000) < 30_000, `renewed until ${renewed}`)
  await admin.expireDelegationToken(token.hmac)
  await eventually(async () => expectEqual(await admin.describeDelegationToken(), [], 'tokens after the end'))
  expectEqual(await codeOf(admin.renewDelegationToken(token.hmac)), ErrorCode.DELEGATION_TOKEN_NOT_FOUND, 'renewing it')
}

function shown(token: DelegationToken): unknown {
  return { ...token, hmac: Buffer.from(token.hmac).toString('base64') }
}

async function asJavaSees({ directory, sasl }: SecuredBroker, described: readonly DelegationToken[]): Promise<void> {
  const answers = await javaAnswers({
    directory,
    properties: {
      'bootstrap.servers': sasl,
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.jaas.config': `${scramModule} required username="bob" password="other";`,
    },
    job: { tokens: true },
  })
  expectEqual(canonical(described.map(shown)), canonical(answers['tokens']), 'tokens as Java sees them')
}

async function moves(broker: SecuredBroker): Promise<void> {
  const kafka = new Kafka({ brokers: broker.open })
  await using admin = kafka.admin()
  await admin.createTopics([{ name: 'moving' }])
  await using producer = kafka.producer({ topic: 'moving', value: serde.string })
  await producer.sendAll(Array.from({ length: 100 }, (_, at) => ({ value: `value ${at}` })))
  const replica = { topic: 'moving', partition: 0, brokerId: 1 }
  const place = async () => (await admin.describeReplicaLogDirs([replica]))[0].current?.path
  const [{ logDirs }] = await admin.describeLogDirs([1])
  const before = await place()
  const other = logDirs.map(({ path }) => path).find((path) => path !== before)
  expectTrue(logDirs.length === 2 && before !== undefined && other !== undefined, 'there are not two directories')
  await admin.alterReplicaLogDirs([{ ...replica, path: other! }])
  await eventually(async () => expectEqual(await place(), other, 'directory'), 20_000)
}
