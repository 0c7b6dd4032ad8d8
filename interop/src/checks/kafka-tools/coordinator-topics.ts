// What the coordinators write, as Kafka's own formatters and kafka-dump-log's decoders read it.
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expectEqual, expectSameItems, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import type { Observer } from '../observer.ts'
import { kafkaTools, tool } from './tool.ts'

const topic = 'tools-verifiable'
const group = 'tools-verifiable-consumer'
const classicGroup = 'tools-verifiable-classic'
const shareGroup = 'tools-share-group'
const transactionalIds = ['copier-0', 'copier-1']

interface CoordinatorRecord {
  readonly key: { readonly type: number; readonly data: Readonly<Record<string, unknown>> }
  readonly value: { readonly version: number; readonly data: Readonly<Record<string, unknown>> } | null
}

/** Looks for what kafka-verifiable-consumer, the transactional copier and the share consumers have left. */
export async function checkCoordinatorTopics({ broker, report }: Context, observer: Observer): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(kafkaTools, what, run)
  /** Formats the partition that has records of `name` in their keys. */
  const format = async (from: string, name: string, formatter: string): Promise<CoordinatorRecord[]> => {
    const all = await observer.read(from, 'read_uncommitted')
    const partition = all.find(([, key]) => key?.includes(name) === true)?.[0]
    if (partition === undefined) throw new Error(`no record of ${name} in ${all.length} records of ${from}`)
    const count = all.filter(([at]) => at === partition).length
    const limits = ['--offset', 'earliest', '--max-messages', String(count), '--timeout-ms', '30000']
    const where = ['--bootstrap-server', broker.bootstrap, '--topic', from, '--partition', String(partition), ...limits]
    const output = await tool('kafka-console-consumer', [
      ...where,
      '--formatter',
      `org.apache.kafka.tools.consumer.${formatter}`,
    ])
    return splitJson(output).map((text) => JSON.parse(text) as CoordinatorRecord)
  }
  const expectedOffsets = async () =>
    Object.entries(await observer.committed(group)).map(([partition, [offset]]) => [partition, offset])

  await check('kafka-console-consumer with OffsetsMessageFormatter', async () => {
    const records = await format('__consumer_offsets', group, 'OffsetsMessageFormatter')
    const last = new Map<string, unknown>()
    for (const { key, value } of records)
      if (key.data['group'] === group)
        last.set(`${String(key.data['topic'])}-${String(key.data['partition'])}`, value?.data['offset'])
    expectSameItems([...last], await expectedOffsets(), `offsets of ${group}`)
    return `${records.length} records`
  })
  await check('kafka-console-consumer with GroupMetadataMessageFormatter', async () => {
    const records = await format('__consumer_offsets', classicGroup, 'GroupMetadataMessageFormatter')
    const generations = records.filter(({ key }) => key.data['group'] === classicGroup)
    const last = generations.at(-1)?.value?.data
    expectEqual([last?.['protocolType'], last?.['members']], ['consumer', []], 'the last state of the classic group')
    return `${records.length} records`
  })
  await check('kafka-console-consumer with TransactionLogMessageFormatter', async () => {
    // The verifiable producer may have left a partition empty; then its copier has made no transaction.
    const [copied] = (await observer.read(topic, 'read_committed')).map(([partition]) => partition)
    const id = `copier-${copied}`
    const records = await format('__transaction_state', id, 'TransactionLogMessageFormatter')
    const last = records.findLast(({ key }) => key.data['transactionalId'] === id)?.value?.data
    const completeCommit = 4
    expectEqual(last?.['transactionStatus'], completeCommit, `last state of ${id}`)
    return `${records.length} records`
  })
  await check('kafka-console-consumer with ShareGroupStateMessageFormatter', async () => {
    const records = await format('__share_group_state', shareGroup, 'group.share.ShareGroupStateMessageFormatter')
    const mine = records.filter(({ key }) => key.data['groupId'] === shareGroup)
    expectTrue(
      mine.length > 0 && mine.at(-1)!.value === null,
      `${mine.length} records, the last of which is no tombstone`,
    )
    return `${records.length} records`
  })
  const dump = async (from: string, decoder: string) => {
    const files = globSync(`${from}-*/*.log`, { cwd: broker.dataDirectory }).map((file) =>
      join(broker.dataDirectory, file),
    )
    const output = await tool('kafka-dump-log', ['--files', files.join(), decoder], { timeoutMs: 120_000 })
    return output.split('\n').filter((line) => /\| offset: .* (payload|key): /.test(line))
  }
  await check('kafka-dump-log --offsets-decoder', async () => {
    const lines = (await dump('__consumer_offsets', '--offsets-decoder')).filter((line) =>
      line.includes(`"group":"${group}"`),
    )
    for (const [partition, offset] of await expectedOffsets()) {
      const name = String(partition).slice(topic.length + 1)
      const mine = lines.filter((line) => line.includes(`"topic":"${topic}","partition":${name}}`))
      expectTrue(mine.at(-1)?.includes(`"offset":${offset},`) === true, `${partition} at ${offset}: ${mine.at(-1)}`)
    }
    return `${lines.length} records of ${group}`
  })
  await check('kafka-dump-log --transaction-log-decoder', async () => {
    const lines = await dump('__transaction_state', '--transaction-log-decoder')
    for (const id of transactionalIds)
      expectTrue(
        lines.some((line) => line.includes(`"transactionalId":"${id}"`)),
        `no ${id}`,
      )
    return `${lines.length} records`
  })
  await check('kafka-dump-log --share-group-state-decoder', async () => {
    const lines = await dump('__share_group_state', '--share-group-state-decoder')
    expectTrue(
      lines.some((line) => line.includes('"groupId":"tools-share-group"')),
      `no tools-share-group in ${lines.length}`,
    )
    return `${lines.length} records`
  })
}

/** The formatters put one JSON object right behind the other. */
function splitJson(output: string): string[] {
  return output
    .replaceAll(/\}\s*\{"key"/g, '}\n{"key"')
    .split('\n')
    .filter((line) => line.startsWith('{'))
}
