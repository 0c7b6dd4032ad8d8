/** Runs every example as its reader would: a process of its own, against a broker of its own. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { Kafka, serde } from '@millrace/client'
import { testCa } from '@millrace/runtime/testing'
import { startBroker, type RunningBroker, type StartBrokerOptions } from 'millrace'
import { SecureFront, unusedPort } from './testing/secure-front.ts'

/** Groups that do not wait, as nobody has to be waited for. */
const quick = {
  'group.consumer.heartbeat.interval.ms': 100,
  'group.consumer.min.heartbeat.interval.ms': 100,
  'group.share.heartbeat.interval.ms': 100,
  'group.share.min.heartbeat.interval.ms': 100,
  'group.share.assignment.interval.ms': 0,
}

async function broker(context: TestContext, options: StartBrokerOptions = {}): Promise<RunningBroker> {
  const running = await startBroker({ ...options, configs: { ...quick, ...options.configs } })
  context.after(() => running.close())
  return running
}

function start(
  example: string,
  { bootstrapServers }: RunningBroker,
  environment: NodeJS.ProcessEnv = {},
): ChildProcess {
  return spawn(process.execPath, ['--conditions=source', '--no-warnings', join(import.meta.dirname, example)], {
    env: { ...process.env, KAFKA: bootstrapServers, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** The lines that the example prints. Fails when it fails, or writes to stderr. */
async function linesOf(example: string, running: RunningBroker, environment?: NodeJS.ProcessEnv): Promise<string[]> {
  const child = start(example, running, environment)
  const [out, error, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')])
  assert.equal(error, '', example)
  assert.equal(code, 0, example)
  return out.trimEnd().split('\n')
}

const charges = ['charged for tea', 'charged for milk', 'charged for bread']

for (const [example, expected] of Object.entries({
  'hello.ts': ['hello from JavaScript'],
  'from-kafkajs.ts': ['hello'],
  'sending/awaited.ts': ['tea is at offset 0 of partition 0', 'milk is at offset 1 of partition 0'],
  'sending/concurrently.ts': ['2000 orders are stored'],
  'sending/fire-and-forget.ts': ['sent'],
  'commits/automatic.ts': charges,
  'commits/awaited.ts': [...charges, 'committed 3'],
  'commits/without-waiting.ts': charges,
  'seek-by-time.ts': ['2026-01-01T12:00:00.000Z noon', '2026-01-01T18:00:00.000Z evening'],
  'transactions.ts': ['2 orders are priced'],
  'wider-topic.ts': ['moved 500 jobs', '12 partitions have jobs now'],
  'admin.ts': ['orders has 6 partitions'],
  'formats.ts': ['not sent: TypeError', '2026 tea 2'],
  'share-explicit.ts': ['done with resize', 'done with upload', 'stored'],
}))
  test(`${example} prints what it says`, async (context) => {
    assert.deepEqual(await linesOf(example, await broker(context)), expected)
  })

test('commits/per-partition.ts commits every ten records', async (context) => {
  const lines = await linesOf('commits/per-partition.ts', await broker(context))
  assert.deepEqual(
    lines.map((line) => /^committed (\d+) records in [123] partitions$/.exec(line)?.[1]),
    ['10', '20', '30'],
  )
})

test('what is handled is committed, in every style', async (context) => {
  for (const style of ['automatic', 'awaited', 'without-waiting']) {
    const running = await broker(context)
    await linesOf(`commits/${style}.ts`, running)
    await using admin = new Kafka({ brokers: running.bootstrapServers }).admin()
    const [{ offsets }] = await admin.listGroupOffsets([{ groupId: 'billing' }])
    // The loop ends while it handles the third, which counts only where it was committed by name.
    assert.equal(offsets[0]?.offset, style === 'automatic' ? 2n : 3n, style)
  }
})

test('observing.ts tells of commits and counts what was sent', async (context) => {
  const lines = await linesOf('observing.ts', await broker(context))
  assert.ok(lines.includes('billing, orders-0: committed 1'), lines.join('\n'))
  assert.equal(lines.at(-1), 'records sent: 1')
})

test('rebalance-listener.ts shows partitions going from one member to the other', async (context) => {
  const lines = await linesOf('rebalance-listener.ts', await broker(context))
  assert.equal(lines[0], 'first gets 0, 1, 2, 3')
  const taken = lines.find((line) => line.startsWith('first gives up '))?.slice('first gives up '.length)
  assert.ok(taken !== undefined && taken.split(', ').length === 2, lines.join('\n'))
  assert.ok(lines.includes(`second gets ${taken}`), lines.join('\n'))
})

test('by-key/main.ts has the records of each key handled in order, by threads', async (context) => {
  const lines = await linesOf('by-key/main.ts', await broker(context))
  assert.equal(lines.length, 40)
  for (let user = 0; user < 8; user++)
    assert.deepEqual(
      lines.filter((line) => line.startsWith(`user-${user},`)).map((line) => /secret (\d)/.exec(line)?.[1]),
      ['1', '2', '3', '4', '5'],
    )
})

test('retries.ts repeats what fails, lets others pass, and ends with a dead letter', async (context) => {
  const lines = await linesOf('retries.ts', await broker(context))
  const of = (value: string): string[] => lines.filter((line) => line.startsWith(value))
  assert.deepEqual(of('tea'), ['tea, attempt 1'])
  for (const value of ['impossible', 'out of stock for now'])
    assert.deepEqual(of(value), [`${value}, attempt 1`, `${value}, attempt 2`, `${value}, attempt 3`])
  assert.ok(lines.indexOf('milk, attempt 1') < lines.indexOf('impossible, attempt 3'), lines.join('\n'))
  assert.equal(lines.at(-1), 'dead: impossible, from orders at 2, after 3 attempts: there is no such thing')
})

test('share-consumer.ts has what was released delivered again, and what was rejected not', async (context) => {
  const lines = await linesOf('share-consumer.ts', await broker(context))
  assert.deepEqual(lines.filter((line) => line.includes('delivery')).toSorted(), [
    'broken, delivery 1',
    'flaky, delivery 1',
    'flaky, delivery 2',
    'resize, delivery 1',
    'upload, delivery 1',
  ])
})

test('security.ts gets in by TLS and SASL', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-example-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const ca = join(directory, 'ca.pem')
  writeFileSync(ca, testCa)
  await using front = await SecureFront.start({ username: 'orders', password: 'secret' })
  front.brokerPort = await unusedPort()
  const running = await broker(context, {
    port: front.brokerPort,
    configs: { 'advertised.listeners': `PLAINTEXT://localhost:${front.port}` },
  })
  const outside = { ...running, bootstrapServers: `localhost:${front.port}` }
  const lines = await linesOf('security.ts', outside, { KAFKA_CA: ca, KAFKA_PASSWORD: 'secret' })
  assert.deepEqual(lines, ['stored at 0'])
  assert.ok(front.letIn > 0)
})

test('exactly-once-database.ts counts every payment once, wherever it is killed', async (context) => {
  // What is killed is missed soon.
  const sessions = { 'group.consumer.session.timeout.ms': 3_000, 'group.consumer.min.session.timeout.ms': 3_000 }
  const running = await broker(context, { configs: sessions })
  const directory = mkdtempSync(join(tmpdir(), 'millrace-example-'))
  context.after(() => rmSync(directory, { recursive: true, maxRetries: 3 }))
  const file = join(directory, 'balances.db')
  const kafka = new Kafka({ brokers: running.bootstrapServers })
  await using producer = kafka.producer({ topic: 'payments', key: serde.string, value: serde.int })
  const expected = new Map<string, number>()
  // Before each start: however late the kill before it came, there is something to read.
  const pay = async (): Promise<void> => {
    const payments = Array.from({ length: 500 }, (_, index) => ({ key: `account-${index % 7}`, value: index }))
    for (const { key, value } of payments) expected.set(key, (expected.get(key) ?? 0) + value)
    await producer.sendAll(payments)
  }
  for (const batches of [1, 7, 20]) {
    await pay()
    const child = start('exactly-once-database.ts', running, { DATABASE: file })
    let seen = 0
    child.stdout!.on('data', (lines: Buffer) => {
      seen += lines.toString().split('at ').length - 1
      if (seen >= batches) child.kill('SIGKILL')
    })
    await once(child, 'exit')
  }
  await pay()
  await linesOf('exactly-once-database.ts', running, { DATABASE: file })
  const database = new DatabaseSync(file)
  context.after(() => database.close())
  const balances = database.prepare('SELECT account, amount FROM balances').all()
  assert.deepEqual(new Map(balances.map(({ account, amount }) => [account as string, amount as number])), expected)
})
