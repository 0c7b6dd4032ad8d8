import { kafkaDistribution, runToSuccess } from '@millrace/interop/brokers'

/** Lowers the cluster's level of `transaction.version`, by Kafka's own kafka-features: clients then take their older paths. */
export async function lowerTransactionVersion(bootstrap: string, level: string): Promise<void> {
  const { classPath, toolFlags } = await kafkaDistribution()
  const tool = [...toolFlags, '-cp', classPath, 'org.apache.kafka.tools.FeatureCommand']
  const what = ['--bootstrap-server', bootstrap, 'downgrade', '--feature', `transaction.version=${level}`]
  await runToSuccess('java', [...tool, ...what])
}
