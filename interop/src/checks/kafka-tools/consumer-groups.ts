// kafka-consumer-groups in all its forms, and kafka-groups, on a classic and on a consumer group with a live member.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { java } from '../../clients/java.ts'
import type { Membership } from '../../clients/foreign-client.ts'
import { expectEqual, expectSameItems, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { eventually } from '../eventually.ts'
import { Member } from '../groups/member.ts'
import type { Observer } from '../observer.ts'
import { parseTable } from './table.ts'
import { kafkaTools, refusedTool, tool } from './tool.ts'

const topic = 'tools-groups'
const partitions = 2
const readSize = 10
const unreadSize = 5
const end = readSize + unreadSize

export async function checkConsumerGroups(context: Context, observer: Observer): Promise<void> {
  const group = 'tools-classic-group'
  await observer.createTopic(topic, partitions)
  await observer.fill(topic, records(readSize))
  const classic = await joinAndRead(context, group, { protocol: 'classic', assignor: 'range' })
  const betweenMs = Date.now() + 5
  await eventually(async () => expectTrue(Date.now() > betweenMs, 'the clock stands still'))
  await observer.fill(topic, records(unreadSize))
  try {
    await checkLiveGroup(context, group)
  } finally {
    await classic.leave()
  }
  await checkResets(context, observer, group, betweenMs)
  await checkDeletions(context, observer, group)
  await checkModernGroup(context)
}

const records = (count: number) =>
  Array.from({ length: count * partitions }, (_, i) => [i % partitions, `value ${i}`] as const)

async function joinAndRead({ broker }: Context, group: string, membership: Membership): Promise<Member> {
  const member = new Member(group, java.open(broker.bootstrap))
  await member.join({ ...membership, group, topic, sessionTimeoutMs: 60_000, autoCommit: false, instanceId: null })
  await eventually(async () => {
    await member.poll()
    expectTrue(member.records.length >= readSize * partitions, `${member.records.length} records read`)
  }, 20_000)
  await member.commit('sync', topic, '')
  return member
}

function groupsTool({ broker, report }: Context) {
  const server = ['--bootstrap-server', broker.bootstrap]
  return {
    groups: (...args: string[]) => tool('kafka-consumer-groups', [...server, ...args]),
    refused: (complaint: RegExp, ...args: string[]) =>
      refusedTool('kafka-consumer-groups', [...server, ...args], complaint),
    check: (what: string, run: () => Promise<string | void>) =>
      report.check(kafkaTools, `kafka-consumer-groups ${what}`, run),
  }
}

async function checkLiveGroup(context: Context, group: string): Promise<void> {
  const { groups, refused, check } = groupsTool(context)
  await check('--list', async () => {
    const listed = (await groups('--list')).trim().split('\n')
    expectTrue(listed.includes(group), `${group} is not among ${listed.join()}`)
    return `${listed.length} groups`
  })
  await check('--list --state, --type', async () => {
    const all = parseTable(await groups('--list', '--state', '--type'), 'GROUP')
    const row = all.find(({ GROUP }) => GROUP === group)
    expectEqual([row?.['TYPE'], row?.['STATE']], ['Classic', 'Stable'], 'type and state')
    const empty = parseTable(await groups('--list', '--state', 'empty'), 'GROUP')
    expectTrue(!empty.some(({ GROUP }) => GROUP === group), 'listed as empty')
    const modern = parseTable(await groups('--list', '--type', 'consumer'), 'GROUP')
    expectTrue(!modern.some(({ GROUP }) => GROUP === group), 'listed as a consumer group')
  })
  await check('--describe --offsets', async () => {
    const rows = parseTable(await groups('--describe', '--group', group), 'GROUP')
    const found = rows.map((row) =>
      ['PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG', 'CLIENT-ID'].map((key) => row[key]),
    )
    const expected = [0, 1].map((partition) => [partition, readSize, end, unreadSize, 'interop-java'].map(String))
    expectSameItems(found, expected, 'offsets')
  })
  await check('--describe --members --verbose', async () => {
    const rows = parseTable(await groups('--describe', '--group', group, '--members', '--verbose'), 'GROUP')
    expectEqual(rows.length, 1, 'members')
    expectEqual([rows[0]!['#PARTITIONS'], rows[0]!['CURRENT-ASSIGNMENT']], ['2', `${topic}:0,1`], 'assignment')
  })
  await check('--describe --state', async () => {
    const [row] = parseTable(await groups('--describe', '--group', group, '--state'), 'GROUP')
    expectEqual([row?.['ASSIGNMENT-STRATEGY'], row?.['STATE'], row?.['#MEMBERS']], ['range', 'Stable', '1'], 'state')
  })
  await check('--reset-offsets of an active group', () =>
    refused(
      /inactive, but the current state is Stable/,
      '--reset-offsets',
      '--group',
      group,
      '--topic',
      topic,
      '--to-earliest',
      '--execute',
    ),
  )
  await check('--delete-offsets of a subscribed topic', () =>
    refused(/subscribed to it|actively subscribed/i, '--delete-offsets', '--group', group, '--topic', topic),
  )
  await check('--delete of an active group', () => refused(/The group is not empty/, '--delete', '--group', group))
  await check('--validate-regex', async () => {
    expectTrue((await groups('--validate-regex', 'tools-.*')).includes('is valid'), 'a good one')
    return refused(/is invalid/, '--validate-regex', '(tools')
  })
}

async function checkResets(context: Context, observer: Observer, group: string, betweenMs: number): Promise<void> {
  const { groups, check } = groupsTool(context)
  const committed = async () =>
    Object.entries(await observer.committed(group))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, [offset]]) => offset)
  const reset = async (...args: string[]) => {
    const output = await groups('--reset-offsets', '--group', group, ...args)
    const rows = parseTable(output, 'GROUP').map(
      (row) => [Number(row['PARTITION']), Number(row['NEW-OFFSET'])] as const,
    )
    return rows.toSorted(([a], [b]) => a - b).map(([, offset]) => offset)
  }
  const execute = async (expected: readonly number[], ...args: string[]) => {
    expectEqual(await reset(...args, '--execute'), expected, 'NEW-OFFSET')
    expectEqual(await committed(), expected, 'committed offsets')
  }
  const both = (offset: number) => [offset, offset]
  await check('--reset-offsets --to-earliest', () => execute(both(0), '--topic', topic, '--to-earliest'))
  await check('--reset-offsets --to-latest --dry-run', async () => {
    expectEqual(await reset('--all-topics', '--to-latest', '--dry-run'), both(end), 'NEW-OFFSET')
    expectEqual(await committed(), both(0), 'committed offsets')
  })
  await check('--reset-offsets --to-latest', () => execute(both(end), '--all-topics', '--to-latest'))
  await check('--reset-offsets --to-offset', () => execute(both(3), '--topic', topic, '--to-offset', '3'))
  await check('--reset-offsets --shift-by', async () => {
    await execute(both(5), '--topic', topic, '--shift-by', '2')
    await execute(both(4), '--topic', topic, '--shift-by', '-1')
    await execute(both(0), '--topic', topic, '--shift-by', '-100')
  })
  await check('--reset-offsets --to-datetime', async () => {
    const datetime = new Date(betweenMs).toISOString()
    await execute(both(readSize), '--topic', topic, '--to-datetime', datetime)
  })
  await check('--reset-offsets --by-duration', async () => {
    await execute(both(0), '--topic', topic, '--by-duration', 'PT1H')
    await execute(both(end), '--topic', topic, '--by-duration', 'PT0S')
  })
  await check('--reset-offsets of one partition', async () => {
    expectEqual(await reset('--topic', `${topic}:1`, '--to-offset', '7', '--execute'), [7], 'NEW-OFFSET')
    expectEqual(await committed(), [end, 7], 'committed offsets')
  })
  await check('--reset-offsets --to-current', () => execute([end, 7], '--topic', topic, '--to-current'))
  await check('--reset-offsets --export and --from-file', async () => {
    const exported = await groups(
      '--reset-offsets',
      '--group',
      group,
      '--topic',
      topic,
      '--to-current',
      '--dry-run',
      '--export',
    )
    expectSameItems(exported.trim().split('\n'), [`${topic},0,${end}`, `${topic},1,7`], 'exported')
    const file = join(context.scratchDirectory, 'reset.csv')
    writeFileSync(file, `${topic},0,6\n${topic},1,8\n`)
    await execute([6, 8], '--from-file', file)
  })
}

