// Transactions of every client that has them, at each level of transaction.version that a broker can have.
import { java } from '../../clients/java.ts'
import { expectEqual, expectTrue } from '../../expect.ts'
import { inParallel } from '../../in-parallel.ts'
import { eventually } from '../eventually.ts'
import { fromAnswer, topicPart, type Context, type OpenClient } from '../context.ts'
import type { ForeignClient } from '../../clients/foreign-client.ts'
import { Member } from '../groups/member.ts'
import type { Isolation, Observer } from '../observer.ts'
import { checkCopying } from './copying.ts'
import { checkTransactionalProducer, type TransactionalTopic } from './producing.ts'

const atOnce = 3

export async function checkTransactions(
  context: Context,
  clients: readonly OpenClient[],
  observer: Observer,
): Promise<void> {
  const { broker } = context
  const transactional = clients.filter(({ client }) => client.transactions !== null)
  const topics: TransactionalTopic[] = []
  for (const { client, session } of transactional) {
    const topic = `txn-${topicPart(client.name)}`
    topics.push(
      await checkTransactionalProducer(context.report, { client, session, observer, topic, label: 'transactions' }),
    )
  }
  for (const open of clients) await checkReading(context, open, topics)
  const copies = transactional.map(({ client }) => {
    const report = context.report.part()
    return async () => {
      await report.check(client, 'exactly-once copy, killed in the middle', () =>
        checkCopying({ client, bootstrap: broker.bootstrap, observer, name: `copy-${topicPart(client.name)}` }),
      )
    }
  })
  await inParallel(copies, atOnce)
  if (transactional.length > 0) await checkTimeout(context, transactional[0]!, observer)
  const javaClient = clients.find(({ client }) => client === java)
  if (javaClient !== undefined) await checkOlderLevels(context, javaClient, observer)
}

/** Each client reads both views of what all wrote; those that cannot by partition read the committed one as a group's member. */
async function checkReading(context: Context, open: OpenClient, topics: readonly TransactionalTopic[]): Promise<void> {
  const { client, session } = open
  const { report, broker } = context
  if (topics.length === 0) return
  if (client.reads === null || client.reads.isBlindToTransactions === true) {
    if (client.transactions?.readsCommittedView !== true) return
    await report.check(client, 'transactions: read_committed view, as a member of a group', async () => {
      for (const view of topics) await readAsMember(client, broker.bootstrap, view)
      return `${topics.length} topics`
    })
    return
  }
  for (const isolation of ['read_committed', 'read_uncommitted'] as const)
    await report.check(client, `transactions: ${isolation} view`, async () => {
      for (const view of topics)
        for (const partition of [0, 1]) {
          const expected = valuesOf(view, isolation, partition)
          const job = { topic: view.topic, partition, offset: -2, count: expected.length, timeoutMs: 20_000 }
          const mode = isolation === 'read_committed' ? isolation : ''
          const records = fromAnswer(await session.call('consume', { ...job, mode }))
          const values = records.map(({ value }) => value?.toString() ?? null)
          expectEqual(values, expected, `${view.topic}-${partition}`)
        }
      return `${topics.length} topics`
    })
}

const valuesOf = (view: TransactionalTopic, isolation: Isolation, partition: number) =>
  view[isolation].filter(([at]) => at === partition).map(([, value]) => value)

async function readAsMember(client: ForeignClient, bootstrap: string, view: TransactionalTopic): Promise<void> {
  const member = new Member('reader', client.open(bootstrap))
  try {
    const { membership } = client.transactions!
    const group = `reader-${topicPart(client.name)}-${view.topic}`
    const { topic } = view
    await member.join({ ...membership, group, topic, sessionTimeoutMs: 10_000, autoCommit: false, instanceId: null })
    const deadline = performance.now() + 20_000
    while (member.records.length < view.read_committed.length && performance.now() < deadline) await member.poll()
    await member.poll()
    for (const partition of [0, 1])
      expectEqual(
        member.records.filter(([at]) => at === partition).map(([, , value]) => value),
        valuesOf(view, 'read_committed', partition),
        `${topic}-${partition}`,
      )
  } finally {
    await member.kill()
  }
}

/** A transaction that takes longer than it may is aborted by the coordinator, and its producer fenced. */
async function checkTimeout({ report }: Context, { client, session }: OpenClient, observer: Observer): Promise<void> {
  await report.check(client, 'transactions: one that takes too long is aborted', async () => {
    const topic = 'txn-timeout'
    await observer.createTopic(topic, 1)
    const call = (op: string, fields: object = {}) =>
      session.call(op, { name: 'slow', topic, transactionalId: 'id-slow', timeoutMs: 1500, ...fields })
    await call('txnOpen')
    await call('txnBegin')
    await call('txnSend', { pairs: [[0, 'too late']] })
    // What is written behind an open transaction is seen when that one has ended.
    await observer.fill(topic, [[0, 'behind it']])
    const startedMs = performance.now()
    await eventually(async () => {
      expectEqual(await observer.read(topic, 'read_committed'), [[0, null, 'behind it']], 'committed records')
    }, 15_000)
    const tookMs = Math.round(performance.now() - startedMs)
    await expectRefused(call('txnEnd', { commit: true }))
    await call('txnClose').catch(() => {})
    return `aborted after ${tookMs} ms`
  })
}

async function expectRefused(end: Promise<unknown>): Promise<void> {
  const committed = await end.then(
    () => true,
    () => false,
  )
  expectTrue(!committed, 'the producer could commit')
}

/** The Java client picks its way to transact by the level: lower ones are what older brokers have. */
async function checkOlderLevels(context: Context, { client, session }: OpenClient, observer: Observer): Promise<void> {
  const { report, broker } = context
  for (const level of [1, 0]) {
    const label = `transaction.version ${level}`
    await report.check(client, `${label}: lowered`, () =>
      observer.setFeature('transaction.version', level, { lower: true }),
    )
    const topic = `txn-version-${level}`
    await checkTransactionalProducer(report, { client, session, observer, topic, label })
    await report.check(client, `${label}: exactly-once copy, killed in the middle`, () =>
      checkCopying({ client, bootstrap: broker.bootstrap, observer, name: `copy-version-${level}` }),
    )
  }
  await report.check(client, 'transaction.version 2: raised again', () =>
    observer.setFeature('transaction.version', 2, { lower: false }),
  )
}
