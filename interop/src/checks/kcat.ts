// What kcat does besides producing and consuming: metadata, offsets by timestamp, nulls.
import { kcat, parseRecords } from '../clients/kcat.ts'
import { run, runToSuccess } from '../command.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Context } from './context.ts'

interface Listing {
  brokers: { id: number; name: string }[]
  controllerid: number
  topics: {
    topic: string
    partitions: { partition: number; leader: number; replicas: { id: number }[]; isrs: { id: number }[] }[]
  }[]
}

export async function checkKcat({ broker, report }: Context): Promise<void> {
  const topic = 'kcat-topic'
  const at = (...args: string[]) => ['-b', broker.bootstrap, ...args]
  const startMs = Date.now()

  await report.check(kcat, '-P of null keys and values, topic auto-created', async () => {
    await runToSuccess('kcat', at('-P', '-t', topic, '-K', ':', '-Z'), { input: 'a:1\n:no key\nnothing:\n' })
    const output = await run('kcat', at('-C', '-q', '-e', '-t', topic, '-p', '0', '-f', '%o %T %K %S %k%s%h\n~~\n'))
    const texts = parseRecords(output.stdout).map(({ key, value }) => [
      key?.toString() ?? null,
      value?.toString() ?? null,
    ])
    expectEqual(
      texts,
      [
        ['a', '1'],
        [null, 'no key'],
        ['nothing', null],
      ],
      'records',
    )
  })
  await report.check(kcat, '-L', async () => {
    const listing = JSON.parse(await runToSuccess('kcat', at('-L', '-J'))) as Listing
    expectEqual(
      listing.brokers.map(({ name }) => name),
      [broker.bootstrap],
      'brokers',
    )
    const id = listing.brokers[0]!.id
    expectEqual(listing.controllerid, id, 'controller')
    const found = listing.topics.find((one) => one.topic === topic)
    expectEqual(
      found?.partitions,
      [{ partition: 0, leader: id, replicas: [{ id }], isrs: [{ id }] }],
      `partitions of ${topic}`,
    )
    return `${listing.topics.length} topics`
  })
  await report.check(kcat, '-L of one topic that does not exist', async () => {
    const output = await runToSuccess(
      'kcat',
      at('-L', '-t', 'kcat-no-such-topic', '-X', 'allow.auto.create.topics=false'),
    )
    expectTrue(/Unknown topic or partition|Leader not available|with 0 partitions/i.test(output), output)
  })
  await report.check(kcat, '-Q', async () => {
    const query = async (timestamp: number) =>
      (await runToSuccess('kcat', at('-Q', '-t', `${topic}:0:${timestamp}`))).trim()
    expectEqual(await query(startMs - 10_000), `${topic} [0] offset 0`, 'before the first record')
    expectEqual(await query(-1), `${topic} [0] offset 3`, 'end')
    expectEqual(await query(-2), `${topic} [0] offset 0`, 'beginning')
  })
  await report.check(kcat, '-C with -o -N, -o s@TIMESTAMP, -X check.crcs', async () => {
    const consume = (offset: string) =>
      runToSuccess('kcat', at('-C', '-q', '-e', '-X', 'check.crcs=true', '-t', topic, '-p', '0', '-o', offset))
    expectEqual(await consume('-2'), 'no key\n\n', 'the last two')
    expectEqual(await consume(`s@${startMs - 10_000}`), '1\nno key\n\n', 'from a time')
  })
}
