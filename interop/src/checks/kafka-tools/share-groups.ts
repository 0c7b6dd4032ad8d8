// kafka-console-share-consumer, kafka-verifiable-share-consumer, and kafka-share-groups in all its forms.
import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import type { Observer } from '../observer.ts'
import { parseTable } from './table.ts'
import { kafkaTools, refusedTool, tool, type ToolName } from './tool.ts'

const topic = 'tools-share'
const group = 'tools-share-group'
const count = 40

export async function checkShareTools({ broker, report }: Context, observer: Observer): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(kafkaTools, what, run)
  const server = ['--bootstrap-server', broker.bootstrap]
  const values = Array.from({ length: count }, (_, i) => `value ${i}`)
  const consume = async (max: number, ...args: string[]) => {
    const limits = ['--max-messages', String(max), '--timeout-ms', '20000']
    const output = await tool('kafka-console-share-consumer', [
      ...server,
      '--topic',
      topic,
      '--group',
      group,
      ...limits,
      ...args,
    ])
    return output.trim().split('\n').toSorted()
  }
  const groups = (...args: string[]) => tool('kafka-share-groups', [...server, ...args])
  // The start offset told may be an older one; the lag is exact.
  const lags = async () =>
    parseTable(await groups('--describe', '--group', group, '--offsets'), 'GROUP').map((row) => row['LAG'])

  await observer.createTopic(topic, 1)
  await observer.configureGroup(group, { 'share.auto.offset.reset': 'earliest' })
  await observer.fill(
    topic,
    values.map((value) => [0, value] as const),
  )
  await check('kafka-console-share-consumer --release', async () => {
    expectEqual(await consume(count, '--release'), values.toSorted(), 'values')
  })
  await check('kafka-console-share-consumer', async () => {
    expectEqual(await consume(count), values.toSorted(), 'values')
  })
  await check('kafka-share-groups --list, --state', async () => {
    expectTrue((await groups('--list')).split('\n').includes(group), `${group} is not listed`)
    const row = parseTable(await groups('--list', '--state'), 'GROUP').find(({ GROUP }) => GROUP === group)
    expectEqual(row?.['STATE'], 'Empty', 'state')
  })
  await check('kafka-share-groups --describe --offsets', async () => {
    expectEqual(await lags(), ['0'], 'lags')
  })
  await check('kafka-share-groups --describe --state', async () => {
    const [row] = parseTable(await groups('--describe', '--group', group, '--state'), 'GROUP')
    expectEqual([row?.['STATE'], row?.['#MEMBERS']], ['Empty', '0'], 'state')
  })
  await check('kafka-share-groups --reset-offsets --to-earliest, --dry-run, --to-latest', async () => {
    const reset = async (...args: string[]) => {
      const output = await groups('--reset-offsets', '--group', group, '--topic', topic, ...args)
      return parseTable(output, 'GROUP').map((row) => row['NEW-OFFSET'])
    }
    expectEqual(await reset('--to-earliest', '--dry-run'), ['0'], 'dry run')
    expectEqual(await lags(), ['0'], 'after a dry run')
    expectEqual(await reset('--to-earliest', '--execute'), ['0'], 'earliest')
    expectEqual(await lags(), [String(count)], 'after the reset')
    expectEqual(await reset('--to-latest', '--execute'), [String(count)], 'latest')
    expectEqual(await reset('--to-datetime', '2020-01-01T00:00:00.000Z', '--execute'), ['0'], 'datetime')
  })
  await check('kafka-console-share-consumer --reject, after a reset', async () => {
    expectEqual(await consume(count, '--reject'), values.toSorted(), 'values')
    expectEqual(await lags(), ['0'], 'lags')
  })
  await check('kafka-groups --share', async () => {
    const output = await tool('kafka-groups', [...server, '--list', '--share'])
    expectEqual(parseTable(output, 'GROUP').find(({ GROUP }) => GROUP === group)?.['TYPE'], 'Share', 'type')
  })
  await check('kafka-share-groups --delete-offsets', async () => {
    const rows = parseTable(await groups('--delete-offsets', '--group', group, '--topic', topic), 'TOPIC')
    expectEqual(rows, [{ TOPIC: topic, STATUS: 'Successful' }], 'rows')
    expectEqual(await lags(), [], 'lags')
  })
  await check('kafka-verifiable-share-consumer', async () => {
    const args = [...server, '--topic', topic, '--group-id', group, '--max-messages', String(count)]
    const name: ToolName = 'kafka-verifiable-share-consumer'
    const output = await tool(name, [...args, '--acknowledgement-mode', 'sync', '--offset-reset-strategy', 'earliest'])
    const counts = [
      ...output.matchAll(/"name":"records_consumed".*?"count":(\d+)|"count":(\d+).*?"name":"records_consumed"/g),
    ]
    const consumed = counts.reduce((sum, [, one, other]) => sum + Number(one ?? other), 0)
    expectEqual(consumed, count, 'records consumed')
  })
  await check('kafka-share-groups --delete', async () => {
    expectTrue((await groups('--delete', '--group', group)).includes(`('${group}') was successful`), 'output')
    expectTrue(!(await groups('--list')).split('\n').includes(group), `${group} is still listed`)
    return refusedTool(
      'kafka-share-groups',
      [...server, '--delete', '--group', group],
      /could not be deleted|not found/i,
    )
  })
}
