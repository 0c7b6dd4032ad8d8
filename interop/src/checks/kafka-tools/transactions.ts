// kafka-transactions on transactions that the Java client holds open.
import { java } from '../../clients/java.ts'
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { eventually } from '../eventually.ts'
import type { Observer } from '../observer.ts'
import { parseTable } from './table.ts'
import { kafkaTools, tool } from './tool.ts'

const topic = 'tools-transactions'
const transactionalId = 'tools-transactional-id'

export async function checkTransactionTool({ broker, report }: Context, observer: Observer): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) =>
    report.check(kafkaTools, `kafka-transactions ${what}`, run)
  const transactions = async (firstHeading: string, ...args: string[]) =>
    parseTable(await tool('kafka-transactions', ['--bootstrap-server', broker.bootstrap, ...args]), firstHeading)
  const state = async () =>
    (await transactions('CoordinatorId', 'describe', '--transactional-id', transactionalId))[0]?.['TransactionState']
  const startOffset = async () => {
    const rows = await transactions('ProducerId', 'describe-producers', '--topic', topic, '--partition', '0')
    return rows.map((row) => row['CurrentTransactionStartOffset'])
  }

  await observer.createTopic(topic, 1)
  const session = java.open(broker.bootstrap)
  const call = (op: string, fields: object = {}) =>
    session.call(op, { name: 'tools', topic, transactionalId, timeoutMs: 600_000, ...fields })
  const beginAndSend = async () => {
    await call('txnBegin')
    await call('txnSend', { pairs: [[0, 'open']] })
  }
  try {
    await call('txnOpen')
    await beginAndSend()
    await check('list, --transactional-id-pattern, --duration-filter', async () => {
      const find = async (...args: string[]) =>
        (await transactions('TransactionalId', 'list', ...args)).find(
          (row) => row['TransactionalId'] === transactionalId,
        )
      expectEqual((await find())?.['TransactionState'], 'Ongoing', 'state')
      expectEqual((await find('--transactional-id-pattern', 'tools-.*'))?.['TransactionState'], 'Ongoing', 'by pattern')
      expectTrue((await find('--transactional-id-pattern', 'other-.*')) === undefined, 'found by another pattern')
      expectTrue((await find('--duration-filter', '600000')) === undefined, 'found as one of ten minutes')
    })
    await check('describe', async () => {
      const [row] = await transactions('CoordinatorId', 'describe', '--transactional-id', transactionalId)
      const found = ['TransactionState', 'TransactionTimeoutMs', 'TopicPartitions'].map((key) => row?.[key])
      expectEqual(found, ['Ongoing', '600000', `${topic}-0`], 'transaction')
    })
    await check('describe-producers', async () => expectEqual(await startOffset(), ['0'], 'start offsets'))
    await check('find-hanging', async () => {
      expectEqual(await transactions('Topic', 'find-hanging', '--topic', topic), [], 'hanging transactions')
    })
    await check('describe after a commit', async () => {
      await call('txnEnd', { commit: true })
      await eventually(async () => expectEqual(await state(), 'CompleteCommit', 'state'), 10_000)
      expectEqual(await startOffset(), ['None'], 'start offsets')
    })
    await check('abort', async () => {
      await beginAndSend()
      expectEqual(await startOffset(), ['2'], 'start offsets')
      await transactions('', 'abort', '--topic', topic, '--partition', '0', '--start-offset', '2')
      expectEqual(await startOffset(), ['None'], 'start offsets')
      await call('txnEnd', { commit: false })
      expectEqual(await observer.read(topic, 'read_committed'), [[0, null, 'open']], 'committed records')
    })
    await check('forceTerminateTransaction', async () => {
      await beginAndSend()
      await transactions('', 'forceTerminateTransaction', '--transactionalId', transactionalId)
      // It takes the place of the producer by asking for a producer id of its own.
      await eventually(async () => expectEqual(await state(), 'Empty', 'state'), 10_000)
      const refused = await call('txnEnd', { commit: true }).then(
        () => null,
        (error: Error) => error.message,
      )
      expectTrue(refused !== null, 'the producer could commit')
      expectEqual(await observer.read(topic, 'read_committed'), [[0, null, 'open']], 'committed records')
      return `the producer was refused: ${refused}`
    })
  } finally {
    await session.kill()
  }
}
