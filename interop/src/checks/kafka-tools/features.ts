import { expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, refusedTool, tool } from './tool.ts'

const feature = 'transaction.version'

export async function checkFeatures({ broker, report }: Context): Promise<void> {
  const server = ['--bootstrap-server', broker.bootstrap]
  const features = (...args: string[]) => tool('kafka-features', [...server, ...args])
  const check = (what: string, run: () => Promise<string | void>) =>
    report.check(kafkaTools, `kafka-features ${what}`, run)
  const expectLevel = async (level: number): Promise<string> => {
    const output = await features('describe')
    const line = output.split('\n').find((one) => one.includes(feature)) ?? `no ${feature} in: ${output}`
    const range = `SupportedMinVersion: 0\\s+SupportedMaxVersion: 2\\s+FinalizedVersionLevel: ${level}\\s+Epoch: \\d+`
    expectTrue(new RegExp(range).test(line), `level ${level} was expected: ${line}`)
    return line.replaceAll(/\s+/g, ' ')
  }

  await check('describe', () => expectLevel(2))
  await check('downgrade --dry-run', async () => {
    const output = await features('downgrade', '--feature', `${feature}=0`, '--dry-run')
    expectTrue(output.includes(`${feature} can be downgraded to 0`), output)
    await expectLevel(2)
  })
  await check('downgrade, disable, upgrade', async () => {
    await features('downgrade', '--feature', `${feature}=1`)
    await expectLevel(1)
    await features('disable', '--feature', feature)
    await expectLevel(0)
    const output = await features('upgrade', '--feature', `${feature}=2`)
    expectTrue(output.includes(`${feature} was upgraded to 2`), output)
    await expectLevel(2)
  })
  await check('upgrade to a lower level, to one that is unknown, of a feature that is', async () => {
    const upgrade = [...server, 'upgrade', '--feature']
    await refusedTool('kafka-features', [...upgrade, `${feature}=1`], /Can't downgrade the version of this feature/)
    await refusedTool('kafka-features', [...upgrade, 'no.such.version=1'], /does not support this feature/)
    return refusedTool('kafka-features', [...upgrade, `${feature}=9`], /only supports versions 0-2/)
  })
}
