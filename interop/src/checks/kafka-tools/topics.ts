import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, refusedTool, tool } from './tool.ts'

const topic = 'tools-topic'

/** The lines of `--describe` that stand for partitions, as { partition, leader, replicas, isr }. */
export function parsePartitions(description: string) {
  return description
    .split('\n')
    .filter((line) => line.startsWith('\t'))
    .map((line) => {
      const field = (name: string) => new RegExp(`\\t${name}: ([^\\t]*)`).exec(line)?.[1]?.trim()
      return {
        partition: Number(field('Partition')),
        leader: field('Leader'),
        replicas: field('Replicas'),
        isr: field('Isr'),
      }
    })
}

export async function checkTopics({ broker, report }: Context): Promise<void> {
  const topics = (...args: string[]) => tool('kafka-topics', ['--bootstrap-server', broker.bootstrap, ...args])
  const check = (what: string, run: () => Promise<string | void>) =>
    report.check(kafkaTools, `kafka-topics ${what}`, run)

  await check('--create', async () => {
    const config = ['--config', 'retention.ms=3600000', '--config', 'max.message.bytes=2000000']
    const output = await topics(
      '--create',
      '--topic',
      topic,
      '--partitions',
      '3',
      '--replication-factor',
      '1',
      ...config,
    )
    expectEqual(output.trim(), `Created topic ${topic}.`, 'output')
  })
  await check('--create of an existing topic', () => {
    const args = ['--bootstrap-server', broker.bootstrap, '--create', '--topic', topic]
    return refusedTool('kafka-topics', args, new RegExp(`Topic '${topic}' already exists`))
  })
  await check('--create with an unknown config', () => {
    const args = ['--bootstrap-server', broker.bootstrap, '--create', '--topic', 'tools-bad', '--config', 'no.such=1']
    return refusedTool('kafka-topics', args, /[Uu]nknown topic config name: no\.such/)
  })
  await check('--list', async () => {
    const names = (await topics('--list')).trim().split('\n')
    expectTrue(names.includes(topic), `${topic} is not listed`)
    return `${names.length} topics`
  })
  await check('--describe', async () => {
    const description = await topics('--describe', '--topic', topic)
    expectTrue(/PartitionCount: 3\tReplicationFactor: 1\t/.test(description), description)
    expectTrue(/TopicId: [\w-]{22}\t/.test(description), `no topic id: ${description}`)
    for (const config of ['retention.ms=3600000', 'max.message.bytes=2000000'])
      expectTrue(description.includes(config), `${config} is not in ${description}`)
    const partitions = parsePartitions(description)
    expectEqual(
      partitions.map(({ partition }) => partition),
      [0, 1, 2],
      'partitions',
    )
    for (const { partition, leader, replicas, isr } of partitions)
      expectTrue(
        leader === replicas && leader === isr && /^\d+$/.test(leader ?? ''),
        `partition ${partition}: ${description}`,
      )
  })
  await check('--alter --partitions', async () => {
    await topics('--alter', '--topic', topic, '--partitions', '5')
    expectEqual(parsePartitions(await topics('--describe', '--topic', topic)).length, 5, 'partitions')
  })
  await check('--alter to fewer partitions', () => {
    const args = ['--bootstrap-server', broker.bootstrap, '--alter', '--topic', topic, '--partitions', '2']
    return refusedTool('kafka-topics', args, /currently has 5 partition\(s\); 2 would not be an increase/)
  })
  await check('--delete', async () => {
    await topics('--delete', '--topic', topic)
    const names = (await topics('--list')).trim().split('\n')
    expectTrue(!names.includes(topic), `${topic} is still listed`)
  })
}
