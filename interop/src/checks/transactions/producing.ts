// Transactions of one producer: commit, abort, both views of the records, and a second producer that fences the first.
import { ClientError } from '../../client-program.ts'
import type { ForeignClient, Session } from '../../clients/foreign-client.ts'
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Report } from '../../report.ts'
import { eventually } from '../eventually.ts'
import type { Isolation, Observer } from '../observer.ts'

const partitions = 2
const perPartition = 5

/** What each view of a topic holds, partition by partition. */
export interface TransactionalTopic {
  readonly topic: string
  readonly read_committed: readonly (readonly [number, string])[]
  readonly read_uncommitted: readonly (readonly [number, string])[]
}

export interface ProducingOptions {
  readonly client: ForeignClient
  readonly session: Session
  readonly observer: Observer
  readonly topic: string
  /** Goes before the name of each check. */
  readonly label: string
}

/** Returns what must be in the topic now. */
export async function checkTransactionalProducer(
  report: Report,
  { client, session, observer, topic, label }: ProducingOptions,
): Promise<TransactionalTopic> {
  const transactionalId = `id-${topic}`
  const views = { read_committed: [] as [number, string][], read_uncommitted: [] as [number, string][] }
  const call = (op: string, name: string, fields: Record<string, unknown> = {}) =>
    session.call(op, { name, topic, transactionalId, timeoutMs: 30_000, ...fields })
  const batch = (text: string) =>
    Array.from({ length: partitions * perPartition }, (_, i): [number, string] => [i % partitions, `${text} ${i}`])
  const expectView = async (isolation: Isolation) => {
    const order = ([partition]: readonly [number, unknown]) => partition
    const read = (await observer.read(topic, isolation)).map(([partition, , value]) => [partition, value] as const)
    const sorted = (all: readonly (readonly [number, string])[]) => all.toSorted((a, b) => order(a) - order(b))
    expectEqual(sorted(read), sorted(views[isolation]), isolation)
  }
  const expectViews = () =>
    eventually(async () => {
      await expectView('read_committed')
      await expectView('read_uncommitted')
    })
  const check = (what: string, step: () => Promise<string | void>) => report.check(client, `${label}: ${what}`, step)

  await check('commit', async () => {
    await observer.createTopic(topic, partitions)
    await call('txnOpen', 'first')
    await call('txnBegin', 'first')
    const pairs = batch('committed')
    await call('txnSend', 'first', { pairs })
    views.read_uncommitted.push(...pairs)
    await expectViews()
    await call('txnEnd', 'first', { commit: true })
    views.read_committed.push(...pairs)
    await expectViews()
  })
  await check('abort', async () => {
    await call('txnBegin', 'first')
    const pairs = batch('aborted')
    await call('txnSend', 'first', { pairs })
    views.read_uncommitted.push(...pairs)
    await call('txnEnd', 'first', { commit: false })
    await expectViews()
  })
  await check('a second producer fences the first', async () => {
    await call('txnBegin', 'first')
    const lost = batch('of the fenced')
    await call('txnSend', 'first', { pairs: lost })
    views.read_uncommitted.push(...lost)
    await call('txnOpen', 'second')
    // The JavaScript clients ask for their producer id when a transaction begins.
    await call('txnBegin', 'second')
    const refusal = await expectFenced(() => call('txnEnd', 'first', { commit: true }))
    const pairs = batch('of the second')
    await call('txnSend', 'second', { pairs })
    views.read_uncommitted.push(...pairs)
    await call('txnEnd', 'second', { commit: true })
    views.read_committed.push(...pairs)
    await expectViews()
    await call('txnClose', 'first').catch(() => {}) // a fenced producer may complain once more
    await call('txnClose', 'second')
    return refusal
  })
  return { topic, ...views }
}

/** INVALID_PRODUCER_EPOCH, PRODUCER_FENCED, and librdkafka's own code for a fenced producer. */
const fencedCodes = [47, 90, -144]

async function expectFenced(end: () => Promise<unknown>): Promise<string> {
  try {
    await end()
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    expectTrue(error.code === null || fencedCodes.includes(error.code), `error code ${error.code}: ${error.message}`)
    return `refused: ${error.message}`
  }
  throw new Error('the fenced producer committed')
}