async function checkDeletions(context: Context, observer: Observer, group: string): Promise<void> {
  const { groups, refused, check } = groupsTool(context)
  await check('--delete-offsets', async () => {
    const rows = parseTable(await groups('--delete-offsets', '--group', group, '--topic', `${topic}:0`), 'TOPIC')
    expectEqual(rows, [{ TOPIC: topic, PARTITION: '0', STATUS: 'Successful' }], 'rows')
    expectEqual(await observer.committed(group), { [`${topic}-1`]: [8, ''] }, 'what is left')
  })
  await check('--delete', async () => {
    expectTrue((await groups('--delete', '--group', group)).includes(`('${group}') was successful`), 'output')
    const listed = (await groups('--list')).trim().split('\n')
    expectTrue(!listed.includes(group), `${group} is still listed`)
  })
  await check('--delete of a group that does not exist', () =>
    refused(/could not be deleted due to: .*GroupIdNotFoundException|not found/i, '--delete', '--group', group),
  )
}

async function checkModernGroup(context: Context): Promise<void> {
  const { groups, check } = groupsTool(context)
  const group = 'tools-consumer-group'
  const member = await joinAndRead(context, group, { protocol: 'consumer', assignor: 'uniform' })
  try {
    await check('--list --type consumer', async () => {
      const rows = parseTable(await groups('--list', '--type', 'consumer', '--state'), 'GROUP')
      expectEqual(rows.find(({ GROUP }) => GROUP === group)?.['STATE'], 'Stable', 'state')
    })
    await check('--describe --members --verbose of a consumer group', async () => {
      const [row] = parseTable(await groups('--describe', '--group', group, '--members', '--verbose'), 'GROUP')
      const found = ['#PARTITIONS', 'CURRENT-ASSIGNMENT', 'TARGET-ASSIGNMENT'].map((key) => row?.[key])
      expectEqual(found, ['2', `${topic}:0,1`, `${topic}:0,1`], 'member')
      expectTrue(Number(row!['CURRENT-EPOCH']) > 0 && row!['CURRENT-EPOCH'] === row!['TARGET-EPOCH'], 'epochs')
    })
    await check('--describe --state --verbose of a consumer group', async () => {
      const [row] = parseTable(await groups('--describe', '--group', group, '--state', '--verbose'), 'GROUP')
      const found = ['ASSIGNMENT-STRATEGY', 'STATE', '#MEMBERS'].map((key) => row?.[key])
      expectEqual(found, ['uniform', 'Stable', '1'], 'state')
      expectTrue(Number(row!['GROUP-EPOCH']) > 0 && row!['GROUP-EPOCH'] === row!['TARGET-ASSIGNMENT-EPOCH'], 'epochs')
    })
    await context.report.check(kafkaTools, 'kafka-groups --list, --consumer, --group-type', async () => {
      for (const filter of [[], ['--consumer'], ['--group-type', 'consumer']]) {
        const output = await tool('kafka-groups', ['--bootstrap-server', context.broker.bootstrap, '--list', ...filter])
        const row = parseTable(output, 'GROUP').find(({ GROUP }) => GROUP === group)
        expectEqual([row?.['TYPE'], row?.['PROTOCOL']], ['Consumer', 'consumer'], filter.join(' '))
      }
    })
  } finally {
    await member.leave()
  }
}
