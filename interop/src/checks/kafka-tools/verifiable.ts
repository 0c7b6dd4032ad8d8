// The tools of Kafka's system tests: verifiable producer and consumer, the transactional copier; and the console consumer's groups.
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import type { Observer } from '../observer.ts'
import { kafkaTools, tool, type ToolName } from './tool.ts'

const topic = 'tools-verifiable'
const copied = 'tools-verifiable-copy'
const count = 300

interface Event {
  readonly name: string
  readonly [field: string]: unknown
}

export async function checkVerifiable({ broker, report }: Context, observer: Observer): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(kafkaTools, what, run)
  const server = ['--bootstrap-server', broker.bootstrap]
  const run = async (name: ToolName, ...args: string[]) =>
    (await tool(name, args))
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Event)
  const values = Array.from({ length: count }, (_, i) => String(i))

  await check('kafka-verifiable-producer', async () => {
    await observer.createTopic(topic, 2)
    const events = await run('kafka-verifiable-producer', ...server, '--topic', topic, '--max-messages', String(count))
    const { sent, acked } = events.at(-1) as unknown as { sent: number; acked: number }
    expectEqual([sent, acked], [count, count], 'sent and acknowledged')
    const read = await observer.read(topic, 'read_committed')
    expectEqual(
      read.map(([, , value]) => Number(value)).toSorted((a, b) => a - b),
      values.map(Number),
      'values',
    )
  })
  for (const protocol of ['classic', 'consumer'])
    await check(`kafka-verifiable-consumer --group-protocol ${protocol}`, async () => {
      const group = `tools-verifiable-${protocol}`
      const limits = ['--max-messages', String(count), '--reset-policy', 'earliest', '--group-protocol', protocol]
      const events = await run('kafka-verifiable-consumer', ...server, '--topic', topic, '--group-id', group, ...limits)
      const counts = events.filter(({ name }) => name === 'records_consumed').map((event) => event['count'] as number)
      expectEqual(
        counts.reduce((sum, one) => sum + one, 0),
        count,
        'records consumed',
      )
      expectTrue(
        events.some(({ name }) => name === 'partitions_assigned'),
        'no partitions assigned',
      )
      const committed = Object.values(await observer.committed(group)).reduce((sum, [offset]) => sum + offset, 0)
      expectEqual(committed, count, 'committed offsets')
    })
  await check('TransactionalMessageCopier, with random aborts', async () => {
    await observer.createTopic(copied, 2)
    for (const partition of ['0', '1']) {
      const input = ['--input-topic', topic, '--input-partition', partition, '--output-topic', copied]
      const transaction = [
        '--transactional-id',
        `copier-${partition}`,
        '--transaction-size',
        '20',
        '--enable-random-aborts',
      ]
      const group = ['--consumer-group', 'tools-copier', '--broker-list', broker.bootstrap]
      await run('transactional-message-copier', ...input, ...transaction, ...group)
    }
    const read = await observer.read(copied, 'read_committed')
    expectEqual(
      read.map(([, , value]) => Number(value)).toSorted((a, b) => a - b),
      values.map(Number),
      'values',
    )
  })
  await check('kafka-console-consumer --group', async () => {
    const consume = (max: number, ...args: string[]) => {
      const limits = ['--max-messages', String(max), '--timeout-ms', '20000']
      return tool('kafka-console-consumer', [
        ...server,
        '--topic',
        topic,
        '--group',
        'tools-console',
        ...limits,
        ...args,
      ])
    }
    const first = (await consume(100, '--from-beginning')).trim().split('\n')
    const rest = (await consume(count - 100)).trim().split('\n')
    const all = [...first, ...rest].map(Number).toSorted((a, b) => a - b)
    expectEqual(all, values.map(Number), 'values of both runs')
  })
}
