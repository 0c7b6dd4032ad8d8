/** The Java client, by the copier of Kafka's own system tests. */
import { kafkaDistribution, type KafkaDistribution } from '@millrace/interop/brokers'
import type { Copier } from './copier.ts'

let distribution: KafkaDistribution | undefined

export const javaCopier: Copier = {
  name: 'java',
  prepare: async () => {
    distribution = await kafkaDistribution()
  },
  command: (job) => {
    if (distribution === undefined) throw new Error('prepare() comes first')
    const { toolFlags, classPath } = distribution
    const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...toolFlags, '-cp', classPath]
    const what = ['--broker-list', job.bootstrap, '--input-topic', job.inputTopic, '--output-topic', job.outputTopic]
    // The partition is required and, in group mode, ignored.
    const group = ['--consumer-group', job.group, '--group-mode', '--use-group-metadata', '--input-partition', '0']
    const transactions = ['--transactional-id', job.transactionalId, '--enable-random-aborts']
    const limits = [
      ['--transaction-size', String(job.transactionSize)],
      ['--transaction-timeout', String(job.transactionTimeoutMs)],
    ].flat()
    const tool = 'org.apache.kafka.tools.TransactionalMessageCopier'
    return { file: 'java', args: [...java, tool, ...what, ...group, ...transactions, ...limits] }
  },
}
