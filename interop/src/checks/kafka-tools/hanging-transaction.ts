// kafka-transactions on a transaction that its coordinator knows nothing of: nobody but the tool will ever end it.
import { java } from '../../clients/java.ts'
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { eventually } from '../eventually.ts'
import type { Observer } from '../observer.ts'
import { parseTable } from './table.ts'
import { kafkaTools, tool } from './tool.ts'

const topic = 'tools-hanging'
const transactionalId = 'tools-hanging-id'
const verification = 'transaction.partition.verification.enable'

export async function checkHangingTransaction(
  { broker, report, corpusStartMs }: Context,
  observer: Observer,
): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) =>
    report.check(kafkaTools, `kafka-transactions: ${what}`, run)
  const server = ['--bootstrap-server', broker.bootstrap]
  const alterBrokers = (...change: string[]) =>
    tool('kafka-configs', [...server, '--entity-type', 'brokers', '--entity-default', '--alter', ...change])
  const findHanging = async () =>
    parseTable(await tool('kafka-transactions', [...server, 'find-hanging', '--topic', topic]), 'Topic')
  const committed = async () => (await observer.read(topic, 'read_committed')).map(([, , value]) => value)

  await observer.createTopic(topic, 1)
  await observer.fill(topic, [[0, 'before']])
  const session = java.open(broker.bootstrap)
  // Older than the longest transaction that the tool waits for, which is 15 minutes.
  const job = { topic, transactionalId, timeoutMs: 60_000, value: 'hanging', timestamp: corpusStartMs }
  const write = async () => (await session.call('txnHang', job)) as { producerId: number; offset: number }
  let producerId = -1
  try {
    // The client waits until the coordinator is there; then the producer is known to it, and idle.
    await session.call('txnOpen', { name: topic, transactionalId, timeoutMs: 60_000 })
    await session.call('txnClose', { name: topic })
    await check('a record outside of its transaction is refused', async () => {
      const refused = await write().then(
        () => null,
        (error: Error) => error.message,
      )
      expectTrue(refused?.includes('TransactionAbortableException') === true, `answered with ${refused}`)
      expectEqual(await committed(), ['before'], 'committed records')
    })
    await check(`one is written without ${verification}`, async () => {
      await alterBrokers('--add-config', `${verification}=false`)
      const written = await eventually(write, 10_000)
      await alterBrokers('--delete-config', verification)
      expectEqual(written.offset, 1, 'offset')
      producerId = written.producerId
      await observer.fill(topic, [[0, 'after']])
      expectEqual(await committed(), ['before'], 'committed records')
      const all = await observer.read(topic, 'read_uncommitted')
      const values = all.map(([, , value]) => value)
      expectEqual(values, ['before', 'hanging', 'after'], 'all records')
    })
    await check('find-hanging names it', async () => {
      const found = (await findHanging()).map((row) => [
        row['Topic'],
        row['Partition'],
        row['ProducerId'],
        row['StartOffset'],
      ])
      expectEqual(found, [[topic, '0', String(producerId), '1']], 'hanging transactions')
    })
    await check('abort ends it', async () => {
      const place = ['--topic', topic, '--partition', '0', '--start-offset', '1']
      await tool('kafka-transactions', [...server, 'abort', ...place])
      expectEqual(await findHanging(), [], 'hanging transactions')
      expectEqual(await committed(), ['before', 'after'], 'committed records')
    })
  } finally {
    await session.kill()
  }
}
