import { expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, refusedTool, tool } from './tool.ts'

const topic = 'tools-configs'

export async function checkConfigs({ broker, report }: Context): Promise<void> {
  const server = ['--bootstrap-server', broker.bootstrap]
  const configs = (...args: string[]) => tool('kafka-configs', [...server, ...args])
  const check = (what: string, run: () => Promise<string | void>) =>
    report.check(kafkaTools, `kafka-configs ${what}`, run)
  const contains = (output: string, ...parts: (string | RegExp)[]) => {
    for (const part of parts)
      expectTrue(
        typeof part === 'string' ? output.includes(part) : part.test(output),
        `${part} is not in: ${output.slice(0, 400)}`,
      )
  }

  await check('--alter --add-config of a topic', async () => {
    await tool('kafka-topics', [...server, '--create', '--topic', topic])
    const added = 'retention.ms=7200000,cleanup.policy=[compact,delete],min.insync.replicas=1'
    const output = await configs('--alter', '--topic', topic, '--add-config', added)
    contains(output, `Completed updating config for topic ${topic}.`)
  })
  await check('--describe of a topic', async () => {
    contains(
      await configs('--describe', '--topic', topic),
      `Dynamic configs for topic ${topic} are:`,
      /retention\.ms=7200000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=7200000/,
      'cleanup.policy=compact,delete sensitive=false',
      'DEFAULT_CONFIG:log.cleanup.policy=delete',
    )
  })
  await check('--describe --all of a topic', async () => {
    const output = await configs('--describe', '--all', '--topic', topic)
    contains(
      output,
      `All configs for topic ${topic} are:`,
      'segment.bytes=1073741824',
      'unclean.leader.election.enable=false',
    )
    return `${output.split('sensitive=').length - 1} configs`
  })
  await check('--alter --delete-config of a topic', async () => {
    await configs('--alter', '--topic', topic, '--delete-config', 'retention.ms')
    const output = await configs('--describe', '--topic', topic)
    expectTrue(!output.includes('retention.ms='), `retention.ms is still there: ${output}`)
    contains(output, 'cleanup.policy=compact,delete')
  })
  await check('--alter with an unknown config, with a bad value', async () => {
    const alter = [...server, '--alter', '--topic', topic, '--add-config']
    await refusedTool('kafka-configs', [...alter, 'no.such.config=1'], /[Uu]nknown topic config name: no\.such\.config/)
    return refusedTool(
      'kafka-configs',
      [...alter, 'retention.ms=soon'],
      /Invalid value soon for configuration retention\.ms/,
    )
  })
  await check('--describe --all of the broker', async () => {
    const node = /^(?:\S+) \(id: (\d+)/m.exec(await tool('kafka-broker-api-versions', server))?.[1]
    const output = await configs('--describe', '--all', '--broker', node!)
    contains(output, `All configs for broker ${node} are:`, /log\.retention\.hours=168/, /message\.max\.bytes=1048588/)
    return `${output.split('sensitive=').length - 1} configs`
  })
}
