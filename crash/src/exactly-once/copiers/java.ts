/** The Java client: in classic groups by the copier of Kafka's own system tests, otherwise by a small one of ours. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce, kafkaDistribution, runToSuccess } from '@millrace/interop/brokers'
import type { Copier, CopyJob } from './copier.ts'
import { programOptions } from './program-options.ts'

const program = join(clientsRoot, 'java', 'JavaCopier.java')
const quickStart = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
let java: readonly string[] | undefined

export const javaCopier: Copier = {
  name: 'java',
  prepare: async () => {
    const { classPath, toolFlags } = await kafkaDistribution()
    const classes = await installOnce('crash/java', [readFileSync(program, 'utf8'), classPath], async (target) => {
      await runToSuccess('javac', ['-nowarn', '-cp', classPath, '-d', target, program], { timeoutMs: 120_000 })
    })
    java = [...quickStart, ...toolFlags, '-cp', `${classPath}:${classes}`]
  },
  command: (job) => {
    if (java === undefined) throw new Error('prepare() comes first')
    const [main, args] =
      job.groupProtocol === 'classic'
        ? ['org.apache.kafka.tools.TransactionalMessageCopier', toolOptions(job)]
        : ['JavaCopier', programOptions(job)]
    return { file: 'java', args: [...java, main, ...args] }
  },
}

const toolOptions = (job: CopyJob): string[] =>
  [
    ['--broker-list', job.bootstrap],
    ['--input-topic', job.inputTopic],
    // Required, and ignored in group mode.
    ['--input-partition', '0'],
    ['--output-topic', job.outputTopic],
    ['--consumer-group', job.group, '--group-mode', '--use-group-metadata'],
    ['--transactional-id', job.transactionalId, '--enable-random-aborts'],
    ['--transaction-size', String(job.transactionSize)],
    ['--transaction-timeout', String(job.transactionTimeoutMs)],
  ].flat()
